import assert from "node:assert/strict";
import { test } from "node:test";
import { PowerCut, SimDisk } from "../../test/simulation/world/disk.ts";
import { WorldError } from "../base/error.ts";
import { Prng } from "../base/prng.ts";
import { type ConfState, type Entry, EntryType, type HardState } from "../proto/raftpb.ts";
import { Wal } from "./wal.ts";

const WAL = "/data/member/wal";
const METADATA = Uint8Array.of(8, 7, 16, 9);
const SMALL = { segmentBytes: 4096 };
const VOTERS: ConfState = { voters: [7n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

function newDisk(): SimDisk {
  const disk = new SimDisk({ prng: new Prng(1) });
  disk.makeFolder("/data");
  disk.syncFolder("/");
  return disk;
}

function entry(index: number, bytes = 100, term = 1): Entry {
  return { type: EntryType.NORMAL, term, index, data: new Uint8Array(bytes).fill(index) };
}

function state(commit: number, term = 1): HardState {
  return { term, vote: 7n, commit };
}

/** A log with entries 1 to `count`, all synced and committed. */
function logOf(disk: SimDisk, count: number): Wal {
  const wal = Wal.create(disk, WAL, METADATA, SMALL);
  for (let index = 1; index <= count; index++) {
    wal.save(state(index), [entry(index)]);
    wal.syncNow();
  }
  return wal;
}

function indexes(entries: readonly Entry[]): number[] {
  return entries.map(({ index }) => index);
}

function segments(disk: SimDisk): string[] {
  return disk.list(WAL).filter((name) => name.endsWith(".wal"));
}

test("what was saved is read back: metadata, hard state, entries", () => {
  const disk = newDisk();
  assert.equal(Wal.exists(disk, WAL), false);
  const wal = Wal.create(disk, WAL, METADATA);
  const entries = [entry(1), { type: EntryType.CONF_CHANGE, term: 1, index: 2, data: Uint8Array.of(1) }, entry(3, 0)];
  const bytes = wal.save(state(2), entries);
  assert.equal(bytes % 8, 0);
  wal.syncNow();
  wal.close();
  assert.equal(Wal.exists(disk, WAL), true);
  const opened = Wal.open(disk, WAL);
  assert.deepEqual(opened.metadata, METADATA);
  assert.deepEqual(opened.hardState, state(2));
  assert.deepEqual(opened.entries, entries);
  assert.deepEqual(opened.snapshot, { index: 0, term: 0, confState: undefined });
  assert.equal(opened.repaired, undefined);
});

test("the first save of a cluster comes with the log or not at all", () => {
  const disk = newDisk();
  Wal.create(disk, WAL, METADATA, { first: { hardState: state(1), entries: [entry(1)] } }).close();
  const opened = Wal.open(disk, WAL);
  assert.deepEqual([indexes(opened.entries), opened.hardState], [[1], state(1)]);
  opened.wal.close();
});

test("a save is one write, and an empty one is none", () => {
  const disk = newDisk();
  const wal = Wal.create(disk, WAL, METADATA, { segmentBytes: 1_000_000 });
  wal.save(state(0), [entry(1)]); // the file grows ahead here
  const before = disk.operations;
  wal.save(state(1), [entry(2), entry(3), entry(4)]);
  assert.equal(disk.operations - before, 1);
  assert.equal(wal.save(undefined, []), 0);
  assert.equal(wal.save({ term: 0, vote: 0n, commit: 0 }, []), 0);
  assert.equal(disk.operations - before, 1);
  wal.close();
});

test("an entry overwrites the one of its index and all after it", () => {
  const disk = newDisk();
  const wal = logOf(disk, 5);
  wal.save(undefined, [entry(6), entry(7), entry(8)]);
  wal.save(state(5, 2), [entry(7, 10, 2)]);
  wal.close();
  const { entries } = Wal.open(disk, WAL);
  assert.deepEqual(indexes(entries), [1, 2, 3, 4, 5, 6, 7]);
  assert.equal(entries.at(-1)?.term, 2);
});

test("a full file is cut to its length and a new one begun, named after the next index", () => {
  const disk = newDisk();
  const wal = logOf(disk, 70);
  assert.deepEqual(segments(disk), [
    "0000000000000000-0000000000000000.wal",
    "0000000000000001-000000000000001c.wal",
    "0000000000000002-0000000000000037.wal",
  ]);
  const [first, , last] = segments(disk) as [string, string, string];
  const bytes = disk.contentOf(`${WAL}/${first}`);
  assert.notEqual(bytes.at(-8), 0);
  assert.ok(bytes.length >= 4096 && disk.contentOf(`${WAL}/${last}`).length <= 4096 + 200);
  assert.equal(wal.segmentCount, 3);
  wal.close();
  assert.equal(Wal.open(disk, WAL).entries.length, 70);
});

test("the log begins at the newest snapshot that is committed", () => {
  const disk = newDisk();
  const wal = logOf(disk, 10);
  wal.saveSnapshot({ index: 4, term: 1, confState: VOTERS });
  wal.saveSnapshot({ index: 8, term: 1, confState: VOTERS });
  wal.save(undefined, [entry(11), entry(12)]);
  wal.saveSnapshot({ index: 12, term: 1, confState: VOTERS });
  wal.close();
  const opened = Wal.open(disk, WAL);
  assert.deepEqual(opened.snapshot, { index: 8, term: 1, confState: VOTERS });
  assert.deepEqual(indexes(opened.entries), [9, 10, 11, 12]);
  opened.wal.save(state(12), []);
  opened.wal.close();
  const again = Wal.open(disk, WAL);
  assert.equal(again.snapshot.index, 12);
  assert.deepEqual(again.entries, []);
});

test("a snapshot from the leader replaces what the log had beyond it in an older term", () => {
  const disk = newDisk();
  const wal = logOf(disk, 3);
  wal.save(undefined, [entry(4), entry(5), entry(6)]);
  wal.saveSnapshot({ index: 5, term: 3, confState: VOTERS });
  wal.save(state(5, 3), []);
  wal.close();
  const { snapshot, entries } = Wal.open(disk, WAL);
  assert.equal(snapshot.index, 5);
  assert.deepEqual(entries, []);
});

test("released files go, the first of them to be the next file, zeroed from end to end", async () => {
  const disk = newDisk();
  const wal = logOf(disk, 100);
  assert.equal(segments(disk).length, 4);
  wal.saveSnapshot({ index: 90, term: 1, confState: VOTERS });
  wal.syncNow();
  wal.release(90);
  assert.deepEqual(disk.list(WAL), ["0000000000000003-0000000000000052.wal", "spare.tmp"]);
  assert.notEqual(disk.contentOf(`${WAL}/spare.tmp`)[0], 0);
  while (wal.prepareSpare()) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve)); // its sync
  const spare = disk.contentOf(`${WAL}/spare.tmp`);
  assert.equal(spare.length, 4096);
  assert.ok(spare.every((byte) => byte === 0));
  const created = disk.journal.filter((line) => line.startsWith("create")).length;
  for (let index = 101; index <= 115; index++) wal.save(state(index), [entry(index)]);
  assert.deepEqual(segments(disk), ["0000000000000003-0000000000000052.wal", "0000000000000004-000000000000006d.wal"]);
  assert.equal(disk.journal.filter((line) => line.startsWith("create")).length, created);
  wal.close();
  const opened = Wal.open(disk, WAL, SMALL);
  assert.equal(opened.snapshot.index, 90);
  assert.equal(opened.entries.at(-1)?.index, 115);
  opened.wal.close();
});

test("a released file that is needed before it is zeroed is emptied", () => {
  const disk = newDisk();
  const wal = logOf(disk, 100);
  wal.saveSnapshot({ index: 100, term: 1, confState: VOTERS });
  wal.syncNow();
  wal.release(100);
  for (let index = 101; index <= 140; index++) wal.save(state(index), [entry(index)]);
  wal.close();
  const { entries } = Wal.open(disk, WAL, SMALL);
  assert.deepEqual([entries.length, entries.at(-1)?.index], [40, 140]);
});

test("a spare that cannot be made does no harm to the log", async () => {
  const disk = newDisk();
  const wal = logOf(disk, 20);
  disk.failOperation(2, "ENOSPC");
  assert.equal(wal.prepareSpare(), true);
  assert.equal(wal.prepareSpare(), false);
  assert.ok(wal.spareTrouble instanceof WorldError);
  for (let index = 21; index <= 60; index++) wal.save(state(index), [entry(index)]);
  wal.close();
  assert.equal(Wal.open(disk, WAL, SMALL).entries.length, 60);
});

test("only what a synced snapshot stands for is released", () => {
  const wal = logOf(newDisk(), 60);
  assert.throws(() => wal.release(30), /synced snapshot/);
  wal.saveSnapshot({ index: 40, term: 1, confState: VOTERS });
  assert.throws(() => wal.release(30), /synced snapshot/);
  wal.syncNow();
  assert.throws(() => wal.release(41), /synced snapshot/);
  wal.release(40);
});

test("entries that leave a gap, or a term that goes back, are our own mistake", () => {
  const wal = logOf(newDisk(), 3);
  assert.throws(() => wal.save(undefined, [entry(5)]), /follow/);
  assert.throws(() => wal.save(undefined, [entry(4), entry(6)]), /follow/);
  wal.save(state(3, 4), []);
  assert.throws(() => wal.save(state(3, 3), []), /term/);
});

for (const [what, fail] of [
  ["write", (wal: Wal) => wal.save(state(4), [entry(4)])],
  ["sync", (wal: Wal) => wal.syncNow()],
] as const) {
  test(`after a failed ${what} every call throws and says why`, async () => {
    const disk = newDisk();
    const wal = logOf(disk, 3);
    disk.failOperation(1, "EIO");
    assert.throws(() => fail(wal), WorldError);
    const before = disk.operations;
    for (const call of [
      () => wal.save(state(4), [entry(4)]),
      () => wal.saveSnapshot({ index: 3, term: 1, confState: VOTERS }),
      () => wal.syncNow(),
      () => wal.release(0),
      () => wal.prepareSpare(),
    ])
      assert.throws(call, /after it had failed: .*EIO/);
    await assert.rejects(wal.sync(), /after it had failed/);
    wal.close();
    assert.equal(disk.operations, before);
  });
}

test("a failed sync beside the loop poisons the log too", async () => {
  const disk = newDisk();
  const wal = logOf(disk, 3);
  wal.save(state(4), [entry(4)]);
  disk.failOperation(1, "EIO");
  await assert.rejects(wal.sync(), WorldError);
  assert.throws(() => wal.save(state(5), [entry(5)]), /after it had failed/);
  wal.close();
});

test("a failure at any operation loses nothing that was synced, and nothing is acknowledged after it", () => {
  for (const code of ["EIO", "ENOSPC"] as const) {
    for (let n = 1; ; n++) {
      const disk = newDisk();
      const wal = Wal.create(disk, WAL, METADATA, SMALL);
      disk.failOperation(n, code, { lasting: true });
      let synced = 0;
      try {
        for (let index = 1; index <= 60; index++) {
          wal.save(state(index), [entry(index)]);
          wal.syncNow();
          synced = index;
        }
      } catch (error) {
        assert.ok(error instanceof WorldError);
      }
      disk.crash();
      const { entries } = Wal.open(disk, WAL, SMALL);
      assert.ok(entries.length >= synced, `operation ${n}`);
      assert.deepEqual(indexes(entries), indexes(entries.map((_, at) => entry(at + 1))));
      if (synced === 60) break;
    }
  }
});

test("a file may be full, its next one begun, while a sync beside the loop runs", async () => {
  const later: (() => void)[] = [];
  const disk = new SimDisk({ prng: new Prng(2), later: (action) => void later.push(action) });
  disk.makeFolder("/data");
  const wal = Wal.create(disk, WAL, METADATA, SMALL);
  wal.save(state(1), [entry(1)]);
  const syncing = wal.sync();
  for (let index = 2; index <= 40; index++) wal.save(state(index), [entry(index)]);
  assert.equal(segments(disk).length, 2);
  for (const action of later.splice(0)) action();
  await syncing;
  wal.syncNow();
  wal.close();
  assert.equal(Wal.open(disk, WAL, SMALL).entries.length, 40);
});

test("a log that a killed process left half made is none, and is made anew", () => {
  for (let n = 1; ; n++) {
    const disk = newDisk();
    disk.crashAtOperation(n);
    try {
      Wal.create(disk, WAL, METADATA);
      break;
    } catch (error) {
      assert.ok(error instanceof PowerCut);
    }
    disk.kill();
    if (!Wal.exists(disk, WAL)) Wal.create(disk, WAL, METADATA).close();
    assert.deepEqual(Wal.open(disk, WAL).entries, [], `operation ${n}`);
  }
});
