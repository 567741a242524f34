import assert from "node:assert/strict";
import { test } from "node:test";
import { SimDisk } from "../../test/simulation/world/disk.ts";
import { ETCD_36, ETCD_37, ETCD_37_SEGMENTS, type EtcdLog } from "../../test/support/etcd-logs.ts";
import { callsFor, filesOf, recordsOf } from "../../test/support/log-records.ts";
import { Prng } from "../base/prng.ts";
import { type Entry, EntryType } from "../proto/raftpb.ts";
import { RecordType } from "../proto/walpb.ts";
import { Batch } from "./batch.ts";
import { readEntry } from "./payload.ts";
import { Wal } from "./wal.ts";

const WAL = "/data/member/wal";

function diskWith(log: EtcdLog): SimDisk {
  const disk = new SimDisk({ prng: new Prng(1) });
  for (const { name, bytes } of filesOf(log)) disk.place(`${WAL}/${name}`, bytes);
  return disk;
}

for (const [name, log] of Object.entries({ ETCD_36, ETCD_37, ETCD_37_SEGMENTS })) {
  test(`a log of etcd is read as etcd reads it: ${name}`, () => {
    const disk = diskWith(log);
    const { wal, metadata, hardState, snapshot, entries, repaired } = Wal.open(disk, WAL);
    assert.equal(repaired, undefined);
    assert.equal(Buffer.from(metadata).toString("hex"), log.metadata);
    assert.deepEqual({ ...hardState }, log.hardState);
    const { index, term, confState } = snapshot;
    assert.deepEqual({ index, term, voters: confState?.voters ?? [] }, log.snapshot);
    assert.deepEqual(
      entries.map(({ data, ...rest }) => ({ ...rest, data: Buffer.from(data).toString("base64") })),
      log.entries,
    );
    wal.close();
  });

  test(`a log of etcd is gone on with: ${name}`, () => {
    const disk = diskWith(log);
    const { wal, entries, hardState } = Wal.open(disk, WAL);
    const last = entries.at(-1) as Entry;
    const next = { type: EntryType.NORMAL, term: hardState.term, index: last.index + 1, data: Uint8Array.of(1, 2, 3) };
    wal.save(hardState, [next]);
    wal.syncNow();
    wal.close();
    const again = Wal.open(disk, WAL);
    assert.deepEqual(
      again.entries.map(({ index }) => index),
      [...entries.map(({ index }) => index), next.index],
    );
    again.wal.close();
  });
}

for (const [name, log, segmentBytes] of [
  ["ETCD_37", ETCD_37, 64_000_000],
  ["ETCD_37_SEGMENTS", ETCD_37_SEGMENTS, 600],
] as const) {
  test(`the same calls make the same bytes as etcd 3.7: ${name}`, () => {
    const files = recordsOf(diskWith(log), WAL);
    const disk = new SimDisk({ prng: new Prng(2) });
    disk.makeFolder("/data/member");
    const wal = Wal.create(disk, WAL, Buffer.from(log.metadata, "hex"), { segmentBytes });
    for (const step of callsFor(files)) {
      if (step.call === "save") wal.save(step.hardState, step.entries);
      else wal.saveSnapshot(step.snapshot);
      wal.syncNow();
    }
    wal.close();
    assert.deepEqual(
      disk.list(WAL).filter((file) => file.endsWith(".wal")),
      log.files.map((file) => file.name),
    );
    for (const { name: file, bytes } of filesOf(log)) {
      const ours = disk.contentOf(`${WAL}/${file}`);
      assert.deepEqual(Buffer.from(ours.subarray(0, bytes.length)), Buffer.from(bytes), file);
      assert.ok(
        ours.subarray(bytes.length).every((byte) => byte === 0),
        "zeros follow",
      );
    }
  });
}

test("records of etcd 3.6 are written the same, but for the zero type of normal entries", () => {
  const [records = []] = recordsOf(diskWith(ETCD_36), WAL);
  const entries = records.filter(({ type }) => type === RecordType.ENTRY).map(({ data }) => data as Uint8Array);
  const batch = new Batch();
  batch.begin(0);
  batch.addCrc();
  batch.addMetadata(Uint8Array.of(1));
  for (const data of entries) batch.addEntry(readEntry(data) as Entry);
  const disk = new SimDisk({ prng: new Prng(3) });
  disk.place("/wal/0000000000000000-0000000000000000.wal", batch.bytes());
  const ours = recordsOf(disk, "/wal")[0]?.slice(2) ?? [];
  assert.equal(ours.length, 12);
  ours.forEach(({ data }, at) => {
    const theirs = entries[at] as Uint8Array;
    const typed = theirs[0] === 0x08 && theirs[1] === 0;
    assert.deepEqual(Buffer.from(data as Uint8Array), Buffer.from(theirs.subarray(typed ? 2 : 0)));
  });
});
