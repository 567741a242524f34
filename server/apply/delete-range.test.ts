import assert from "node:assert/strict";
import { test } from "node:test";
import { content, deleteRange, Entries, grant, openState, put, shown } from "../../test/support/apply-state.ts";

function threeKeys() {
  const state = openState();
  const entries = new Entries(state);
  for (const key of ["c", "a", "b"]) entries.answer(put(key, "1"));
  return { state, entries };
}

test("all keys of the range go in one revision, in the order of the keys", () => {
  const { state, entries } = threeKeys();
  const { outcome, changes } = entries.apply(deleteRange("a", "\0"));
  assert.ok(outcome.ok);
  assert.deepEqual(
    changes.map(({ type, key, revision }) => `${type} ${key} ${revision.main}.${revision.sub}`),
    ["delete a 5.0", "delete b 5.1", "delete c 5.2"],
  );
  assert.deepEqual(content(state), []);
});

test("deleted counts the keys that were there; their header has the new revision", () => {
  const { entries } = threeKeys();
  const { deleted, header, prevKvs } = entries.answer(deleteRange("a", "c"));
  assert.deepEqual([deleted, header?.revision, prevKvs], [2, 5, []]);
  assert.equal(entries.answer(deleteRange("a", "\0")).deleted, 1);
});

test("what deletes nothing makes no revision", () => {
  const { state, entries } = threeKeys();
  for (const request of [deleteRange("x"), deleteRange("x", "z"), deleteRange("b", "a")]) {
    const { outcome, changes } = entries.apply(request);
    assert.ok(outcome.ok);
    assert.deepEqual(changes, []);
  }
  const { deleted, header } = entries.answer(deleteRange("x"));
  assert.deepEqual([deleted, header?.revision], [0, 4]);
  assert.equal(state.store.currentRevision, 4);
});

test("prev_kv brings what was deleted", () => {
  const { entries } = threeKeys();
  const { prevKvs } = entries.answer(deleteRange("a", "c", { prevKv: true }));
  assert.deepEqual(prevKvs.map(shown), ["a=1@3/3/1", "b=1@4/4/1"]);
});

test("a deleted key leaves its lease, and does not hang on it when it comes back", () => {
  const { state, entries } = threeKeys();
  entries.answer(grant(7n));
  entries.answer(put("a", "2", { lease: 7n }));
  entries.answer(put("b", "2", { lease: 7n }));
  entries.answer(deleteRange("a"));
  assert.deepEqual(state.lessor.keysOf(7n), ["b"]);
  entries.answer(put("a", "3"));
  entries.answer({ kind: "leaseRevoke", value: { id: 7n } });
  assert.deepEqual(content(state), ["a=3@8/8/1", "c=1@2/2/1"]);
});
