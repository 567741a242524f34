import assert from "node:assert/strict";
import { test } from "node:test";
import { content, deleteRange, Entries, grant, openState, put, shown } from "../../test/support/apply-state.ts";
import { utf8Bytes } from "../base/bytes.ts";

function opened() {
  const state = openState();
  return { state, entries: new Entries(state) };
}

test("the first write of a store has revision 2, and every put one more", () => {
  const { state, entries } = opened();
  assert.equal(entries.answer(put("a", "1")).header?.revision, 2);
  assert.equal(entries.answer(put("a", "2")).header?.revision, 3);
  assert.deepEqual(content(state), ["a=2@3/2/2"]);
});

test("a key that comes back after a deletion begins at version 1", () => {
  const { state, entries } = opened();
  entries.answer(put("a", "1"));
  entries.answer(put("a", "2"));
  entries.answer(deleteRange("a"));
  entries.answer(put("a", "3"));
  assert.deepEqual(content(state), ["a=3@5/5/1"]);
});

test("prev_kv is the key before the put, and nothing when it was not there or not asked for", () => {
  const { entries } = opened();
  assert.equal(entries.answer(put("a", "1", { prevKv: true })).prevKv, undefined);
  assert.equal(entries.answer(put("a", "2")).prevKv, undefined);
  const { prevKv } = entries.answer(put("a", "3", { prevKv: true }));
  assert.equal(prevKv === undefined ? "" : shown(prevKv), "a=2@3/2/2");
});

test("ignore_value keeps the value, ignore_lease the lease, both together only count a version", () => {
  const { state, entries } = opened();
  entries.answer(grant(7n));
  entries.answer(grant(8n));
  entries.answer(put("a", "1", { lease: 7n }));
  entries.answer(put("a", "", { ignoreValue: true, lease: 8n }));
  assert.deepEqual(content(state), ["a=1@3/2/2+8"]);
  entries.answer(put("a", "2", { ignoreLease: true }));
  assert.deepEqual(content(state), ["a=2@4/2/3+8"]);
  entries.answer(put("a", "", { ignoreValue: true, ignoreLease: true }));
  assert.deepEqual(content(state), ["a=2@5/2/4+8"]);
  assert.equal(state.lessor.leaseOf("a"), 8n);
});

test("what is to be kept must be there", () => {
  const { state, entries } = opened();
  assert.equal(entries.refusal(put("a", "", { ignoreValue: true })), "KeyNotFound");
  assert.equal(entries.refusal(put("a", "1", { ignoreLease: true })), "KeyNotFound");
  assert.equal(state.store.currentRevision, 1);
});

test("a lease that is not there refuses the put, also one whose key is not there", () => {
  const { state, entries } = opened();
  assert.equal(entries.refusal(put("a", "1", { lease: 9n })), "LeaseNotFound");
  assert.equal(entries.refusal(put("a", "", { lease: 9n, ignoreValue: true })), "LeaseNotFound");
  assert.equal(state.store.currentRevision, 1);
});

test("a key hangs on the lease of its last put, or on none", () => {
  const { state, entries } = opened();
  entries.answer(grant(7n));
  entries.answer(grant(8n));
  entries.answer(put("a", "1", { lease: 7n }));
  entries.answer(put("b", "1", { lease: 7n }));
  assert.deepEqual(state.lessor.keysOf(7n), ["a", "b"]);
  entries.answer(put("a", "2", { lease: 8n }));
  assert.deepEqual([state.lessor.keysOf(7n), state.lessor.keysOf(8n)], [["b"], ["a"]]);
  entries.answer(put("a", "3"));
  assert.deepEqual([state.lessor.keysOf(8n), state.lessor.leaseOf("a")], [[], 0n]);
  assert.deepEqual(content(state), ["a=3@5/2/3", "b=1@3/3/1+7"]);
});

test("a put is one change, which creates the key or not", () => {
  const { entries } = opened();
  for (const created of [true, false]) {
    const { changes, kind } = entries.apply(put("a", "1"));
    assert.deepEqual(
      changes.map(({ type, key, created: isNew }) => ({ type, key, isNew })),
      [{ type: "put", key: "a", isNew: created }],
    );
    assert.equal(kind, "put");
  }
});

test("bytes that are no text are a key like any other", () => {
  const { state, entries } = opened();
  const key = Uint8Array.of(0, 255, 128);
  entries.answer(put("", "1", { key }));
  entries.answer(put("", "", { key, ignoreValue: true }));
  const { kvs } = state.store.range(key, utf8Bytes(""), { revision: 0, limit: 0, countOnly: false });
  assert.equal(kvs.length, 1);
  assert.equal(state.store.version(Uint8Array.of(0, 0xff, 0x80))?.version, 2);
});
