/** Compaction and the hash of what is kept (etcd-contract sections 6.6 and 9). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { kvsOf, refusal, revisionOf, type Store } from "./store.ts";
import { suite } from "./target.ts";

const COMPACTED = "OutOfRange etcdserver: mvcc: required revision has been compacted";
const FUTURE = "OutOfRange etcdserver: mvcc: required revision is a future revision";

export const compactSuite = suite("Compact", [], (store) => {
  test("a revision is compacted once, and none of the future", async () => {
    const [, second, third] = await writes(store, "once", 3);
    assert.equal(revisionOf(await store.compact(second)), third);
    assert.equal(await refusal(store.compact(second)), COMPACTED);
    assert.equal(await refusal(store.compact(second - 1)), COMPACTED);
    assert.equal(await refusal(store.compact(third + 1)), FUTURE);
    assert.equal(await refusal(store.compact(Number.MAX_SAFE_INTEGER)), FUTURE);
  });

  test("below it nothing is read, at it and above it everything", async () => {
    const [first, second, third] = await writes(store, "read", 3);
    await store.compact(second);
    assert.equal(await refusal(store.range("read", { revision: first })), COMPACTED);
    assert.equal(await refusal(store.range("read", { revision: 1, serializable: true })), COMPACTED);
    assert.equal((await store.get("read", { revision: second }))?.value, "1");
    assert.equal((await store.get("read", { revision: third }))?.value, "2");
  });

  test("versions and the creation survive, deleted keys do not come back", async () => {
    const [first] = await writes(store, "kept", 5);
    await writes(store, "gone", 2);
    await store.delete("gone");
    const now = await store.revision();
    await store.compact(now, { physical: true });
    const kept = await store.get("kept");
    assert.deepEqual([kept?.version, kept?.createRevision, kept?.value], [5, first, "4"]);
    assert.equal(await store.get("gone"), undefined);
    assert.equal(await store.get("gone", { revision: now }), undefined);
    const again = await store.write("gone");
    assert.equal((await store.get("gone"))?.createRevision, again);
  });

  test("the newest revision can be compacted, and the store goes on from it", async () => {
    const now = await store.write("newest", "v");
    await store.compact(now, { physical: true });
    assert.equal((await store.get("newest", { revision: now }))?.value, "v");
    assert.equal(await store.write("newest", "w"), now + 1);
  });

  test("the hash is of one revision: it stays while the store goes on, and moves with what it covers", async () => {
    const now = await store.write("hash", "1");
    const hash = await store.hashKv();
    assert.deepEqual([hash.hashRevision, revisionOf(hash)], [now, now]);
    const after = await store.write("hash", "2");
    const old = await store.hashKv(now);
    assert.deepEqual([old.hash, old.hashRevision, revisionOf(old)], [hash.hash, now, after]);
    assert.notEqual((await store.hashKv()).hash, hash.hash);
    assert.equal((await store.hashKv(after)).hash, (await store.hashKv()).hash);
  });

  test("the hash names the compaction it was taken after; there is none below that and none of the future", async () => {
    const now = await store.write("hash", "3");
    await store.compact(now - 1, { physical: true });
    const hash = await store.hashKv();
    assert.deepEqual([hash.compactRevision, hash.hashRevision], [now - 1, now]);
    assert.equal((await store.hashKv(now - 1)).hashRevision, now - 1);
    assert.equal(await refusal(store.hashKv(now - 2)), COMPACTED);
    assert.equal(await refusal(store.hashKv(now + 1)), FUTURE);
  });

  test("a thousand revisions are compacted while reads and writes go on", async () => {
    const keys = Array.from({ length: 40 }, (_, at) => `busy/${at}`);
    for (let round = 0; round < 25; round++) await Promise.all(keys.map((key) => store.write(key, String(round))));
    const now = await store.revision();
    const compaction = store.compact(now, { physical: true });
    await Promise.all(keys.map((key) => store.write(key, "after")));
    await compaction;
    const values = kvsOf(await store.range("busy/", { rangeEnd: "busy0" })).map(({ value }) => value);
    assert.deepEqual(
      values,
      keys.map(() => "after"),
    );
    const old = kvsOf(await store.range("busy/", { rangeEnd: "busy0", revision: now }));
    assert.deepEqual([old.length, old[0]?.value, old[0]?.version], [40, "24", 25]);
  });
});

export const firstCompactionSuite = suite("The first compaction", [], (store) => {
  test("before the first compaction none is told of, and revision 0 may be compacted", async () => {
    assert.equal((await store.hashKv()).compactRevision, -1);
    assert.equal(revisionOf(await store.compact(0)), 1);
    assert.equal(await refusal(store.compact(0)), COMPACTED);
    assert.equal(await refusal(store.compact(-1)), COMPACTED);
  });
});

/** Writes a key so often, with values that count up, and answers the revisions. */
async function writes(store: Store, key: string, count: number): Promise<[number, number, number]> {
  const revisions: number[] = [];
  for (let at = 0; at < count; at++) revisions.push(await store.write(key, String(at)));
  return revisions as [number, number, number];
}
