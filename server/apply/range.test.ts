import assert from "node:assert/strict";
import { test } from "node:test";
import {
  content,
  deleteRange,
  Entries,
  openState,
  put,
  range,
  type StateOptions,
  shown,
} from "../../test/support/apply-state.ts";
import { prefixEnd, utf8Bytes, utf8Text } from "../base/bytes.ts";
import { revisionKey } from "../mvcc/revision.ts";
import { CorruptRecord } from "../ports/backend.ts";
import { type RangeRequest, type RangeResponse, SortOrder, SortTarget } from "../proto/etcdserverpb.ts";
import { KeyValue } from "../proto/mvccpb.ts";
import { executeRange } from "./range.ts";

const { ASCEND, DESCEND } = SortOrder;

/**
 * Four keys whose order differs by everything that can be sorted by:
 * key a b c d, version b a c d, creation d a c b, modification b d c a, value d c b a.
 */
function fourKeys(options: StateOptions = {}) {
  const state = openState(options);
  const entries = new Entries(state);
  entries.answer({ kind: "leaseGrant", value: { id: 7n, ttl: 60 } });
  for (const [key, value] of ["d1", "a4", "c2", "b3", "d1", "d1", "d1", "c2", "c2"] as const)
    entries.answer(put(key as string, value as string));
  entries.answer(put("a", "4", { lease: 7n }));
  assert.deepEqual(content(state), ["a=4@11/3/2+7", "b=3@5/5/1", "c=2@10/4/3", "d=1@8/2/4"]);
  return state;
}

function keysOf({ kvs }: RangeResponse): string {
  return kvs.map((kv) => utf8Text(KeyValue.decode(kv).key)).join("");
}

/** A range of everything from "a" on. */
function all(more: Partial<RangeRequest> = {}): RangeRequest {
  return range("a", "\0", more).value;
}

test("a range is one key, a span, everything from a key on, or a prefix; turned round it is empty", () => {
  const { store } = fourKeys();
  const found = (key: string, rangeEnd: string) => keysOf(executeRange(store, range(key, rangeEnd).value));
  assert.equal(found("b", ""), "b");
  assert.equal(found("bb", ""), "");
  assert.equal(found("b", "d"), "bc");
  assert.equal(found("b", "\0"), "bcd");
  assert.equal(found("\0", "\0"), "abcd");
  assert.equal(found("c", utf8Text(prefixEnd(utf8Bytes("c")))), "c");
  assert.equal(found("d", "b"), "");
  assert.equal(found("b", "b"), "");
});

test("the header holds the revision of the store, not the one asked for", () => {
  const { store } = fourKeys();
  const { header, kvs } = executeRange(store, range("d", "", { revision: 6 }).value);
  assert.equal(header?.revision, 11);
  assert.deepEqual(kvs.map(shown), ["d=1@6/2/2"]);
});

test("a revision of zero or less is the latest; one to come or compacted is refused, the compacted one itself is not", () => {
  const { store } = fourKeys();
  assert.equal(executeRange(store, all({ revision: -3 })).count, 4);
  assert.throws(() => executeRange(store, all({ revision: 12 })), { code: "FutureRevision" });
  store.scheduleCompaction(6);
  assert.throws(() => executeRange(store, all({ revision: 5 })), { code: "Compacted" });
  assert.equal(executeRange(store, all({ revision: 6 })).count, 4);
});

test("count is of all keys whatever the limit; more tells that the limit cut", () => {
  const { store } = fourKeys();
  const told = (limit: number) => {
    const { kvs, more, count } = executeRange(store, all({ limit }));
    return { keys: kvs.length, more, count };
  };
  assert.deepEqual(told(0), { keys: 4, more: false, count: 4 });
  assert.deepEqual(told(-1), { keys: 4, more: false, count: 4 });
  assert.deepEqual(told(3), { keys: 3, more: true, count: 4 });
  assert.deepEqual(told(4), { keys: 4, more: false, count: 4 });
  assert.deepEqual(told(5), { keys: 4, more: false, count: 4 });
});

test("count_only fills the count alone", () => {
  const { store } = fourKeys();
  for (const more of [{}, { limit: 1 }, { minModRevision: 9 }, { sortOrder: DESCEND, sortTarget: SortTarget.MOD }]) {
    const response = executeRange(store, all({ countOnly: true, ...more }));
    assert.deepEqual([response.kvs.length, response.more, response.count], [0, false, 4]);
  }
});

test("filters include their bounds and leave the count alone", () => {
  const { store } = fourKeys();
  const found = (more: Partial<RangeRequest>) => {
    const response = executeRange(store, all(more));
    assert.equal(response.count, 4);
    return keysOf(response);
  };
  assert.equal(found({ minModRevision: 8 }), "acd");
  assert.equal(found({ maxModRevision: 8 }), "bd");
  assert.equal(found({ minModRevision: 8, maxModRevision: 10 }), "cd");
  assert.equal(found({ minCreateRevision: 4 }), "bc");
  assert.equal(found({ maxCreateRevision: 4 }), "acd");
  assert.equal(found({ minCreateRevision: 3, maxCreateRevision: 4, maxModRevision: 10 }), "c");
  assert.equal(found({ minModRevision: 12 }), "");
});

test("the limit counts what the filters left", () => {
  const { store } = fourKeys();
  const first = executeRange(store, all({ minModRevision: 8, limit: 2 }));
  assert.deepEqual([keysOf(first), first.more, first.count], ["ac", true, 4]);
  const last = executeRange(store, all({ minModRevision: 9, limit: 2 }));
  assert.deepEqual([keysOf(last), last.more, last.count], ["ac", false, 4]);
});

const ORDERS = [
  { name: "key", target: SortTarget.KEY, rising: "abcd" },
  { name: "version", target: SortTarget.VERSION, rising: "bacd" },
  { name: "creation", target: SortTarget.CREATE, rising: "dacb" },
  { name: "modification", target: SortTarget.MOD, rising: "bdca" },
  { name: "value", target: SortTarget.VALUE, rising: "dcba" },
];

for (const { name, target, rising } of ORDERS) {
  test(`a range sorted by ${name} is sorted before the limit cuts`, () => {
    const { store } = fourKeys();
    const falling = [...rising].reverse().join("");
    const found = (sortOrder: number, limit: number) =>
      keysOf(executeRange(store, all({ sortTarget: target, sortOrder, limit })));
    assert.equal(found(ASCEND, 0), rising);
    assert.equal(found(DESCEND, 0), falling);
    assert.equal(found(ASCEND, 2), rising.slice(0, 2));
    assert.equal(found(DESCEND, 2), falling.slice(0, 2));
  });
}

test("a target without an order sorts rising what the limit, and one key more, let through", () => {
  const { store } = fourKeys();
  const found = (limit: number) => executeRange(store, all({ sortTarget: SortTarget.VALUE, limit }));
  assert.equal(keysOf(found(0)), "dcba");
  assert.equal(keysOf(found(4)), "dcba");
  // a4 b3 c2 are read; d1 would be first and is not looked at
  assert.deepEqual([keysOf(found(2)), found(2).more], ["cb", true]);
});

test("a target without an order is sorted before the limit cuts when there are filters", () => {
  const { store } = fourKeys();
  const response = executeRange(store, all({ sortTarget: SortTarget.VALUE, limit: 2, minModRevision: 1 }));
  assert.equal(keysOf(response), "dc");
});

test("keys_only gives everything of a key but its value and its lease", () => {
  const { store } = fourKeys();
  const { kvs, count } = executeRange(store, all({ keysOnly: true }));
  assert.deepEqual(kvs.map(shown), ["a=@11/3/2", "b=@5/5/1", "c=@10/4/3", "d=@8/2/4"]);
  assert.equal(count, 4);
});

test("keys_only sorted by value is sorted by what it does not show, and shows the lease", () => {
  const { store } = fourKeys();
  const { kvs } = executeRange(
    store,
    all({ keysOnly: true, sortTarget: SortTarget.VALUE, sortOrder: DESCEND, limit: 2 }),
  );
  assert.deepEqual(kvs.map(shown), ["a=@11/3/2+7", "b=@5/5/1"]);
});

test("keys_only and count_only read no value", () => {
  const { store, backend } = fourKeys({ valueCacheBytes: 0 });
  backend.damage("key", revisionKey(5, 0));
  assert.throws(() => executeRange(store, all()), CorruptRecord);
  assert.equal(executeRange(store, all({ countOnly: true })).count, 4);
  assert.equal(keysOf(executeRange(store, all({ keysOnly: true, sortTarget: SortTarget.MOD }))), "bdca");
});

test("deleted keys are neither found nor counted, but at a revision of before", () => {
  const state = fourKeys();
  new Entries(state).answer(deleteRange("b", "d"));
  const now = executeRange(state.store, all());
  assert.deepEqual([keysOf(now), now.count, now.header?.revision], ["ad", 2, 12]);
  const before = executeRange(state.store, all({ revision: 11 }));
  assert.deepEqual([keysOf(before), before.count], ["abcd", 4]);
});
