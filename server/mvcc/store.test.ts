import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../../test/simulation/world/backend.ts";
import { EMPTY_BYTES, fromByteString, utf8Bytes, utf8Text } from "../base/bytes.ts";
import { crc32c } from "../base/crc32c.ts";
import type { EtcdError } from "../base/error.ts";
import { Prng } from "../base/prng.ts";
import type { Backend } from "../ports/backend.ts";
import { BUCKETS } from "../ports/buckets.ts";
import { KeyValue } from "../proto/mvccpb.ts";
import type { Change } from "./event.ts";
import type { HashSteps, KeyspaceHash } from "./hash.ts";
import { isTombstone, mainOf, readRevision } from "./revision.ts";
import { Store } from "./store.ts";
import type { DeletedKey } from "./write-txn.ts";

const ALL = Uint8Array.of(0);
const LATEST = { revision: 0, limit: 0, countOnly: false };

function opened(backend: Backend, valueCacheBytes = 4000): Store {
  const store = new Store(backend, { valueCacheBytes });
  for (const _ of store.restore());
  return store;
}

function put(store: Store, ...pairs: [key: string, value: string][]): number {
  const write = store.beginWrite();
  for (const [key, value] of pairs) write.put(utf8Bytes(key), utf8Bytes(value), 0n);
  return write.end().revision;
}

function remove(store: Store, key: string, rangeEnd = ""): number {
  const write = store.beginWrite();
  write.deleteRange(utf8Bytes(key), utf8Bytes(rangeEnd));
  return write.end().revision;
}

/** "key=value@mod/created/version" of everything at a revision. */
function all(store: Store, revision = 0): string[] {
  return store.range(ALL, ALL, { ...LATEST, revision }).kvs.map(textOf);
}

function textOf(bytes: Uint8Array): string {
  const { key, value, modRevision, createRevision, version, lease } = KeyValue.decode(bytes);
  const held = lease === 0n ? "" : `+${lease}`;
  return `${utf8Text(key)}=${utf8Text(value)}@${modRevision}/${createRevision}/${version}${held}`;
}

function compact(store: Store, revision: number): void {
  const compaction = store.scheduleCompaction(revision);
  while (!compaction.step(3));
}

function run(steps: HashSteps): KeyspaceHash {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as EtcdError).code ?? String(error);
  }
  return "none";
}

test("an empty store is at revision 1 and was never compacted", () => {
  const store = opened(new MemoryBackend());
  assert.equal(store.currentRevision, 1);
  assert.equal(store.compactRevision, -1);
  assert.equal(store.pendingCompaction, undefined);
  assert.deepEqual(store.range(ALL, ALL, LATEST), { kvs: [], count: 0, revision: 1 });
  assert.equal(store.beginWrite().end().revision, 1);
});

test("versions count from 1 in every generation, and the creation revision stays with it", () => {
  const store = opened(new MemoryBackend());
  assert.equal(put(store, ["a", "1"]), 2);
  assert.equal(put(store, ["a", "2"]), 3);
  assert.deepEqual(all(store), ["a=2@3/2/2"]);
  assert.equal(remove(store, "a"), 4);
  assert.equal(remove(store, "a"), 4, "nothing to delete is no change");
  assert.deepEqual(all(store), []);
  assert.equal(put(store, ["a", "3"]), 5);
  assert.deepEqual(all(store), ["a=3@5/5/1"]);
  assert.deepEqual(all(store, 2), ["a=1@2/2/1"]);
  assert.deepEqual(all(store, 3), ["a=2@3/2/2"]);
  assert.deepEqual(all(store, 4), []);
});

test("ranges are a key, up to an end, from a key on, or everything; none when the end is not above", () => {
  const store = opened(new MemoryBackend());
  put(store, ["a", ""], ["ab", ""], ["b", ""], ["\xff", ""]);
  const keys = (key: string, end: Uint8Array) =>
    store.range(utf8Bytes(key), end, LATEST).kvs.map((kv) => utf8Text(KeyValue.decode(kv).key));
  assert.deepEqual(keys("a", EMPTY_BYTES), ["a"]);
  assert.deepEqual(keys("a", utf8Bytes("b")), ["a", "ab"]);
  assert.deepEqual(keys("ab", ALL), ["ab", "b", "\xff"]);
  assert.deepEqual(keys("\0", ALL), ["a", "ab", "b", "\xff"]);
  assert.deepEqual(keys("b", utf8Bytes("a")), []);
  assert.deepEqual(keys("b", utf8Bytes("b")), []);
});

test("count is of all keys in the range, whatever the limit; countOnly reads no value", () => {
  const backend = new MemoryBackend();
  const store = opened(backend, 0);
  for (const key of ["a", "b", "c", "d"]) put(store, [key, key]);
  remove(store, "c");
  assert.deepEqual(store.range(ALL, ALL, { ...LATEST, limit: 2 }).kvs.map(textOf), ["a=a@2/2/1", "b=b@3/3/1"]);
  assert.equal(store.range(ALL, ALL, { ...LATEST, limit: 2 }).count, 3);
  assert.equal(store.range(ALL, ALL, { ...LATEST, revision: 5 }).count, 4);
  backend.get = () => assert.fail("no value is read");
  assert.deepEqual(store.range(ALL, ALL, { ...LATEST, countOnly: true }), { kvs: [], count: 3, revision: 6 });
  const { kvs } = store.range(ALL, ALL, { ...LATEST, keysOnly: true, revision: 5 });
  assert.deepEqual(kvs.map(textOf), ["a=@2/2/1", "b=@3/3/1", "c=@4/4/1", "d=@5/5/1"]);
});

test("a range read page by page counts what is left right, whatever is written between the pages", () => {
  const store = opened(new MemoryBackend());
  for (let at = 0; at < 100; at++) put(store, [`k${String(at).padStart(3, "0")}`, ""]);
  const revision = store.currentRevision;
  for (const extra of [0, 1]) {
    let from = "k";
    for (let read = 0; read < 100; read += 7) {
      const { kvs, count } = store.range(utf8Bytes(from), utf8Bytes("l"), { ...LATEST, revision, limit: 7 + extra });
      assert.equal(count, 100 - read);
      assert.equal(kvs.length, Math.min(7 + extra, 100 - read));
      from = `${utf8Text(KeyValue.decode(kvs[Math.min(6, kvs.length - 1)] as Uint8Array).key)}\0`;
      put(store, [`k${String(read).padStart(3, "0")}x`, ""]);
      remove(store, `k${String(99 - read).padStart(3, "0")}`);
    }
  }
});

test("what is left after a page is another number at another revision, and in a transaction that still writes", () => {
  const store = opened(new MemoryBackend());
  put(store, ["a", ""], ["b", ""], ["c", ""]);
  put(store, ["d", ""]);
  const page = (view: { range: Store["range"] }, from: string, revision: number) =>
    view.range(utf8Bytes(from), ALL, { ...LATEST, revision, limit: 1 }).count;
  assert.deepEqual([page(store, "a", 2), page(store, "a\0", 2), page(store, "a\0", 3)], [3, 2, 3]);
  const write = store.beginWrite();
  write.put(utf8Bytes("e"), EMPTY_BYTES, 0n);
  assert.deepEqual([page(write, "a", 4), page(write, "a\0", 4)], [5, 4]);
  write.put(utf8Bytes("f"), EMPTY_BYTES, 0n);
  assert.equal(page(write, "a\0", 4), 5);
  write.end();
  assert.equal(page(store, "a\0", 4), 5);
});

test("reads above the store are refused as future, below the compaction as compacted, at it they are answered", () => {
  const store = opened(new MemoryBackend());
  for (const value of ["1", "2", "3"]) put(store, ["a", value]);
  store.scheduleCompaction(3);
  const at = (revision: number) => refusal(() => store.range(ALL, ALL, { ...LATEST, revision }));
  assert.deepEqual([2, 3, 4, 5, 0, -1].map(at), ["Compacted", "none", "none", "FutureRevision", "none", "none"]);
  assert.equal(
    refusal(() => store.events(2, 4, 10)),
    "Compacted",
  );
});

test("a compaction is refused at or below the last one and above the store; 0 is taken once", () => {
  const store = opened(new MemoryBackend());
  put(store, ["a", "1"]);
  put(store, ["a", "2"]);
  assert.equal(
    refusal(() => store.scheduleCompaction(4)),
    "FutureRevision",
  );
  assert.equal(
    refusal(() => store.scheduleCompaction(-1)),
    "Compacted",
  );
  compact(store, 0);
  assert.equal(store.compactRevision, 0);
  assert.equal(
    refusal(() => store.scheduleCompaction(0)),
    "Compacted",
  );
  compact(store, 3);
  assert.equal(
    refusal(() => store.scheduleCompaction(3)),
    "Compacted",
  );
});

test("a compaction to revision 0 is remembered by a store that is restored before its end", () => {
  const backend = new MemoryBackend();
  const store = opened(backend);
  put(store, ["a", "1"]);
  store.scheduleCompaction(0);
  const again = opened(backend);
  assert.equal(again.compactRevision, 0);
  assert.equal(
    refusal(() => again.scheduleCompaction(0)),
    "Compacted",
  );
  while (again.pendingCompaction?.step(10) === false);
  assert.equal(again.pendingCompaction, undefined);
  assert.deepEqual(all(again), ["a=1@2/2/1"]);
});

test("a transaction sees its own writes; others do not exist; its sub-revisions follow its operations", () => {
  const store = opened(new MemoryBackend());
  put(store, ["a", "old"], ["b", "old"]);
  const write = store.beginWrite();
  assert.equal(write.revision, 3);
  assert.equal(write.currentRevision, 2);
  write.put(utf8Bytes("b"), utf8Bytes("new"), 7n);
  assert.equal(write.currentRevision, 3);
  assert.equal(write.range(utf8Bytes("b"), EMPTY_BYTES, LATEST).revision, 3);
  assert.deepEqual(write.range(ALL, ALL, LATEST).kvs.map(textOf), ["a=old@2/2/1", "b=new@3/2/2+7"]);
  const { deleted } = write.deleteRange(ALL, ALL, true);
  assert.deepEqual(
    deleted.map(({ key, kv }) => `${key}: ${textOf(kv)}`),
    ["a: a=old@2/2/1", "b: b=new@3/2/2+7"],
  );
  write.put(utf8Bytes("b"), utf8Bytes("again"), 0n);
  assert.deepEqual(write.range(ALL, ALL, LATEST).kvs.map(textOf), ["b=again@3/3/1"]);
  assert.deepEqual(write.range(ALL, ALL, { ...LATEST, revision: 2 }).count, 2);
  const { revision, changes } = write.end();
  assert.equal(revision, 3);
  assert.deepEqual(changes.map(changeText), [
    "put b 3.0 b=new@3/2/2+7 ",
    "delete a 3.1 a=@3/0/0 ",
    "delete b 3.2 b=@3/0/0 ",
    "put b 3.3 b=again@3/3/1 created",
  ]);
  assert.deepEqual(store.events(3, 3, 1).map(changeText), changes.map(changeText));
});

function changeText({ type, key, revision, kv, created }: Change): string {
  return `${type} ${key} ${revision.main}.${revision.sub} ${textOf(kv)} ${created ? "created" : ""}`;
}

test("a tombstone at the compacted revision stays, an older one goes with its key", () => {
  const backend = new MemoryBackend();
  const store = opened(backend);
  put(store, ["a", "1"]);
  remove(store, "a");
  put(store, ["b", "1"]);
  remove(store, "b");
  compact(store, 5);
  assert.deepEqual(recordsOf(backend), ["5.0t"]);
  assert.equal(opened(backend).currentRevision, 5, "revisions do not go down");
  put(store, ["c", "1"]);
  compact(store, 6);
  assert.deepEqual(recordsOf(backend), ["6.0"]);
});

function recordsOf(backend: Backend): string[] {
  const found: string[] = [];
  backend.scan("key", EMPTY_BYTES, undefined, (key) => {
    const { main, sub } = readRevision(key);
    found.push(`${main}.${sub}${isTombstone(key) ? "t" : ""}`);
    return true;
  });
  return found;
}

test("a store whose keys are all deleted and compacted starts at its compacted revision", () => {
  const backend = new MemoryBackend();
  const store = opened(backend);
  put(store, ["a", "1"]);
  put(store, ["b", "1"]);
  remove(store, "\0", "\0");
  compact(store, 4);
  backend.scan("key", EMPTY_BYTES, undefined, () => true);
  for (const record of ["4.0t", "4.1t"]) assert.ok(recordsOf(backend).includes(record));
  // As etcd before 3.5.16 leaves it:
  const keys: Uint8Array[] = [];
  backend.scan("key", EMPTY_BYTES, undefined, (key) => {
    keys.push(key);
    return true;
  });
  for (const key of keys) backend.delete("key", key);
  const again = opened(backend);
  assert.equal(again.currentRevision, 4);
  assert.equal(put(again, ["a", "2"]), 5);
});

test("a compaction that a crash interrupts goes on at the next start, and its hash is not kept", async () => {
  let backend = new MemoryBackend();
  const store = opened(backend);
  for (let at = 0; at < 20; at++) put(store, [`k${at % 3}`, String(at)]);
  await backend.commit();
  const compaction = store.scheduleCompaction(15);
  for (let steps = 0; steps < 12; steps++) compaction.step(1);
  await backend.commit();
  backend = backend.crash();
  const again = opened(backend);
  assert.equal(again.compactRevision, 15);
  assert.equal(again.currentRevision, 21);
  const pending = again.pendingCompaction;
  assert.equal(pending?.revision, 15);
  while (pending?.step(1) === false);
  assert.equal(again.pendingCompaction, undefined);
  assert.deepEqual(again.compactionHashes(), []);
  assert.deepEqual(recordsOf(backend).slice(0, 3), ["13.0", "14.0", "15.0"]);
  compact(again, 18);
  assert.deepEqual(
    again.compactionHashes().map(({ hashRevision, compactRevision }) => [hashRevision, compactRevision]),
    [[18, 15]],
  );
});

test("compactions scheduled while one is at work finish in their order", () => {
  const store = opened(new MemoryBackend());
  for (let at = 0; at < 30; at++) put(store, ["a", String(at)]);
  const first = store.scheduleCompaction(10);
  const second = store.scheduleCompaction(20);
  while (!second.step(4)) assert.ok(!second.isFinished);
  assert.ok(first.isFinished);
  assert.equal(first.step(1), true);
  assert.deepEqual(
    store.compactionHashes().map(({ hashRevision }) => hashRevision),
    [10],
    "the second began over an unfinished one",
  );
});

test("previous() is the state before the whole revision, and gone when that is compacted", () => {
  const store = opened(new MemoryBackend());
  put(store, ["a", "1"]);
  put(store, ["a", "2"]);
  remove(store, "a");
  const before = (main: number) => {
    const kv = store.previous("a", { main, sub: 0 });
    return kv === undefined ? undefined : textOf(kv);
  };
  assert.deepEqual([2, 3, 4, 5].map(before), [undefined, "a=1@2/2/1", "a=2@3/2/2", undefined]);
  compact(store, 3);
  assert.deepEqual([3, 4].map(before), [undefined, "a=2@3/2/2"]);
});

test("events() gives whole revisions only", () => {
  const store = opened(new MemoryBackend());
  put(store, ["a", "1"], ["b", "1"]);
  put(store, ["a", "2"], ["b", "2"]);
  put(store, ["c", "1"]);
  const revisions = (from: number, to: number, limit: number) =>
    store.events(from, to, limit).map(({ revision }) => `${revision.main}.${revision.sub}`);
  assert.deepEqual(revisions(2, 4, 1), ["2.0", "2.1"]);
  assert.deepEqual(revisions(2, 4, 2), ["2.0", "2.1", "3.0", "3.1"]);
  assert.deepEqual(revisions(3, 4, 9), ["3.0", "3.1", "4.0"]);
  assert.deepEqual(revisions(0, 2, 9), ["2.0", "2.1"]);
  assert.deepEqual(revisions(5, 9, 9), []);
  assert.deepEqual(revisions(4, 3, 9), []);
  assert.deepEqual(revisions(2, 4, 0), []);
});

test("a deleted key's value leaves the memory", () => {
  const store = opened(new MemoryBackend(), 100_000);
  put(store, ["a", "v".repeat(1000)]);
  const before = store.memoryBytes;
  remove(store, "a");
  assert.ok(store.memoryBytes < before - 1000);
});

test("aliveLeases() are those of keys that exist, once after restore", () => {
  const backend = new MemoryBackend();
  const store = opened(backend);
  const write = store.beginWrite();
  for (const [key, lease] of [
    ["a", 1n],
    ["b", 2n],
    ["c", -3n],
    ["d", 0n],
  ] as const) {
    write.put(utf8Bytes(key), EMPTY_BYTES, lease);
  }
  write.end();
  remove(store, "b");
  put(store, ["a", "without"]);
  const again = opened(backend);
  assert.deepEqual([...again.aliveLeases()], [["c", -3n]]);
  assert.deepEqual([...again.aliveLeases()], []);
});

test("a record that is missing or of another revision stops the read, and the start", () => {
  const backend = new MemoryBackend();
  const store = opened(backend, 0);
  put(store, ["a", "1"]);
  put(store, ["b", "1"]);
  const keys: Uint8Array[] = [];
  const values: Uint8Array[] = [];
  backend.scan("key", EMPTY_BYTES, undefined, (key, value) => {
    keys.push(key);
    values.push(value);
    return true;
  });
  backend.delete("key", keys[0] as Uint8Array);
  assert.throws(() => store.range(utf8Bytes("a"), EMPTY_BYTES, LATEST), { name: "CorruptRecord" });
  backend.put("key", keys[0] as Uint8Array, values[1] as Uint8Array);
  assert.throws(() => opened(backend), { name: "CorruptRecord", message: /2\.0 .* of revision 3/ });
  backend.put("key", keys[0] as Uint8Array, Uint8Array.of(0xff, 0xff));
  assert.throws(() => opened(backend), { name: "CorruptRecord", message: /no KeyValue/ });
});

test("hashKv() of etcd's example, with the record it leaves out still on disk or not", () => {
  const store = opened(new MemoryBackend());
  put(store, ["a", "1"]);
  put(store, ["a", "2"]);
  put(store, ["b", "1"]);
  const compaction = store.scheduleCompaction(3);
  put(store, ["a", "3"]);
  const before = run(store.hashKv(5));
  assert.equal(before.hash, 2_948_815_330);
  while (!compaction.step(1)) assert.deepEqual(run(store.hashKv(5)), before);
  assert.deepEqual(run(store.hashKv(0)), before);
  assert.equal(before.compactRevision, 3);
  assert.equal(before.hashRevision, 5);
});

test("hashKv() leaves nothing out when no key is alive at the asked revision, but for a tombstone just compacted", () => {
  const backend = new MemoryBackend();
  const store = opened(backend);
  put(store, ["a", "1"]);
  put(store, ["a", "2"]);
  remove(store, "a");
  store.scheduleCompaction(3);
  const hashOf = (...records: string[]) => {
    let hash = crc32c(utf8Bytes("key"));
    backend.scan("key", EMPTY_BYTES, undefined, (key, value) => {
      const { main } = readRevision(key);
      if (records.includes(`${main}`)) hash = crc32c(value, crc32c(key, hash));
      return true;
    });
    return hash;
  };
  assert.equal(run(store.hashKv(4)).hash, hashOf("2", "3", "4"));
  assert.equal(run(store.hashKv(3)).hash, hashOf("3"), "the record before is superseded where the key is alive");
  store.scheduleCompaction(4);
  assert.equal(run(store.hashKv(4)).hash, hashOf("2", "3"));
});

test("hashKv() refuses what it cannot answer, and starts anew when a compaction overtakes it", () => {
  const store = opened(new MemoryBackend());
  for (let at = 0; at < 10; at++) put(store, [`k${at % 4}`, String(at)]);
  assert.equal(
    refusal(() => store.hashKv(12)),
    "FutureRevision",
  );
  const steps = store.hashKv(8);
  steps.next();
  compact(store, 6);
  assert.equal(run(steps).compactRevision, 6);
  const late = store.hashKv(8);
  late.next();
  compact(store, 9);
  assert.equal(
    refusal(() => run(late)),
    "Compacted",
  );
  assert.equal(
    refusal(() => store.hashKv(8)),
    "Compacted",
  );
  assert.equal(
    refusal(() => run(store.hashKv(6))),
    "none",
    "a compaction's own hash is remembered",
  );
});

test("hashAll() is over buckets in the order of their names, without what the runtime keeps for itself", () => {
  const backend = new MemoryBackend();
  const store = opened(backend);
  backend.put("meta", utf8Bytes("consistent_index"), utf8Bytes("1"));
  backend.put("meta", utf8Bytes("confState"), utf8Bytes("{}"));
  backend.put("lease", utf8Bytes("l"), utf8Bytes("v"));
  const text = "alarmauthauthRolesauthUsersclusterkeyleaselvmembersmembers_removedmetaconfState{}";
  assert.equal(store.hashAll(), crc32c(utf8Bytes(text)));
});

test("hashAllSteps() takes several steps over many records, and comes to the hash of all at once", () => {
  const backend = new MemoryBackend();
  const store = opened(backend);
  for (let number = 0; number < 1300; number++) put(store, [`key ${number}`, "value"]);
  let expected = 0;
  for (const bucket of BUCKETS) {
    expected = crc32c(utf8Bytes(bucket), expected);
    backend.scan(bucket, EMPTY_BYTES, undefined, (key, value) => {
      expected = crc32c(value, crc32c(key, expected));
      return true;
    });
  }
  let pauses = 0;
  const steps = store.hashAllSteps();
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) pauses++;
  assert.deepEqual([step.value, pauses], [expected, 2]);
});

test("between the steps of a deletion reads see the revision before it, with its values and counts", () => {
  const store = opened(new MemoryBackend());
  for (let number = 0; number < 10; number++) put(store, [`key ${number}`, `value ${number}`]);
  const before = all(store);
  const seen = () => {
    const counted = store.range(ALL, ALL, { ...LATEST, countOnly: true });
    return [all(store), counted.count, counted.revision, store.version(utf8Bytes("key 0"))?.version];
  };
  const write = store.beginWrite();
  const deleted: DeletedKey[] = [];
  let pauses = 0;
  for (const _ of write.deleteSteps({ key: ALL, rangeEnd: ALL, wantKvs: true, keys: 3 }, deleted)) {
    pauses++;
    assert.deepEqual(seen(), [before, 10, 11, 1]);
  }
  assert.equal(pauses, 3);
  assert.deepEqual(
    deleted.map(({ kv }) => textOf(kv)),
    before,
  );
  assert.equal(write.end().revision, 12);
  assert.deepEqual(seen(), [[], 0, 12, undefined]);
  assert.deepEqual(all(store, 11), before);
});

// ---- against a model -------------------------------------------------------------------------------------------------

interface Row {
  readonly main: number;
  readonly sub: number;
  readonly key: string;
  /** Undefined: a deletion. */
  readonly value: string | undefined;
  readonly created: number;
  readonly version: number;
}

/** All that ever happened, in a list: every question is answered by looking at all of it. */
class Model {
  rows: Row[] = [];
  current = 1;
  compacted = -1;

  copy(): Model {
    return Object.assign(new Model(), { rows: [...this.rows], current: this.current, compacted: this.compacted });
  }

  newest(key: string, revision: number): Row | undefined {
    return this.rows.findLast((row) => row.key === key && row.main <= revision);
  }

  keys(): string[] {
    return [...new Set(this.rows.map(({ key }) => key))].sort();
  }

  alive(revision: number): Row[] {
    return this.keys()
      .map((key) => this.newest(key, revision))
      .filter((row): row is Row => row?.value !== undefined);
  }

  /** What must be in the bucket when every compaction has finished. */
  kept(): Row[] {
    return this.rows.filter((row) => {
      if (row.main > this.compacted) return true;
      return row === this.newest(row.key, this.compacted) && (row.value !== undefined || row.main === this.compacted);
    });
  }

  records(): string[] {
    return this.kept().map(({ main, sub, value }) => `${main}.${sub}${value === undefined ? "t" : ""}`);
  }
}

function rowText({ key, value, main, created, version }: Row): string {
  return `${key}=${value}@${main}/${created}/${version}`;
}

/** The rule in words of its own: over the records as they lie there, with the model saying which are the newest. */
function naiveHash(backend: Backend, model: Model, revision: number): number {
  const keep = new Set(model.alive(revision).map(({ main, sub }) => `${main}.${sub}`));
  let hash = crc32c(utf8Bytes("key"));
  backend.scan("key", EMPTY_BYTES, undefined, (key, value) => {
    const { main, sub } = readRevision(key);
    if (main > revision) return true;
    if (main <= model.compacted && keep.size > 0 && !keep.has(`${main}.${sub}`)) return true;
    if (main === model.compacted && isTombstone(key)) return true;
    hash = crc32c(value, crc32c(key, hash));
    return true;
  });
  return hash;
}

class Run {
  readonly random: Prng;
  backend = new MemoryBackend();
  store: Store;
  model = new Model();
  durable = new Model();
  hashing: { steps: HashSteps; revision: number } | undefined;
  readonly done = new Map<string, number>();

  constructor(seed: number) {
    this.random = new Prng(seed);
    this.store = this.open();
  }

  open(): Store {
    return opened(this.backend, this.random.pick([0, 3000, 100_000]));
  }

  key(): string {
    return `k${this.random.below(this.random.chance(0.1) ? 60 : 12)}`;
  }

  revision(): number {
    return this.random.below(this.model.current + 3) - 1;
  }

  async step(): Promise<void> {
    const [name, action] = this.random.pick([
      ["write", () => this.write()],
      ["write", () => this.write()],
      ["write", () => this.write()],
      ["range", () => this.range()],
      ["range", () => this.range()],
      ["events", () => this.events()],
      ["previous", () => this.previous()],
      ["compact", () => this.compact()],
      ["slice", () => this.slice()],
      ["slice", () => this.slice()],
      ["hash", () => this.hash()],
      ["hash slice", () => this.hashSlice()],
      ["commit", () => this.commit()],
      ["restart", () => this.restart()],
    ] as [string, () => void | Promise<void>][]);
    this.done.set(name, (this.done.get(name) ?? 0) + 1);
    await action();
  }

  write(): void {
    const write = this.store.beginWrite();
    const { model, random } = this;
    const main = model.current + 1;
    let sub = 0;
    for (let operations = random.below(4); operations >= 0; operations--) {
      if (random.chance(0.7)) {
        const key = this.key();
        const value = String(random.below(1000)).repeat(random.below(20));
        write.put(utf8Bytes(key), utf8Bytes(value), 0n);
        const before = model.newest(key, main);
        const isNew = before?.value === undefined;
        const [created, version] = isNew ? [main, 1] : [before.created, before.version + 1];
        model.rows.push({ main, sub: sub++, key, value, created, version });
      } else {
        const [from, to] = [this.key(), random.chance(0.5) ? this.key() : undefined];
        const victims = model
          .alive(main)
          .filter(({ key }) => (to === undefined ? key === from : key >= from && key < to));
        const { deleted } = write.deleteRange(utf8Bytes(from), to === undefined ? EMPTY_BYTES : utf8Bytes(to), true);
        assert.deepEqual(
          deleted.map(({ kv }) => textOf(kv)),
          victims.map(rowText),
        );
        for (const { key } of victims)
          model.rows.push({ main, sub: sub++, key, value: undefined, created: 0, version: 0 });
      }
    }
    const { revision, changes } = write.end();
    if (sub > 0) model.current = main;
    assert.equal(revision, model.current);
    assert.equal(changes.length, sub);
  }

  range(): void {
    const { model, random } = this;
    const [from, to] = [this.key(), this.key()];
    const revision = this.revision();
    const limit = random.pick([0, 1, 3]);
    const options = { revision, limit, countOnly: random.chance(0.2), keysOnly: random.chance(0.2) };
    const ask = () => this.store.range(utf8Bytes(from), utf8Bytes(to), options);
    const at = revision <= 0 ? model.current : revision;
    if (at > model.current || at < model.compacted) {
      assert.equal(refusal(ask), at > model.current ? "FutureRevision" : "Compacted");
      return;
    }
    const rows = model.alive(at).filter(({ key }) => key >= from && key < to);
    const shown = options.countOnly ? [] : limit > 0 ? rows.slice(0, limit) : rows;
    const result = ask();
    assert.equal(result.count, rows.length);
    assert.equal(result.revision, model.current);
    assert.deepEqual(
      result.kvs.map(textOf),
      shown.map((row) => rowText(options.keysOnly ? { ...row, value: "" } : row)),
    );
    const newest = model.newest(from, model.current);
    const version = this.store.version(fromByteString(from));
    assert.equal(version?.version, newest?.value === undefined ? undefined : newest.version);
    assert.equal(this.store.liveKeys, model.alive(model.current).length);
  }

  events(): void {
    const { model, random } = this;
    const from = Math.max(this.revision(), model.compacted);
    const to = from + random.below(10);
    const limit = 1 + random.below(6);
    const found = this.store.events(from, to, limit);
    const mains = [...new Set(model.rows.map(({ main }) => main))].filter((main) => main >= from && main <= to);
    const expected = model.rows.filter(({ main }) => mains.slice(0, limit).includes(main));
    // A revision that changed a key twice, and was compacted to, may have lost the first change.
    const lasting = (key: string, main: number, sub: number) =>
      main > model.compacted || model.newest(key, main)?.sub === sub;
    assert.deepEqual(
      found.filter(({ key, revision }) => lasting(key, revision.main, revision.sub)).map(changeText),
      expected
        .filter(({ key, main, sub }) => lasting(key, main, sub))
        .map((row) =>
          row.value === undefined
            ? `delete ${row.key} ${row.main}.${row.sub} ${row.key}=@${row.main}/0/0 `
            : `put ${row.key} ${row.main}.${row.sub} ${rowText(row)} ${row.created === row.main ? "created" : ""}`,
        ),
    );
  }

  previous(): void {
    const row = this.model.rows[this.random.below(this.model.rows.length || 1)];
    if (row === undefined) return;
    const found = this.store.previous(row.key, row);
    const before = this.model.newest(row.key, row.main - 1);
    const known = row.main - 1 >= this.model.compacted && before?.value !== undefined;
    assert.equal(found === undefined ? undefined : textOf(found), known ? rowText(before) : undefined);
  }

  compact(): void {
    const revision = this.model.compacted + 1 + this.random.below(12);
    if (revision > this.model.current) {
      assert.equal(
        refusal(() => this.store.scheduleCompaction(revision)),
        "FutureRevision",
      );
      return;
    }
    this.store.scheduleCompaction(revision);
    this.model.compacted = revision;
  }

  slice(): void {
    const pending = this.store.pendingCompaction;
    for (let steps = this.random.below(20); pending !== undefined && steps >= 0; steps--) {
      if (pending.step(1 + this.random.below(10))) break;
    }
    if (this.store.pendingCompaction !== undefined) return;
    assert.deepEqual(recordsOf(this.backend), this.model.records());
    assert.equal(this.store.indexKeys, new Set(this.model.kept().map(({ key }) => key)).size);
  }

  hash(): void {
    const revision = this.revision();
    if (revision < 1 || revision < this.model.compacted || revision > this.model.current) return;
    const found = run(this.store.hashKv(revision));
    if (found.compactRevision !== this.model.compacted) return; // a compaction's, remembered
    assert.equal(found.hash, naiveHash(this.backend, this.model, revision), `at ${revision}`);
  }

  /** A hash taken over many steps of this test is as one taken at its end. */
  hashSlice(): void {
    this.hashing ??= { steps: this.store.hashKv(this.model.current), revision: this.model.current };
    const { steps, revision } = this.hashing;
    if (revision < this.model.compacted) {
      assert.equal(
        refusal(() => run(steps)),
        "Compacted",
      );
      this.hashing = undefined;
      return;
    }
    const step = steps.next();
    if (step.done !== true) return;
    this.hashing = undefined;
    if (step.value.compactRevision !== this.model.compacted) return;
    assert.equal(step.value.hash, naiveHash(this.backend, this.model, revision));
  }

  async commit(): Promise<void> {
    const state = this.model.copy();
    await this.backend.commit();
    this.durable = state;
  }

  /** Either a crash, or a look at the same records with a new store. */
  async restart(): Promise<void> {
    if (this.random.chance(0.5)) {
      this.backend = this.backend.crash();
      this.model = this.durable.copy();
    }
    this.store = this.open();
    this.hashing = undefined;
    assert.equal(this.store.currentRevision, this.model.current);
    assert.equal(
      this.store.compactRevision,
      this.model.compacted === 0 ? this.store.compactRevision : this.model.compacted,
    );
    this.model.compacted = this.store.compactRevision;
    assert.deepEqual(all(this.store), this.model.alive(this.model.current).map(rowText));
  }
}

test("any interleaving of writes, reads, compactions, hashes, commits and crashes agrees with the model", async (t) => {
  const done = new Map<string, number>();
  for (let seed = 1; seed <= 12; seed++) {
    const run = new Run(seed);
    for (let step = 0; step < 500; step++) {
      try {
        await run.step();
      } catch (error) {
        throw new Error(`seed ${seed}, step ${step}: ${(error as Error).message}`, { cause: error });
      }
    }
    for (const [name, count] of run.done) done.set(name, (done.get(name) ?? 0) + count);
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(done)));
  for (const count of done.values()) assert.ok(count > 100);
});

test("a key of many versions is read and compacted as one of few", () => {
  const backend = new MemoryBackend();
  const store = opened(backend);
  for (let at = 2; at <= 9000; at++) put(store, ["a", String(at)]);
  for (const revision of [2, 3, 1024, 1025, 1026, 4100, 8999, 9000]) {
    assert.deepEqual(all(store, revision), [`a=${revision}@${revision}/2/${revision - 1}`]);
  }
  const compaction = store.scheduleCompaction(7000);
  for (let steps = 0; !compaction.step(700); steps++) assert.ok(steps < 40);
  assert.equal(compaction.dropped, 6998);
  for (const revision of [7000, 7001, 9000]) assert.deepEqual(all(store, revision)[0]?.split("@")[0], `a=${revision}`);
  assert.equal(mainOf(firstKey(backend)), 7000);
});

function firstKey(backend: Backend): Uint8Array {
  let first = EMPTY_BYTES;
  backend.scan("key", EMPTY_BYTES, undefined, (key) => {
    first = key;
    return false;
  });
  return first;
}
