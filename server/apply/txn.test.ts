import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import {
  compaction,
  compare,
  content,
  deleteRange,
  Entries,
  grant,
  openState,
  put,
  range,
  type StateOptions,
  shown,
  txn,
} from "../../test/support/apply-state.ts";
import { compareBytes, EMPTY_BYTES, utf8Bytes } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import { revisionKey } from "../mvcc/revision.ts";
import { CorruptRecord } from "../ports/backend.ts";
import { type Compare, CompareResult, CompareTarget, type TxnResponse } from "../proto/etcdserverpb.ts";
import { KeyValue } from "../proto/mvccpb.ts";
import type { State } from "./state.ts";
import { executeReadOnlyTxn, isReadOnlyTxn, isSerializableTxn } from "./txn.ts";

const { EQUAL, GREATER, LESS, NOT_EQUAL } = CompareResult;
const { VERSION, CREATE, MOD, VALUE, LEASE } = CompareTarget;

/** "a": created at 2, changed at 4 for the second time, value "m", lease 50. "b": created and changed at 3, value "n". */
function twoKeys(options: StateOptions = {}) {
  const state = openState(options);
  const entries = new Entries(state);
  entries.answer(grant(50n));
  entries.answer(put("a", "l"));
  entries.answer(put("b", "n"));
  entries.answer(put("a", "m", { lease: 50n }));
  assert.deepEqual(content(state), ["a=m@4/2/2+50", "b=n@3/3/1"]);
  return { state, entries };
}

function holds(state: State, ...when: Compare[]): boolean {
  return executeReadOnlyTxn(state.store, txn({ when }).value).succeeded;
}

/** The kinds of the answers, with what can be seen of each. */
function told({ responses }: TxnResponse): string[] {
  return responses.map(({ response }) => {
    if (response === undefined) return "nothing";
    const { kind, value } = response;
    const revision = value.header?.revision;
    if (kind === "range") return `range ${value.kvs.map(shown).join(" ") || "-"} r${revision}`;
    if (kind === "deleteRange") return `delete ${value.deleted} r${revision}`;
    if (kind === "put") return `put r${revision}`;
    return `txn ${value.succeeded} r${revision} [${told(value).join(", ")}]`;
  });
}

// ---- compares ----------------------------------------------------------------------------------------------------------

/** What the key "a" has, and something below and above it. */
const TARGETS: readonly {
  name: string;
  target: number;
  union: (at: "below" | "same" | "above") => Compare["targetUnion"];
}[] = [
  { name: "version", target: VERSION, union: (at) => ({ kind: "version", value: near(2, at) }) },
  { name: "creation", target: CREATE, union: (at) => ({ kind: "createRevision", value: near(2, at) }) },
  { name: "modification", target: MOD, union: (at) => ({ kind: "modRevision", value: near(4, at) }) },
  {
    name: "value",
    target: VALUE,
    union: (at) => ({ kind: "value", value: utf8Bytes({ below: "lz", same: "m", above: "ma" }[at]) }),
  },
  { name: "lease", target: LEASE, union: (at) => ({ kind: "lease", value: BigInt(near(50, at)) }) },
];

function near(value: number, at: "below" | "same" | "above"): number {
  return value + { below: -1, same: 0, above: 1 }[at];
}

for (const { name, target, union } of TARGETS) {
  test(`a compare of the ${name} of a key is equal, greater, less or not equal`, () => {
    const { state } = twoKeys();
    const results = (at: "below" | "same" | "above") =>
      [EQUAL, GREATER, LESS, NOT_EQUAL].map((result) => holds(state, compare("a", target, result, union(at))));
    assert.deepEqual(results("below"), [false, true, false, true]);
    assert.deepEqual(results("same"), [true, false, false, false]);
    assert.deepEqual(results("above"), [false, false, true, true]);
  });
}

test("a key that is not there compares as zero in everything but its value, for which nothing holds", () => {
  const { state } = twoKeys();
  const results = (key: string, target: number, union: Compare["targetUnion"], rangeEnd = "") =>
    [EQUAL, GREATER, LESS, NOT_EQUAL].map((result) => holds(state, compare(key, target, result, union, rangeEnd)));
  const zero = [true, false, false, false];
  const below = [false, false, true, true];
  for (const [key, rangeEnd] of [
    ["x", ""],
    ["x", "z"],
    ["b", "a"],
  ] as const) {
    assert.deepEqual(results(key, VERSION, { kind: "version", value: 0 }, rangeEnd), zero);
    assert.deepEqual(results(key, CREATE, { kind: "createRevision", value: 0 }, rangeEnd), zero);
    assert.deepEqual(results(key, MOD, { kind: "modRevision", value: 0 }, rangeEnd), zero);
    assert.deepEqual(results(key, LEASE, { kind: "lease", value: 0n }, rangeEnd), zero);
    assert.deepEqual(results(key, MOD, { kind: "modRevision", value: 1 }, rangeEnd), below);
    assert.deepEqual(results(key, LEASE, { kind: "lease", value: 1n }, rangeEnd), below);
    for (const value of ["", "m"]) {
      const never = [false, false, false, false];
      assert.deepEqual(results(key, VALUE, { kind: "value", value: utf8Bytes(value) }, rangeEnd), never);
    }
  }
});

test("a deleted key compares as one that never was", () => {
  const { state, entries } = twoKeys();
  entries.answer(deleteRange("a"));
  assert.ok(holds(state, compare("a", VERSION, EQUAL, { kind: "version", value: 0 })));
  assert.ok(holds(state, compare("a", MOD, EQUAL, { kind: "modRevision", value: 0 })));
  assert.ok(!holds(state, compare("a", VALUE, NOT_EQUAL, { kind: "value", value: utf8Bytes("x") })));
});

test("a compare of a range holds when it holds for every key in it", () => {
  const { state } = twoKeys();
  const inRange = (target: number, result: number, union: Compare["targetUnion"]) =>
    holds(state, compare("a", target, result, union, "c"));
  assert.ok(inRange(MOD, LESS, { kind: "modRevision", value: 5 }));
  assert.ok(!inRange(MOD, LESS, { kind: "modRevision", value: 4 }));
  assert.ok(inRange(VERSION, GREATER, { kind: "version", value: 0 }));
  assert.ok(!inRange(VERSION, EQUAL, { kind: "version", value: 2 }));
  assert.ok(inRange(CREATE, NOT_EQUAL, { kind: "createRevision", value: 4 }));
  assert.ok(inRange(VALUE, GREATER, { kind: "value", value: utf8Bytes("l") }));
  assert.ok(!inRange(VALUE, EQUAL, { kind: "value", value: utf8Bytes("n") }));
  assert.ok(!inRange(LEASE, EQUAL, { kind: "lease", value: 50n }));
  assert.ok(holds(state, compare("a", MOD, LESS, { kind: "modRevision", value: 5 }, "\0")));
});

test("all compares must hold; none at all hold", () => {
  const { state } = twoKeys();
  const yes = compare("a", VERSION, EQUAL, { kind: "version", value: 2 });
  const no = compare("b", VERSION, EQUAL, { kind: "version", value: 2 });
  assert.ok(holds(state));
  assert.ok(holds(state, yes, yes));
  assert.ok(!holds(state, yes, no));
});

test("a value given for another target counts as nothing given", () => {
  const { state } = twoKeys();
  assert.ok(holds(state, compare("a", VERSION, GREATER, { kind: "modRevision", value: 9 })));
  assert.ok(holds(state, compare("a", VERSION, GREATER, undefined)));
  assert.ok(holds(state, compare("a", VALUE, GREATER, { kind: "version", value: 9 })));
  assert.ok(holds(state, compare("b", LEASE, EQUAL, undefined)));
});

test("a target that is not known is equal, a result that is not known holds", () => {
  const { state } = twoKeys();
  assert.ok(holds(state, compare("a", 9, EQUAL, undefined)));
  assert.ok(!holds(state, compare("a", 9, NOT_EQUAL, undefined)));
  assert.ok(holds(state, compare("a", VERSION, 9, { kind: "version", value: 7 })));
});

test("compares of version and revisions read no value", () => {
  const { state, entries } = twoKeys({ valueCacheBytes: 0 });
  state.backend.damage("key", revisionKey(4, 0));
  for (const rangeEnd of ["", "c"]) {
    assert.ok(holds(state, compare("a", VERSION, GREATER, { kind: "version", value: 0 }, rangeEnd)));
    assert.ok(holds(state, compare("a", CREATE, LESS, { kind: "createRevision", value: 4 }, rangeEnd)));
    assert.ok(holds(state, compare("a", MOD, GREATER, { kind: "modRevision", value: 2 }, rangeEnd)));
    const byValue = compare("a", VALUE, EQUAL, { kind: "value", value: utf8Bytes("m") }, rangeEnd);
    assert.throws(() => holds(state, byValue), CorruptRecord);
  }
  const when = [compare("a", MOD, EQUAL, { kind: "modRevision", value: 4 })];
  assert.equal(entries.answer(txn({ when, run: [put("a", "new")] })).succeeded, true);
});

/** The contract read word for word: fetch the keys with all they have, and compare each. */
function plainly(state: State, { key, rangeEnd, target, result, targetUnion }: Compare): boolean {
  const read = state.store.range(key, rangeEnd, { revision: 0, limit: 0, countOnly: false });
  if (read.kvs.length === 0 && target === VALUE) return false;
  const found = read.kvs.length === 0 ? [KeyValue.create()] : read.kvs.map((kv) => KeyValue.decode(kv));
  return found.every((kv) => {
    const sides: Record<number, [number | bigint | Uint8Array, number | bigint | Uint8Array]> = {
      [VERSION]: [kv.version, targetUnion?.kind === "version" ? targetUnion.value : 0],
      [CREATE]: [kv.createRevision, targetUnion?.kind === "createRevision" ? targetUnion.value : 0],
      [MOD]: [kv.modRevision, targetUnion?.kind === "modRevision" ? targetUnion.value : 0],
      [VALUE]: [kv.value, targetUnion?.kind === "value" ? targetUnion.value : EMPTY_BYTES],
      [LEASE]: [kv.lease, targetUnion?.kind === "lease" ? targetUnion.value : 0n],
    };
    const [left, right] = sides[target] as [number, number];
    const order =
      target === VALUE ? compareBytes(kv.value, right as unknown as Uint8Array) : Number(left) - Number(right);
    if (result === EQUAL) return order === 0;
    if (result === NOT_EQUAL) return order !== 0;
    return result === GREATER ? order > 0 : order < 0;
  });
}

test("compares answered from the index say what reading the keys would say", () => {
  const prng = new Prng(31);
  const names = ["a", "b", "c", "d", "e"];
  const seen = { true: 0, false: 0 };
  for (let world = 0; world < 20; world++) {
    const state = openState({ valueCacheBytes: world % 2 === 0 ? 0 : 4000 });
    const entries = new Entries(state);
    entries.answer(grant(1n));
    for (let change = 0; change < 12; change++) {
      const key = prng.pick(names);
      if (prng.chance(0.3)) entries.answer(deleteRange(key));
      else entries.answer(put(key, prng.pick(["", "x", "y"]), { lease: prng.chance(0.3) ? 1n : 0n }));
    }
    for (let asked = 0; asked < 60; asked++) {
      const union = prng.pick<Compare["targetUnion"]>([
        { kind: "version", value: prng.below(4) },
        { kind: "createRevision", value: prng.below(14) },
        { kind: "modRevision", value: prng.below(14) },
        { kind: "value", value: utf8Bytes(prng.pick(["", "x", "y"])) },
        { kind: "lease", value: BigInt(prng.below(2)) },
        undefined,
      ]);
      const own =
        union === undefined ? 0 : ["version", "createRevision", "modRevision", "value", "lease"].indexOf(union.kind);
      const target = prng.chance(0.9) ? own : prng.below(5);
      const one = compare(prng.pick(names), target, prng.below(4), union, prng.pick(["", "", "d", "\0"]));
      const expected = plainly(state, one);
      assert.equal(holds(state, one), expected, inspect(one));
      seen[`${expected}`]++;
    }
  }
  assert.ok(seen.true > 300 && seen.false > 300, JSON.stringify(seen));
});

// ---- the path ----------------------------------------------------------------------------------------------------------

test("the branch that compares choose is run, and only that", () => {
  const { state, entries } = twoKeys();
  const request = txn({
    when: [compare("a", VALUE, EQUAL, { kind: "value", value: utf8Bytes("m") })],
    run: [put("yes", "1")],
    orElse: [put("no", "1")],
  });
  assert.equal(entries.answer(request).succeeded, true);
  entries.answer(put("a", "other"));
  const { succeeded, header } = entries.answer(request);
  assert.deepEqual([succeeded, header?.revision], [false, 7]);
  assert.deepEqual(content(state).slice(2), ["no=1@7/7/1", "yes=1@5/5/1"]);
});

test("compares of nested transactions see the state before the whole transaction", () => {
  const { state, entries } = twoKeys();
  const isNew = (key: string) => [compare(key, CREATE, EQUAL, { kind: "createRevision", value: 0 })];
  const request = txn({
    run: [
      put("x", "1"),
      deleteRange("a"),
      txn({ when: isNew("x"), run: [put("sawNoX", "1")], orElse: [put("sawX", "1")] }),
      txn({
        when: isNew("a"),
        run: [put("sawNoA", "1")],
        orElse: [txn({ when: isNew("x"), run: [range("x"), range("a")] })],
      }),
    ],
  });
  assert.deepEqual(told(entries.answer(request)), [
    "put r5",
    "delete 1 r5",
    "txn true r0 [put r5]",
    "txn false r0 [txn true r0 [range x=1@5/5/1 r5, range - r5]]",
  ]);
  assert.deepEqual(content(state), ["b=n@3/3/1", "sawNoX=1@5/5/1", "x=1@5/5/1"]);
});

test("each nested transaction takes its own path, in the order of the operations", () => {
  const { entries } = twoKeys();
  const nested = (version: number) =>
    txn({
      when: [compare("a", VERSION, EQUAL, { kind: "version", value: version })],
      run: [range("a")],
      orElse: [range("b")],
    });
  const answer = entries.answer(txn({ run: [nested(1), range("x"), nested(2), nested(3)] }));
  assert.deepEqual(told(answer), [
    "txn false r0 [range b=n@3/3/1 r4]",
    "range - r4",
    "txn true r0 [range a=m@4/2/2+50 r4]",
    "txn false r0 [range b=n@3/3/1 r4]",
  ]);
});

// ---- checks ------------------------------------------------------------------------------------------------------------

/** Operations that cannot be done, with their refusals; the store is at revision 4 and compacted to 3. */
const IMPOSSIBLE = [
  { what: "a put with a lease that is not there", operation: put("b", "1", { lease: 9n }), code: "LeaseNotFound" },
  { what: "a put that keeps the value of no key", operation: put("x", "", { ignoreValue: true }), code: "KeyNotFound" },
  { what: "a put that keeps the lease of no key", operation: put("x", "", { ignoreLease: true }), code: "KeyNotFound" },
  { what: "a read of the revision to come", operation: range("a", "", { revision: 5 }), code: "FutureRevision" },
  { what: "a read of a compacted revision", operation: range("a", "", { revision: 2 }), code: "Compacted" },
  { what: "a read of a negative revision", operation: range("a", "", { revision: -1 }), code: "Compacted" },
];

for (const { what, operation, code } of IMPOSSIBLE) {
  test(`${what} refuses the whole transaction before anything is changed`, () => {
    const { state, entries } = twoKeys();
    entries.answer(compaction(3));
    const before = content(state);
    const pending = state.backend.pendingOperations();
    const first = put("a", "changed");
    for (const run of [
      [operation],
      [first, deleteRange("b"), operation],
      [first, txn({ run: [put("c", "1"), operation] })],
      [first, txn({ run: [txn({ run: [operation] })] })],
    ]) {
      const { outcome, changes } = entries.apply(txn({ run }));
      assert.deepEqual(outcome, { ok: false, code, detail: undefined });
      assert.deepEqual(changes, []);
    }
    assert.deepEqual(content(state), before);
    assert.deepEqual([state.store.currentRevision, state.backend.pendingOperations()], [4, pending]);
    assert.deepEqual(state.lessor.keysOf(50n), ["a"]);
  });

  test(`${what} refuses nothing on a path that is not taken`, () => {
    const { state, entries } = twoKeys();
    entries.answer(compaction(3));
    const never = [compare("a", VERSION, EQUAL, { kind: "version", value: 99 })];
    const nested = txn({ when: never, run: [operation], orElse: [put("c", "2")] });
    const { succeeded } = entries.answer(txn({ when: never, run: [operation], orElse: [nested] }));
    assert.equal(succeeded, false);
    assert.deepEqual(content(state).slice(2), ["c=2@5/5/1"]);
  });
}

test("puts are checked against the state before the transaction", () => {
  const { state, entries } = twoKeys();
  assert.equal(entries.refusal(txn({ run: [put("x", "1"), put("x", "", { ignoreValue: true })] })), "KeyNotFound");
  // What the transaction has deleted meanwhile has no value to keep: an empty one, where etcd would stop.
  entries.answer(txn({ run: [deleteRange("a"), put("a", "", { ignoreValue: true, prevKv: true })] }));
  assert.deepEqual(content(state), ["a=@5/5/1", "b=n@3/3/1"]);
});

// ---- what is done ------------------------------------------------------------------------------------------------------

test("operations see what earlier ones of the same transaction wrote", () => {
  const { entries } = twoKeys();
  const answer = entries.answer(
    txn({
      run: [
        range("c"),
        put("c", "1"),
        range("a", "\0"),
        range("c", "", { revision: 4 }),
        put("a", "2", { prevKv: true }),
        deleteRange("a", "c"),
        range("a", "\0"),
      ],
    }),
  );
  assert.deepEqual(told(answer), [
    "range - r4",
    "put r5",
    "range a=m@4/2/2+50 b=n@3/3/1 c=1@5/5/1 r5",
    "range - r5",
    "put r5",
    "delete 2 r5",
    "range c=1@5/5/1 r5",
  ]);
});

test("a transaction is one revision, its changes numbered in the order of its operations", () => {
  const { state, entries } = twoKeys();
  const { outcome, changes } = entries.apply(
    txn({ run: [put("z", "1"), txn({ run: [put("y", "1"), deleteRange("a", "c")] }), put("a", "1")] }),
  );
  assert.ok(outcome.ok);
  assert.deepEqual(
    changes.map(({ type, key, revision }) => `${type} ${key} ${revision.main}.${revision.sub}`),
    ["put z 5.0", "put y 5.1", "delete a 5.2", "delete b 5.3", "put a 5.4"],
  );
  assert.equal(state.store.currentRevision, 5);
  assert.deepEqual(content(state), ["a=1@5/5/1", "y=1@5/5/1", "z=1@5/5/1"]);
});

test("a transaction that changes nothing makes no revision; its header holds the present one", () => {
  const { state, entries } = twoKeys();
  for (const request of [
    txn({}),
    txn({ run: [deleteRange("x"), txn({ run: [deleteRange("y", "z")] })] }),
    txn({ when: [compare("x", VERSION, GREATER, { kind: "version", value: 0 })], run: [put("x", "1")] }),
  ]) {
    const { outcome, changes } = entries.apply(request);
    assert.ok(outcome.ok);
    assert.deepEqual([outcome.response?.header?.revision, changes], [4, []]);
  }
  assert.equal(state.store.currentRevision, 4);
});

test("headers inside a transaction hold a revision and no ids; those of nested transactions are empty", () => {
  const { entries } = twoKeys();
  const { header, responses } = entries.answer(txn({ run: [put("c", "1"), txn({ run: [range("c")] })] }));
  const empty = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };
  assert.deepEqual({ ...header }, { ...empty, revision: 5 });
  const [putAnswer, txnAnswer] = responses.map(({ response }) => response);
  assert.deepEqual({ ...putAnswer?.value.header }, { ...empty, revision: 5 });
  assert.deepEqual({ ...txnAnswer?.value.header }, empty);
});

test("a put moves its key's lease, a delete takes it away", () => {
  const { state, entries } = twoKeys();
  entries.answer(txn({ run: [put("b", "1", { lease: 50n }), put("a", "1")] }));
  assert.deepEqual(state.lessor.keysOf(50n), ["b"]);
  entries.answer(txn({ run: [deleteRange("b")] }));
  assert.deepEqual(state.lessor.keysOf(50n), []);
});

// ---- without the log -----------------------------------------------------------------------------------------------------

test("a transaction of ranges alone is answered from the store, with its revision in every header", () => {
  const { state } = twoKeys();
  const when = [compare("a", MOD, EQUAL, { kind: "modRevision", value: 4 })];
  const request = txn({ when, run: [range("a"), range("b", "", { revision: 3 })], orElse: [range("x")] });
  const answer = executeReadOnlyTxn(state.store, request.value);
  assert.deepEqual(told(answer), ["range a=m@4/2/2+50 r4", "range b=n@3/3/1 r4"]);
  assert.deepEqual([answer.succeeded, answer.header?.revision], [true, 4]);
  const refused = (revision: number) => txn({ run: [range("a", "", { revision })] }).value;
  assert.throws(() => executeReadOnlyTxn(state.store, refused(5)), { code: "FutureRevision" });
  state.store.scheduleCompaction(3);
  assert.throws(() => executeReadOnlyTxn(state.store, refused(2)), { code: "Compacted" });
  assert.throws(() => executeReadOnlyTxn(state.store, refused(-1)), { code: "Compacted" });
});

test("only ranges at the top level, in both branches, make a transaction read-only", () => {
  assert.ok(isReadOnlyTxn(txn({}).value));
  assert.ok(isReadOnlyTxn(txn({ run: [range("a")], orElse: [range("b")] }).value));
  assert.ok(!isReadOnlyTxn(txn({ run: [range("a")], orElse: [put("b")] }).value));
  assert.ok(!isReadOnlyTxn(txn({ run: [deleteRange("a")] }).value));
  assert.ok(!isReadOnlyTxn(txn({ run: [txn({ run: [range("a")] })] }).value));
});

test("all ranges serializable, or none at all, make a transaction serializable", () => {
  const stale = range("a", "", { serializable: true });
  assert.ok(isSerializableTxn(txn({}).value));
  assert.ok(isSerializableTxn(txn({ run: [stale], orElse: [stale] }).value));
  assert.ok(!isSerializableTxn(txn({ run: [stale], orElse: [range("a")] }).value));
  assert.ok(!isSerializableTxn(txn({ run: [stale, put("a")] }).value));
});
