import assert from "node:assert/strict";
import { test } from "node:test";
import {
  content,
  deleteRange,
  digest,
  Entries,
  grant,
  openState,
  put,
  revoke,
} from "../../test/support/apply-state.ts";
import { idBytes } from "../base/int64.ts";
import { AlarmType } from "../proto/etcdserverpb.ts";
import { Lease } from "../proto/leasepb.ts";
import { Applier } from "./applier.ts";

const BIG_ID = 0x7fff_ffff_ffff_fff1n;

function opened() {
  const state = openState();
  return { state, entries: new Entries(state) };
}

function checkpoint(...checkpoints: { id: bigint; remainingTtl: number }[]) {
  return { kind: "leaseCheckpoint" as const, value: { checkpoints } };
}

test("a grant answers with the time that the lease really has, and makes no revision", () => {
  const { state, entries } = opened();
  entries.answer(put("a"));
  const { id, ttl, header } = entries.answer(grant(BIG_ID, 1));
  assert.deepEqual([id, ttl, header?.revision], [BIG_ID, 2, 2]);
  assert.equal(entries.answer(grant(8n, 90)).ttl, 90);
  assert.equal(state.store.currentRevision, 2);
});

test("a lease that is there or would last too long is refused and stored nowhere", () => {
  const { state, entries } = opened();
  entries.answer(grant(7n, 60));
  const before = digest(state);
  const pending = state.backend.pendingOperations();
  assert.equal(entries.refusal(grant(7n, 90)), "LeaseExists");
  assert.equal(entries.refusal(grant(8n, 9_000_000_001)), "LeaseTtlTooLarge");
  assert.equal(entries.refusal(grant(0n)), "LeaseNotFound");
  assert.deepEqual(digest(state), before);
  assert.equal(state.backend.pendingOperations(), pending);
});

test("a revoke deletes the keys of the lease in one revision, in the order of the keys", () => {
  const { state, entries } = opened();
  entries.answer(grant(7n));
  for (const key of ["c", "a", "b", "d"]) entries.answer(put(key, "1", { lease: key === "b" ? 0n : 7n }));
  const { outcome, changes } = entries.apply(revoke(7n));
  assert.ok(outcome.ok);
  assert.equal(outcome.response?.header?.revision, 6);
  assert.deepEqual(
    changes.map(({ type, key, revision }) => `${type} ${key} ${revision.main}.${revision.sub}`),
    ["delete a 6.0", "delete c 6.1", "delete d 6.2"],
  );
  assert.deepEqual(content(state), ["b=1@4/4/1"]);
  assert.equal(state.lessor.lookup(7n), undefined);
  assert.equal(state.backend.get("lease", idBytes(7n)), undefined);
});

test("the end of a lease without keys makes no revision", () => {
  const { state, entries } = opened();
  entries.answer(grant(7n));
  assert.equal(entries.answer(revoke(7n)).header?.revision, 1);
  assert.equal(state.store.currentRevision, 1);
});

test("a lease ends once", () => {
  const { state, entries } = opened();
  entries.answer(grant(7n));
  entries.answer(put("a", "1", { lease: 7n }));
  entries.answer(revoke(7n));
  const { outcome, changes } = entries.apply(revoke(7n));
  assert.deepEqual([outcome.ok ? "none" : outcome.code, changes], ["LeaseNotFound", []]);
  assert.equal(state.store.currentRevision, 3);
  entries.answer(grant(7n));
  assert.deepEqual(state.lessor.keysOf(7n), []);
});

test("a checkpoint is remembered in the lessor and in the bucket; leases that are gone are passed over", () => {
  const { state, entries } = opened();
  entries.answer(grant(7n, 600));
  entries.answer(grant(8n, 600));
  const { outcome, changes } = entries.apply(checkpoint({ id: 9n, remainingTtl: 5 }, { id: 7n, remainingTtl: 100 }));
  assert.deepEqual([outcome, changes], [{ ok: true, response: undefined }, []]);
  assert.equal(state.lessor.lookup(7n)?.remainingTtlSeconds, 100);
  const stored = (id: bigint) => {
    const bytes = state.backend.get("lease", idBytes(id));
    return bytes === undefined ? undefined : { ...Lease.decode(bytes) };
  };
  assert.deepEqual(stored(7n), { id: 7n, ttl: 600, remainingTtl: 100 });
  assert.deepEqual(stored(8n), { id: 8n, ttl: 600, remainingTtl: 0 });
  assert.equal(stored(9n), undefined);
});

test("after a restart leases have their time, their rest and their keys again", () => {
  const { state, entries } = opened();
  entries.answer(grant(BIG_ID, 600));
  entries.answer(grant(8n, 60));
  entries.answer(grant(9n, 60));
  entries.answer(put("a", "1", { lease: BIG_ID }));
  entries.answer(put("b", "1", { lease: BIG_ID }));
  entries.answer(put("c", "1", { lease: 8n }));
  entries.answer(put("c", "2", { lease: BIG_ID }));
  entries.answer(put("d", "1", { lease: 8n }));
  entries.answer(put("e", "1", { lease: 8n }));
  entries.answer(deleteRange("a"));
  entries.answer(put("d", "2"));
  entries.apply(checkpoint({ id: BIG_ID, remainingTtl: 123 }));
  entries.answer(revoke(9n));
  const restarted = openState({ backend: state.backend });
  assert.deepEqual(digest(restarted), digest(state));
  assert.deepEqual(restarted.lessor.keysOf(BIG_ID), ["b", "c"]);
  assert.deepEqual(restarted.lessor.keysOf(8n), ["e"]);
  assert.equal(restarted.lessor.lookup(BIG_ID)?.remainingTtlSeconds, 123);
  assert.equal(restarted.lessor.lookup(9n), undefined);
});

test("a lease with a negative id survives a restart", () => {
  const { state, entries } = opened();
  entries.answer(grant(-5n, 60));
  entries.answer(put("a", "1", { lease: -5n }));
  const restarted = openState({ backend: state.backend });
  assert.deepEqual(restarted.lessor.keysOf(-5n), ["a"]);
  assert.deepEqual(content(restarted), ["a=1@2/2/1+-5"]);
});

test("a key whose lease is no longer stored stands by itself after a restart", () => {
  const { state, entries } = opened();
  entries.answer(grant(7n));
  entries.answer(put("a", "1", { lease: 7n }));
  state.backend.delete("lease", idBytes(7n));
  const restarted = openState({ backend: state.backend });
  assert.equal(restarted.lessor.leaseOf("a"), 0n);
  assert.deepEqual(content(restarted), ["a=1@2/2/1+7"]);
  assert.equal(new Entries(restarted).refusal(put("a", "2", { lease: 7n })), "LeaseNotFound");
});

test("a revoke in steps comes to what it comes to at once, and reads in between see the state before", () => {
  const outcomes = [false, true].map((inSteps) => {
    const { state, entries } = opened();
    entries.answer(grant(7n));
    for (const key of ["e", "b", "d", "a", "c"]) entries.answer(put(key, "1", { lease: 7n }));
    entries.answer(put("other", "1"));
    const before = { revision: state.store.currentRevision, content: content(state) };
    if (!inSteps) return { changes: entries.apply(revoke(7n)).changes, after: digest(state) };
    const steps = new Applier(state).steps(revoke(7n), 2);
    assert.ok(steps !== undefined);
    let pauses = 0;
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) {
      pauses++;
      assert.equal(state.store.currentRevision, before.revision);
      assert.deepEqual(content(state, before.revision), before.content);
      assert.ok(state.lessor.lookup(7n) !== undefined, "the lease goes last");
    }
    assert.equal(pauses, 2);
    assert.deepEqual(state.lessor.keysOf(7n), []);
    assert.equal(state.lessor.lookup(7n), undefined);
    return { changes: step.value.changes, after: digest(state) };
  });
  assert.equal(outcomes[0]?.changes.length, 5);
  assert.deepEqual(outcomes[0], outcomes[1]);
});

test("what has no steps: a revoke of few keys, of an unknown lease, and under a CORRUPT alarm", () => {
  const { state, entries } = opened();
  entries.answer(grant(7n));
  for (const key of ["a", "b", "c"]) entries.answer(put(key, "1", { lease: 7n }));
  const applier = new Applier(state);
  assert.equal(applier.steps(revoke(7n), 3), undefined);
  assert.equal(applier.steps(revoke(8n), 0), undefined);
  assert.ok(applier.steps(revoke(7n), 2) !== undefined);
  state.alarms.activate(1n, AlarmType.CORRUPT);
  assert.equal(applier.steps(revoke(7n), 2), undefined);
});
