import assert from "node:assert/strict";
import { test } from "node:test";
import type { EtcdError } from "../base/error.ts";
import { type AnyMethod, SERVICES } from "../proto/services.ts";
import { refusalOf, versionLabel } from "./interceptors.ts";
import { LeaderWatch } from "./leader-watch.ts";

const LED = { leaderId: 1n, isLearner: false };
const CALLER = { clientApiVersion: "3.7", requiresLeader: false };

function refusal(
  method: AnyMethod,
  {
    facts = LED,
    caller = CALLER,
    request = {} as unknown,
  }: {
    facts?: typeof LED;
    caller?: { clientApiVersion: string | undefined; requiresLeader: boolean };
    request?: unknown;
  },
): string | undefined {
  return refusalOf(facts, { ...method, service: "s" }, caller, request)?.code;
}

test("a call that asks for a leader is refused where there is none, others are not", () => {
  const { range } = SERVICES.kv.methods;
  const leaderless = { leaderId: 0n, isLearner: false };
  assert.equal(refusal(range, { facts: leaderless, caller: { ...CALLER, requiresLeader: true } }), "NoLeader");
  assert.equal(refusal(range, { facts: leaderless }), undefined);
  assert.equal(refusal(range, { caller: { ...CALLER, requiresLeader: true } }), undefined);
});

test("a client version that is no text is refused", () => {
  assert.equal(
    refusal(SERVICES.kv.methods.put, { caller: { clientApiVersion: undefined, requiresLeader: true } }),
    "InvalidClientApiVersion",
  );
});

test("a learner answers its status, stale reads and a snapshot", () => {
  const facts = { leaderId: 1n, isLearner: true };
  const { kv, maintenance, watch, lease, cluster } = SERVICES;
  const passes = (method: AnyMethod, request: unknown = {}) => refusal(method, { facts, request }) === undefined;
  assert.ok(passes(maintenance.methods.status));
  assert.ok(passes(maintenance.methods.snapshot));
  assert.ok(passes(kv.methods.range, { serializable: true }));
  assert.ok(!passes(kv.methods.range, { serializable: false }));
  for (const method of [kv.methods.put, kv.methods.rangeStream, watch.methods.watch, lease.methods.leaseKeepAlive]) {
    assert.equal(refusal(method, { facts, request: undefined }), "NotSupportedForLearner");
  }
  assert.ok(!passes(cluster.methods.memberList, { linearizable: false }));
});

test("callers cannot make up labels", () => {
  assert.equal(versionLabel("3.7"), "3.7");
  assert.equal(versionLabel("unknown"), "unknown");
  for (const made of ["", "3.777", "4.0", "3.7.1", "x".repeat(1000)]) assert.equal(versionLabel(made), "other");
});

test("streams outlive two checks without a leader, and end at the third in a row", () => {
  const facts = { leaderId: 0n, isLearner: false };
  const watch = new LeaderWatch(facts, 1_000_000);
  const ended: string[] = [];
  const stream = { abort: (error: EtcdError) => void ended.push(error.code) };
  watch.add(stream);
  watch.check();
  watch.check();
  facts.leaderId = 5n;
  watch.check();
  facts.leaderId = 0n;
  watch.check();
  watch.check();
  assert.deepEqual(ended, []);
  watch.check();
  assert.deepEqual(ended, ["NoLeader"]);
  watch.delete(stream);
  watch.check();
  assert.deepEqual(ended, ["NoLeader"]);
  watch.stop();
});
