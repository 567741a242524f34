/** KV without transactions: Range, RangeStream, Put, DeleteRange (etcd-contract sections 5 and 6). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes } from "../../server/base/bytes.ts";
import { RangeRequest, SortOrder, SortTarget } from "../../server/proto/etcdserverpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { type Fields, keysOf, kvOf, kvsOf, made, refusal, revisionOf, type Store, statusText } from "./store.ts";
import { aloneTest, suite } from "./target.ts";

/** "From the key on", and with key and end so: everything. */
const TO_THE_END = "\0";
const { NONE, ASCEND, DESCEND } = SortOrder;

export const kvSuite = suite("KV", [], (store) => {
  test("an empty store has revision 1, and the first write makes it 2", async () => {
    const empty = await store.range(TO_THE_END, { rangeEnd: TO_THE_END });
    assert.deepEqual([revisionOf(empty), empty.count, empty.more, empty.kvs.length], [1, 0, false, 0]);
    assert.equal(revisionOf(await store.delete("nothing there")), 1);
    assert.equal(revisionOf(await store.put("first", "x")), 2);
  });

  aloneTest("headers name cluster, member and term", async () => {
    const answers = [await store.range("k"), await store.put("k"), await store.delete("k"), await store.txn({})];
    const { header: expected, leader } = await store.status();
    assert.ok(expected !== undefined && expected.clusterId !== 0n && expected.memberId === leader);
    for (const { header } of answers) assert.deepEqual({ ...header, revision: 0 }, { ...expected, revision: 0 });
  });

  test("a put counts versions, keeps the creation, and starts again after a delete", async () => {
    const first = await store.write("p/v", "1");
    const second = await store.write("p/v", "2");
    assert.equal(second, first + 1);
    const kv = await store.get("p/v");
    assert.deepEqual(kv, { key: "p/v", value: "2", createRevision: first, modRevision: second, version: 2, lease: 0n });
    await store.delete("p/v");
    const again = await store.write("p/v", "3");
    const { createRevision, version } = (await store.get("p/v")) ?? {};
    assert.deepEqual([createRevision, version], [again, 1]);
  });

  test("a put tells what was before when asked, and nothing when there was nothing", async () => {
    assert.equal((await store.put("p/prev", "1", { prevKv: true })).prevKv, undefined);
    const before = await store.get("p/prev");
    assert.deepEqual(kvOf((await store.put("p/prev", "2", { prevKv: true })).prevKv), before);
    assert.equal((await store.put("p/prev", "3")).prevKv, undefined);
  });

  test("ignore_value keeps the value, ignore_lease keeps the lease", async () => {
    const lease = await store.lease();
    await store.put("p/ignore", "kept", { lease });
    await store.put("p/ignore", "", { ignoreValue: true, ignoreLease: true });
    const both = await store.get("p/ignore");
    assert.deepEqual([both?.value, both?.lease, both?.version], ["kept", lease, 2]);
    await store.put("p/ignore", "new", { ignoreLease: true });
    assert.equal((await store.get("p/ignore"))?.lease, lease);
    await store.put("p/ignore", "", { ignoreValue: true });
    const detached = await store.get("p/ignore");
    assert.deepEqual([detached?.value, detached?.lease], ["new", 0n]);
  });

  test("a put that contradicts itself, or keeps what is not there, is refused", async () => {
    const refused = (fields: Parameters<Store["put"]>[2], value = "") => refusal(store.put("p/none", value, fields));
    assert.equal(await refused({ ignoreValue: true }, "v"), "InvalidArgument etcdserver: value is provided");
    assert.equal(await refused({ ignoreLease: true, lease: 1n }), "InvalidArgument etcdserver: lease is provided");
    assert.equal(await refused({ ignoreValue: true }), "InvalidArgument etcdserver: key not found");
    assert.equal(await refused({ ignoreLease: true }), "InvalidArgument etcdserver: key not found");
    assert.equal(await refused({ lease: 404n }), "NotFound etcdserver: requested lease not found");
    assert.equal(await store.get("p/none"), undefined);
  });

  test("no key is no key for any call", async () => {
    const text = "InvalidArgument etcdserver: key is not provided";
    assert.equal(await refusal(store.range("")), text);
    assert.equal(await refusal(store.range("", { rangeEnd: TO_THE_END })), text);
    assert.equal(await refusal(store.put("", "v")), text);
    assert.equal(await refusal(store.delete("")), text);
    const stream = store.client.serverStream(SERVICES.kv.methods.rangeStream);
    assert.deepEqual(await stream.all(), []);
    assert.equal(statusText(await stream.status), text);
  });

  test("keys and values are bytes", async () => {
    const keys = [[0], [0, 0], [0, 0xff], [0x80], [0xc3, 0x28], [0xff], [0xff, 0], [0xff, 0xff]].map((bytes) =>
      Uint8Array.from(bytes),
    );
    for (const key of keys) await store.put(key, key);
    for (const key of keys) {
      const { kvs } = await store.range(key);
      assert.equal(kvs.length, 1);
      assert.ok(Buffer.from(kvs[0] as Uint8Array).includes(Buffer.from(key)));
    }
    const high = await store.range(Uint8Array.of(0xff), { rangeEnd: TO_THE_END });
    assert.equal(high.count, 3);
    assert.equal((await store.range(Uint8Array.of(0), { rangeEnd: Uint8Array.of(1) })).count, 3);
    for (const key of keys) assert.equal((await store.delete(key)).deleted, 1);
  });

  test("key and range_end: one, half-open, prefix, to the end, all, none", async () => {
    for (const key of ["r/a", "r/b", "r/b/1", "r/c"]) await store.put(key);
    const keys = async (key: string, rangeEnd: string) => keysOf(await store.range(key, { rangeEnd }));
    assert.deepEqual(await keys("r/b", ""), ["r/b"]);
    assert.deepEqual(await keys("r/a", "r/c"), ["r/a", "r/b", "r/b/1"]);
    assert.deepEqual(await keys("r/", "r0"), ["r/a", "r/b", "r/b/1", "r/c"]);
    assert.deepEqual((await keys("r/b", TO_THE_END)).slice(0, 3), ["r/b", "r/b/1", "r/c"]);
    const all = await store.range(TO_THE_END, { rangeEnd: TO_THE_END, countOnly: true });
    assert.ok(all.count > 4);
    assert.deepEqual(await keys("r/b", "r/b"), []);
    assert.deepEqual(await keys("r/c", "r/a"), []);
  });

  test("the header's revision is the store's, whatever revision was asked for", async () => {
    const first = await store.write("rev/k", "old");
    const last = await store.write("rev/k", "new");
    const old = await store.range("rev/k", { revision: first });
    assert.deepEqual([revisionOf(old), kvsOf(old)[0]?.value], [last, "old"]);
    assert.equal((await store.range("rev/k", { revision: first - 1 })).count, 0);
  });

  test("a revision of zero or below is the present one, one of the future is refused", async () => {
    const now = await store.write("rev/now", "v");
    for (const revision of [0, -1, -(2 ** 40)]) assert.equal((await store.get("rev/now", { revision }))?.value, "v");
    assert.equal((await store.get("rev/now", { revision: now }))?.value, "v");
    const text = "OutOfRange etcdserver: mvcc: required revision is a future revision";
    assert.equal(await refusal(store.range("rev/now", { revision: now + 1 })), text);
    assert.equal(await refusal(store.range("rev/now", { revision: Number.MAX_SAFE_INTEGER })), text);
  });

  test("count tells of all keys, whatever the limit and the filters; more tells of those left out", async () => {
    const revisions: number[] = [];
    for (const key of ["l/1", "l/2", "l/3"]) revisions.push(await store.write(key, "v"));
    const list = async (fields: Fields<RangeRequest>) => {
      const { kvs, count, more } = await store.range("l/", { rangeEnd: "l0", ...fields });
      return [kvs.length, count, more];
    };
    assert.deepEqual(await list({}), [3, 3, false]);
    assert.deepEqual(await list({ limit: 2 }), [2, 3, true]);
    assert.deepEqual(await list({ limit: 3 }), [3, 3, false]);
    assert.deepEqual(await list({ limit: 4 }), [3, 3, false]);
    assert.deepEqual(await list({ limit: -1 }), [3, 3, false]);
    assert.deepEqual(await list({ limit: Number.MAX_SAFE_INTEGER }), [3, 3, false]);
    const [, second = 0] = revisions;
    assert.deepEqual(await list({ minModRevision: second }), [2, 3, false]);
    assert.deepEqual(await list({ minModRevision: second, limit: 1 }), [1, 3, true]);
    assert.deepEqual(await list({ countOnly: true }), [0, 3, false]);
    assert.deepEqual(await list({ countOnly: true, limit: 1 }), [0, 3, false]);
    assert.deepEqual(await list({ countOnly: true, revision: second }), [0, 2, false]);
    assert.deepEqual(await list({ countOnly: true, keysOnly: true }), [0, 3, false]);
  });

  test("keys_only leaves out values and leases", async () => {
    const lease = await store.lease();
    const revision = await store.put("keys/1", "value", { lease }).then(revisionOf);
    const bare = { key: "keys/1", value: "", createRevision: revision, modRevision: revision, version: 1, lease: 0n };
    assert.deepEqual(await store.get("keys/1", { keysOnly: true }), bare);
    assert.deepEqual(await store.get("keys/1", { keysOnly: true, revision }), bare);
    const byValue = { keysOnly: true, sortTarget: SortTarget.VALUE, sortOrder: ASCEND };
    assert.deepEqual(await store.get("keys/1", byValue), { ...bare, lease }, "to sort by value the record is read");
  });

  test("ranges are sorted by what is asked, then cut", async () => {
    await store.put("s/a", "2");
    await store.put("s/b", "3");
    await store.put("s/c", "1");
    await store.put("s/a", "5");
    await store.put("s/a", "2");
    await store.put("s/b", "3");
    // By version c b a, created a b c, modified c a b, valued c a b.
    const sorted = async (sortTarget: number, sortOrder: number, limit = 0) => {
      const answer = await store.range("s/", { rangeEnd: "s0", sortTarget, sortOrder, limit });
      assert.equal(answer.count, 3);
      assert.equal(answer.more, limit !== 0);
      return keysOf(answer)
        .map((key) => key.slice(2))
        .join("");
    };
    const { KEY, VERSION, CREATE, MOD, VALUE } = SortTarget;
    assert.equal(await sorted(KEY, NONE), "abc");
    assert.equal(await sorted(KEY, ASCEND), "abc");
    assert.equal(await sorted(KEY, DESCEND), "cba");
    assert.equal(await sorted(KEY, DESCEND, 2), "cb");
    assert.equal(await sorted(VERSION, ASCEND), "cba");
    assert.equal(await sorted(VERSION, DESCEND, 1), "a");
    assert.equal(await sorted(CREATE, ASCEND), "abc");
    assert.equal(await sorted(CREATE, DESCEND, 2), "cb");
    assert.equal(await sorted(MOD, ASCEND), "cab");
    assert.equal(await sorted(MOD, DESCEND, 2), "ba");
    assert.equal(await sorted(VALUE, ASCEND), "cab");
    assert.equal(await sorted(VALUE, DESCEND), "bac");
  });

  test("a target without an order sorts what the limit lets it see, which is one more than it answers", async () => {
    for (const [at, key] of ["t/a", "t/b", "t/c", "t/d"].entries()) await store.put(key, String(9 - at));
    const fields = { rangeEnd: "t0", sortTarget: SortTarget.VALUE };
    const cut = await store.range("t/", { ...fields, limit: 2 });
    assert.deepEqual([keysOf(cut), cut.more, cut.count], [["t/c", "t/b"], true, 4]);
    assert.deepEqual(keysOf(await store.range("t/", fields)), ["t/d", "t/c", "t/b", "t/a"]);
    assert.deepEqual(keysOf(await store.range("t/", { ...fields, sortOrder: ASCEND, limit: 2 })), ["t/d", "t/c"]);
  });

  test("an order or a target that does not exist is refused", async () => {
    const text = "InvalidArgument etcdserver: invalid sort option";
    for (const sortOrder of [3, -1, 99]) assert.equal(await refusal(store.range("s/a", { sortOrder })), text);
    for (const sortTarget of [5, -1, 99]) assert.equal(await refusal(store.range("s/a", { sortTarget })), text);
  });

  test("revision filters include their bounds and are applied before the cut", async () => {
    const r1 = await store.write("f/a", "1");
    const r2 = await store.write("f/b", "1");
    const r3 = await store.write("f/a", "2");
    const filtered = async (fields: Fields<RangeRequest>) =>
      keysOf(await store.range("f/", { rangeEnd: "f0", ...fields })).map((key) => key.slice(2));
    assert.deepEqual(await filtered({ minModRevision: r3 }), ["a"]);
    assert.deepEqual(await filtered({ maxModRevision: r2 }), ["b"]);
    assert.deepEqual(await filtered({ minCreateRevision: r2 }), ["b"]);
    assert.deepEqual(await filtered({ maxCreateRevision: r1 }), ["a"]);
    assert.deepEqual(await filtered({ minModRevision: r2, maxModRevision: r2 }), ["b"]);
    assert.deepEqual(await filtered({ minModRevision: r3 + 1 }), []);
    assert.deepEqual(await filtered({ maxModRevision: r2, limit: 1 }), ["b"]);
  });

  test("a serializable range answers too", async () => {
    await store.put("serializable", "v");
    assert.equal((await store.get("serializable", { serializable: true }))?.value, "v");
  });

  test("a range stream brings the unary answer in pieces, its end alone with header, count and more", async () => {
    const value = "v".repeat(8000);
    await Promise.all(
      Array.from({ length: 400 }, (_, at) => store.put(`stream/${String(at).padStart(3, "0")}`, value)),
    );
    const fields = { rangeEnd: "stream0" };
    const whole = await store.range("stream/", fields);
    const chunks = await streamed(store, { key: "stream/", ...fields });
    assert.ok(chunks.length > 1, `${chunks.length} pieces`);
    const last = chunks.at(-1);
    for (const chunk of chunks.slice(0, -1)) assert.deepEqual({ ...chunk, kvs: [] }, unfinished);
    const merged = concatBytes(chunks.flatMap(({ kvs }) => kvs));
    assert.equal(Buffer.compare(merged, concatBytes(whole.kvs)), 0);
    assert.deepEqual({ ...last, kvs: [] }, { ...whole, kvs: [] });
    const limited = await streamed(store, { key: "stream/", ...fields, limit: 350 });
    assert.deepEqual(
      [limited.flatMap(({ kvs }) => kvs).length, limited.at(-1)?.more, limited.at(-1)?.count],
      [350, true, 400],
    );
  });

  test("a range stream of one key, of none, of keys and of a count is one piece", async () => {
    const revision = await store.write("stream/one", "v");
    const one = await streamed(store, { key: "stream/one" });
    assert.deepEqual([one.length, keysOf(one[0] ?? { kvs: [] }), one[0]?.count], [1, ["stream/one"], 1]);
    const none = await streamed(store, { key: "stream/none" });
    assert.deepEqual([none.length, none[0]?.count, none[0]?.header?.revision], [1, 0, revision]);
    const keys = await streamed(store, { key: "stream/one", keysOnly: true, serializable: true });
    assert.deepEqual(
      kvsOf(keys[0] ?? { kvs: [] }).map(({ value }) => value),
      [""],
    );
    const count = await streamed(store, { key: "stream/", rangeEnd: "stream0", countOnly: true });
    assert.deepEqual([count.length, count[0]?.count, count[0]?.kvs.length], [1, 401, 0]);
    const ascending = await streamed(store, { key: "stream/one", sortOrder: ASCEND });
    assert.equal(ascending.length, 1);
  });

  test("a range stream refuses what would need the whole range first", async () => {
    const refused = async (fields: Fields<RangeRequest>) => {
      const stream = store.client.serverStream(
        SERVICES.kv.methods.rangeStream,
        made(RangeRequest, { key: "k", ...fields }),
      );
      assert.deepEqual(await stream.all(), []);
      return statusText(await stream.status);
    };
    const order = "Unimplemented RangeStream does not support custom sort orders";
    const filters = "Unimplemented RangeStream does not support revision filters";
    assert.equal(await refused({ sortOrder: DESCEND }), order);
    assert.equal(await refused({ sortOrder: ASCEND, sortTarget: SortTarget.MOD }), order);
    assert.equal(await refused({ minModRevision: 1 }), filters);
    assert.equal(await refused({ maxCreateRevision: 1 }), filters);
    const future = "OutOfRange etcdserver: mvcc: required revision is a future revision";
    assert.equal(await refused({ revision: Number.MAX_SAFE_INTEGER }), future);
    assert.equal(await refused({ sortOrder: 7 }), "InvalidArgument etcdserver: invalid sort option");
  });

  test("a delete counts, tells what it removed when asked, and is one revision", async () => {
    for (const key of ["d/a", "d/b", "d/c"]) await store.put(key, key);
    const before = kvsOf(await store.range("d/", { rangeEnd: "d0" }));
    const revision = await store.revision();
    const removed = await store.delete("d/", { rangeEnd: "d0", prevKv: true });
    assert.deepEqual([removed.deleted, revisionOf(removed)], [3, revision + 1]);
    assert.deepEqual(removed.prevKvs.map(kvOf), before);
    const nothing = await store.delete("d/", { rangeEnd: "d0", prevKv: true });
    assert.deepEqual([nothing.deleted, nothing.prevKvs.length, revisionOf(nothing)], [0, 0, revision + 1]);
    await store.put("d/a");
    assert.deepEqual((await store.delete("d/a")).prevKvs, []);
    assert.equal((await store.delete("d/z", { rangeEnd: "d/a" })).deleted, 0);
  });

  test("a request that is too large is refused, one just below is not", async () => {
    const overhead = 64;
    await store.put("large/fits", new Uint8Array(1_572_864 - overhead));
    const text = "InvalidArgument etcdserver: request is too large";
    assert.equal(await refusal(store.put("large/not", new Uint8Array(1_572_864))), text);
    assert.equal(await store.get("large/not"), undefined);
    await store.delete("large/fits");
  });
});

const unfinished = { header: undefined, kvs: [], more: false, count: 0 };

async function streamed(store: Store, fields: Fields<RangeRequest>) {
  const stream = store.client.serverStream(SERVICES.kv.methods.rangeStream, made(RangeRequest, fields));
  const chunks = await stream.all();
  assert.equal(statusText(await stream.status), "OK");
  return chunks.map(({ rangeResponse }) => {
    assert.ok(rangeResponse !== undefined, "a piece is a range");
    return rangeResponse;
  });
}
