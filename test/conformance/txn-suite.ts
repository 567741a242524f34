/** Transactions (etcd-contract section 6.5): conditions, branches, nesting, what is refused, and that it is one step. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestOp, type ResponseOp, type TxnResponse } from "../../server/proto/etcdserverpb.ts";
import { compare, nested, put, type Relation, range, remove } from "./operations.ts";
import { keysOf, kvsOf, refusal, revisionOf } from "./store.ts";
import { suite } from "./target.ts";
import { Watching } from "./watching.ts";

const TOO_MANY = "InvalidArgument etcdserver: too many operations in txn request";
const DUPLICATE = "InvalidArgument etcdserver: duplicate key given in txn request";
const NO_KEY = "InvalidArgument etcdserver: key is not provided";

export const txnSuite = suite("Txn", [], (store) => {
  test("the empty transaction succeeds, answers the current revision and changes nothing", async () => {
    const revision = await store.revision();
    const answer = await store.txn({});
    assert.deepEqual([answer.succeeded, answer.responses, revisionOf(answer)], [true, [], revision]);
  });

  test("a condition that fails is no error: the other branch runs", async () => {
    const compares = [compare("b/k", "version", "=", 0)];
    const request = { compare: compares, success: [put("b/k", "made")], failure: [range("b/k")] };
    const first = await store.txn(request);
    const second = await store.txn(request);
    assert.deepEqual([first.succeeded, second.succeeded], [true, false]);
    assert.equal(revisionOf(second), revisionOf(first));
    assert.deepEqual(
      kvsOf(rangeAt(second, 0)).map(({ value }) => value),
      ["made"],
    );
  });

  test("conditions are compared as they say", async () => {
    const lease = await store.lease();
    await store.put("c/k", "1");
    await store.put("c/k", "m", { lease });
    const { createRevision, modRevision } = (await store.get("c/k")) ?? { createRevision: 0, modRevision: 0 };
    const holds = async (kind: Kind, relation: Relation, value: number | bigint | string) =>
      (await store.txn({ compare: [compare("c/k", kind, relation, value)] })).succeeded;
    const numbers: [Kind, number][] = [
      ["version", 2],
      ["createRevision", createRevision],
      ["modRevision", modRevision],
    ];
    for (const [kind, value] of numbers) {
      assert.deepEqual(await relations((r) => holds(kind, r, value)), ["="], kind);
      assert.deepEqual(await relations((r) => holds(kind, r, value - 1)), [">", "!="], kind);
      assert.deepEqual(await relations((r) => holds(kind, r, value + 1)), ["<", "!="], kind);
    }
    assert.deepEqual(await relations((r) => holds("value", r, "m")), ["="]);
    assert.deepEqual(await relations((r) => holds("value", r, "l")), [">", "!="]);
    assert.deepEqual(await relations((r) => holds("value", r, "ma")), ["<", "!="]);
    assert.deepEqual(await relations((r) => holds("lease", r, lease)), ["="]);
    assert.deepEqual(await relations((r) => holds("lease", r, lease + 1n)), ["<", "!="]);
  });

  test("a key that is not there counts as zero, but has no value at all", async () => {
    const holds = async (kind: Kind, relation: Relation, value: number | bigint | string) =>
      (await store.txn({ compare: [compare("c/none", kind, relation, value)] })).succeeded;
    for (const kind of ["version", "createRevision", "modRevision"] as const)
      assert.deepEqual(await relations((r) => holds(kind, r, 0)), ["="], kind);
    assert.deepEqual(await relations((r) => holds("lease", r, 0n)), ["="]);
    assert.deepEqual(await relations((r) => holds("version", r, 1)), ["<", "!="]);
    for (const value of ["", "x"]) assert.deepEqual(await relations((r) => holds("value", r, value)), []);
  });

  test("a condition on a range holds when it holds for every key; of an empty range numbers count as zero", async () => {
    for (const key of ["cr/a", "cr/b"]) await store.put(key, "v");
    await store.put("cr/b", "v");
    const holds = async (key: string, kind: Kind, relation: Relation, value: number | string, end: string) =>
      (await store.txn({ compare: [compare(key, kind, relation, value, end)] })).succeeded;
    assert.equal(await holds("cr/", "value", "=", "v", "cr0"), true);
    assert.equal(await holds("cr/", "version", "=", 1, "cr0"), false);
    assert.equal(await holds("cr/", "version", ">", 0, "cr0"), true);
    assert.equal(await holds("cr/a", "version", "=", 2, "\0"), false);
    assert.equal(await holds("empty/", "version", "=", 0, "empty0"), true);
    assert.equal(await holds("empty/", "version", ">", 0, "empty0"), false);
    for (const relation of ["=", "!="] as const)
      assert.equal(await holds("empty/", "value", relation, "v", "empty0"), false);
  });

  test("all conditions must hold", async () => {
    const [yes, no] = [compare("none", "version", "=", 0), compare("none", "version", "=", 1)];
    assert.equal((await store.txn({ compare: [yes, yes] })).succeeded, true);
    assert.equal((await store.txn({ compare: [yes, no] })).succeeded, false);
  });

  test("what is written is one revision, told in order, and read by what comes after", async () => {
    const watching = new Watching(store.client);
    await watching.create("o/", { rangeEnd: "o0" });
    await store.put("o/gone", "x");
    const before = await store.revision();
    const answer = await store.together(
      range("o/", { rangeEnd: "o0", countOnly: true }),
      put("o/b", "1"),
      range("o/b"),
      remove("o/gone", { prevKv: true }),
      put("o/a", "2", { prevKv: true }),
      range("o/", { rangeEnd: "o0" }),
    );
    const revision = before + 1;
    assert.equal(revisionOf(answer), revision);
    assert.deepEqual(
      answer.responses.map(({ response }) => response?.kind),
      ["range", "put", "range", "deleteRange", "put", "range"],
    );
    assert.deepEqual(keysOf(rangeAt(answer, 5)), ["o/a", "o/b"]);
    const [read] = kvsOf(rangeAt(answer, 2));
    assert.deepEqual([read?.createRevision, read?.modRevision, read?.version], [revision, revision, 1]);
    await watching.events(1);
    const told = [`put o/b=1 @${revision}`, `delete o/gone @${revision}`, `put o/a=2 @${revision}`];
    assert.deepEqual(await watching.events(3), told);
    await watching.close();
  });

  test("answers inside carry a revision and nothing else in their headers", async () => {
    const answer = await store.together(put("h/k"), range("h/k"), remove("h/none"), nested({ success: [put("h/n")] }));
    const revision = revisionOf(answer);
    const inner = { clusterId: 0n, memberId: 0n, revision, raftTerm: 0 };
    const [putAnswer, rangeAnswer, removeAnswer, nestedAnswer] = answer.responses.map(
      ({ response }) => response?.value,
    );
    assert.deepEqual(putAnswer?.header, inner);
    assert.deepEqual(rangeAnswer?.header, inner);
    assert.deepEqual(removeAnswer?.header, inner);
    assert.deepEqual(nestedAnswer?.header, { ...inner, revision: 0 });
    const innermost = (nestedAnswer as TxnResponse).responses[0]?.response?.value;
    assert.deepEqual(innermost?.header, inner);
  });

  test("a transaction that writes nothing keeps the revision", async () => {
    const revision = await store.revision();
    const asked = await store.together(range("none"), remove("none"), remove("none/", { rangeEnd: "none0" }));
    assert.equal(revisionOf(asked), revision);
    assert.equal(await store.revision(), revision);
  });

  test("reading only asks no log, a nested transaction does", async () => {
    const index = async () => (await store.status()).raftIndex;
    const before = await index();
    await store.together(range("k"), range("k", { serializable: true }));
    await store.txn({});
    assert.equal(await index(), before);
    await store.together(nested({ success: [range("k")] }));
    assert.equal(await index(), before + 1);
  });

  test("nested conditions are asked of the state before, and every level chooses its own branch", async () => {
    const inner = (name: string, key: string) =>
      nested({
        compare: [compare(key, "version", "=", 0)],
        success: [put(`n/${name}`, "then")],
        failure: [put(`n/${name}`, "else")],
      });
    await store.put("n/old", "x");
    const answer = await store.together(put("n/new", "x"), inner("1", "n/new"), inner("2", "n/old"));
    const succeeded = answer.responses
      .slice(1)
      .map(({ response }) => response?.kind === "txn" && response.value.succeeded);
    assert.deepEqual(succeeded, [true, false], "the put before it in the same transaction is not seen");
    assert.equal((await store.get("n/1"))?.value, "then");
    assert.equal((await store.get("n/2"))?.value, "else");
  });

  test("at most 128 in each list; nested ones share what their parent left", async () => {
    const puts = (count: number, name = "many") => Array.from({ length: count }, (_, at) => put(`${name}/${at}`));
    const compares = (count: number) => Array.from({ length: count }, () => compare("none", "version", "=", 0));
    assert.equal(await refusal(store.together(...puts(128))), "OK");
    assert.equal(await refusal(store.together(...puts(129))), TOO_MANY);
    assert.equal(await refusal(store.txn({ failure: puts(129) })), TOO_MANY);
    assert.equal(await refusal(store.txn({ compare: compares(128), success: puts(128), failure: puts(128) })), "OK");
    assert.equal(await refusal(store.txn({ compare: compares(129) })), TOO_MANY);
    assert.equal(await refusal(store.together(nested({ success: puts(127) }))), "OK");
    assert.equal(await refusal(store.together(nested({ success: puts(128) }))), TOO_MANY);
    assert.equal(await refusal(store.together(...puts(64), nested({ success: puts(63, "other") }))), "OK");
    assert.equal(await refusal(store.together(...puts(64), nested({ success: puts(64, "other") }))), TOO_MANY);
    let deep = nested({});
    for (let level = 1; level < 128; level++) deep = nested({ success: [deep] });
    assert.equal(await refusal(store.together(deep)), "OK");
    assert.equal(await refusal(store.together(nested({ success: [deep] }))), TOO_MANY);
  });

  test("an operation without content, or without a key, is refused", async () => {
    assert.equal(await refusal(store.together(RequestOp.create())), "InvalidArgument etcdserver: key not found");
    assert.equal(await refusal(store.txn({ compare: [compare("", "version", "=", 0)] })), NO_KEY);
    for (const operation of [put(""), range(""), remove("")]) {
      assert.equal(await refusal(store.together(operation)), NO_KEY);
      assert.equal(await refusal(store.txn({ failure: [operation] })), NO_KEY, "taken or not");
      assert.equal(await refusal(store.together(nested({ failure: [operation] }))), NO_KEY);
    }
    const wrong = put("k", "v", { ignoreValue: true });
    assert.equal(await refusal(store.together(wrong)), "InvalidArgument etcdserver: value is provided");
    const sorted = range("k", { sortOrder: 9 });
    assert.equal(await refusal(store.together(sorted)), "InvalidArgument etcdserver: invalid sort option");
  });

  test("one branch writes a key once", async () => {
    const prefix = { rangeEnd: "u0" };
    assert.equal(await refusal(store.together(put("u/k"), put("u/k"))), DUPLICATE);
    assert.equal(await refusal(store.together(put("u/k"), remove("u/k"))), DUPLICATE);
    assert.equal(await refusal(store.together(remove("u/", prefix), put("u/k"))), DUPLICATE);
    assert.equal(await refusal(store.txn({ failure: [put("u/k"), put("u/k")] })), DUPLICATE, "taken or not");
    assert.equal(await refusal(store.together(remove("u/", prefix), remove("u/", prefix))), "OK");
    assert.equal(await refusal(store.txn({ success: [put("u/k")], failure: [put("u/k")] })), "OK");
    assert.equal(await refusal(store.together(put("u/k"), range("u/k"), range("u/k"))), "OK");
    assert.equal(await refusal(store.together(remove("u/", prefix), put("v"))), "OK");
  });

  test("nested branches are held to it too, in the order of operations", async () => {
    const prefix = { rangeEnd: "w0" };
    const child = (...success: RequestOp[]) => nested({ success });
    const either = nested({ success: [put("w/k")], failure: [put("w/k")] });
    assert.equal(await refusal(store.together(either)), "OK");
    assert.equal(await refusal(store.together(child(put("w/k")), child(put("w/k")))), DUPLICATE);
    assert.equal(await refusal(store.together(put("w/k"), child(put("w/k")))), DUPLICATE);
    assert.equal(await refusal(store.together(child(put("w/k")), put("w/k"))), DUPLICATE);
    assert.equal(await refusal(store.together(child(put("w/k")), remove("w/", prefix))), DUPLICATE);
    assert.equal(await refusal(store.together(child(remove("w/", prefix)), child(put("w/k")))), DUPLICATE);
    assert.equal(await refusal(store.together(child(put("w/k")), child(remove("w/", prefix)))), "OK", "as in etcd");
  });

  test("puts are checked against the state before, and a refused transaction leaves no trace", async () => {
    const revision = await store.revision();
    const ignoring = put("x/none", "", { ignoreValue: true });
    assert.equal(await refusal(store.together(put("x/1"), ignoring)), "InvalidArgument etcdserver: key not found");
    const leased = put("x/2", "", { lease: 404n });
    assert.equal(await refusal(store.together(put("x/1"), leased)), "NotFound etcdserver: requested lease not found");
    const future = range("x", { revision: revision + 5 });
    const text = "OutOfRange etcdserver: mvcc: required revision is a future revision";
    assert.equal(await refusal(store.together(put("x/1"), future)), text);
    assert.equal(await store.revision(), revision);
    assert.equal(await store.get("x/1"), undefined);
  });

  test("only the branch taken is checked against the state", async () => {
    const answer = await store.txn({
      compare: [compare("x/none", "version", "=", 0)],
      success: [put("x/taken")],
      failure: [put("x/not", "", { lease: 404n })],
    });
    assert.equal(answer.succeeded, true);
  });

  test("a range inside reads at the revision asked for; below the compaction, and below zero, there is none", async () => {
    const first = await store.write("y/k", "1");
    const second = await store.write("y/k", "2");
    const old = await store.together(range("y/k", { revision: first }), put("y/other"));
    assert.equal(kvsOf(rangeAt(old, 0))[0]?.value, "1");
    await store.compact(second);
    const text = "OutOfRange etcdserver: mvcc: required revision has been compacted";
    assert.equal(await refusal(store.together(range("y/k", { revision: first }))), text);
    assert.equal(await refusal(store.together(put("y/other"), range("y/k", { revision: -1 }))), text);
    assert.equal(await refusal(store.together(range("y/k", { revision: second }))), "OK");
  });

  test("of several reads that ask for what is not there, the first says why", async () => {
    const first = await store.write("yy/k", "1");
    const second = await store.write("yy/k", "2");
    await store.compact(second);
    const old = range("yy/", { rangeEnd: "yy0", revision: first });
    const future = range("yy/", { rangeEnd: "yy0", revision: second + 500 });
    const compacted = "OutOfRange etcdserver: mvcc: required revision has been compacted";
    const tooNew = "OutOfRange etcdserver: mvcc: required revision is a future revision";
    assert.equal(await refusal(store.together(old, future)), compacted);
    assert.equal(await refusal(store.together(future, old)), tooNew);
    assert.equal(await refusal(store.together(put("yy/other"), old, future)), compacted);
  });

  test("a put inside attaches and detaches leases", async () => {
    const lease = await store.lease();
    await store.together(put("z/1", "", { lease }), put("z/2", "", { lease }));
    assert.equal((await store.timeToLive(lease, true)).keys.length, 2);
    await store.together(put("z/1"), remove("z/2"));
    assert.equal((await store.timeToLive(lease, true)).keys.length, 0);
  });

  test("ranges inside are sorted, cut and counted as outside", async () => {
    for (const key of ["q/1", "q/2", "q/3"]) await store.put(key, "v");
    const fields = { rangeEnd: "q0", limit: 2, sortOrder: 2, keysOnly: true };
    const outside = await store.range("q/", fields);
    for (const answer of [
      await store.together(range("q/", fields)),
      await store.together(put("p"), range("q/", fields)),
    ]) {
      const inside = rangeAt(answer, answer.responses.length - 1);
      assert.deepEqual({ ...inside, header: undefined }, { ...outside, header: undefined });
    }
  });
});

type Kind = Parameters<typeof compare>[1];

/** Those relations that hold. */
async function relations(holds: (relation: Relation) => Promise<boolean>): Promise<Relation[]> {
  const held: Relation[] = [];
  for (const relation of ["=", ">", "<", "!="] as const) if (await holds(relation)) held.push(relation);
  return held;
}

function rangeAt(answer: { readonly responses: readonly ResponseOp[] }, at: number) {
  const response = answer.responses[at]?.response;
  assert.ok(response?.kind === "range", `answer ${at} is a range`);
  return response.value;
}
