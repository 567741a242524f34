import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compaction,
  compare,
  content,
  deleteRange,
  digest,
  Entries,
  grant,
  openState,
  put,
  range,
  revoke,
  txn,
} from "../../test/support/apply-state.ts";
import { AlarmType, CompareResult, CompareTarget, type InternalRequest } from "../proto/etcdserverpb.ts";
import { costBytes } from "./costs.ts";
import { alarmGate, withinQuota } from "./gates.ts";

const ALARM_MEMBER = 0x8e9e_05c5_2164_694dn;

/** One request of each kind that is asked for something at the gates, by name. */
const REQUESTS: Record<string, InternalRequest> = {
  range: range("a"),
  put: put("a", "2"),
  deleteRange: deleteRange("a"),
  "txn that puts": txn({ run: [put("a", "2")] }),
  "txn that puts in its other branch": txn({ orElse: [put("a", "2")] }),
  "txn that puts in a nested one": txn({ run: [txn({ orElse: [put("a", "2")] })] }),
  "txn that deletes": txn({ run: [deleteRange("a"), range("a")] }),
  "txn that does nothing": txn({}),
  compaction: compaction(2),
  leaseGrant: grant(8n),
  leaseRevoke: revoke(7n),
  leaseCheckpoint: { kind: "leaseCheckpoint", value: { checkpoints: [] } },
  alarm: { kind: "alarm", value: { action: 0, memberId: 0n, alarm: 0 } },
  clusterVersionSet: { kind: "clusterVersionSet", value: { ver: "3.7.0" } },
};

/** What the gate says of every request while the alarms are on. */
function refused(...alarms: number[]): Record<string, string[]> {
  const { state } = ringing(...alarms);
  const byCode: Record<string, string[]> = {};
  for (const [name, request] of Object.entries(REQUESTS)) {
    const code = alarmGate(state, request);
    if (code === undefined) continue;
    byCode[code] ??= [];
    byCode[code].push(name);
  }
  return byCode;
}

function ringing(...alarms: number[]) {
  const state = openState();
  const entries = new Entries(state);
  entries.answer(grant(7n));
  entries.answer(put("a", "1"));
  for (const alarm of alarms) state.alarms.activate(ALARM_MEMBER, alarm);
  return { state, entries };
}

const GROWING = [
  "put",
  "txn that puts",
  "txn that puts in its other branch",
  "txn that puts in a nested one",
  "leaseGrant",
];
const OF_DATA = [
  "range",
  "put",
  "deleteRange",
  "txn that puts",
  "txn that puts in its other branch",
  "txn that puts in a nested one",
  "txn that deletes",
  "txn that does nothing",
  "compaction",
  "leaseGrant",
  "leaseRevoke",
];

test("without an alarm everything passes", () => {
  assert.deepEqual(refused(), {});
});

test("NOSPACE refuses what adds to the data, and lets deletions, compactions and reads pass", () => {
  assert.deepEqual(refused(AlarmType.NOSPACE), { NoSpace: GROWING });
});

test("CORRUPT refuses everything that touches the data", () => {
  assert.deepEqual(refused(AlarmType.CORRUPT), { Corrupt: OF_DATA });
});

test("CORRUPT is asked before NOSPACE", () => {
  assert.deepEqual(refused(AlarmType.CORRUPT, AlarmType.NOSPACE), { Corrupt: OF_DATA });
});

test("what an alarm refuses changes nothing; once it is disarmed it passes", () => {
  const { state, entries } = ringing(AlarmType.NOSPACE);
  const before = digest(state);
  for (const name of GROWING) assert.equal(entries.refusal(REQUESTS[name] as InternalRequest), "NoSpace");
  assert.deepEqual(digest(state), before);
  assert.equal(entries.answer(txn({ run: [deleteRange("a")] })).header?.revision, 3);
  state.alarms.deactivate(ALARM_MEMBER, AlarmType.NOSPACE);
  assert.equal(entries.refusal(put("a", "2")), "none");
});

test("a put costs 256 bytes and its key and value, a lease 64, a transaction its dearer branch with what is nested in it", () => {
  assert.equal(costBytes(put("abc", "12345")), 264);
  assert.equal(costBytes(grant(1n)), 64);
  assert.equal(costBytes(txn({ run: [put("a"), put("b", "1")], orElse: [put("c", "123")] })), 257 + 258);
  assert.equal(costBytes(txn({ run: [put("a")], orElse: [put("b"), put("c")] })), 2 * 257);
  const nested = txn({ run: [put("a", "1"), txn({ run: [put("b")], orElse: [put("c", "123")] }), deleteRange("z")] });
  assert.equal(costBytes(nested), 258 + 260);
  for (const name of ["range", "deleteRange", "txn that deletes", "compaction", "leaseRevoke", "alarm"])
    assert.equal(costBytes(REQUESTS[name] as InternalRequest), 0, name);
});

test("what is asked must stay below the quota; what costs nothing always fits", () => {
  const { state } = ringing();
  const cost = costBytes(put("b", "1"));
  const quotaBytes = state.backend.sizeInUseBytes() + cost;
  assert.ok(!withinQuota({ ...state, quotaBytes }, costBytes(put("b", "1"))));
  assert.ok(withinQuota({ ...state, quotaBytes: quotaBytes + 1 }, costBytes(put("b", "1"))));
  assert.ok(withinQuota({ ...state, quotaBytes: 1 }, costBytes(deleteRange("a"))));
  assert.ok(withinQuota({ ...state, quotaBytes: undefined }, costBytes(put("b", "x".repeat(10_000)))));
});

test("what is over the quota when it is applied is done all the same, and answered with NoSpace", () => {
  const state = openState({ quotaBytes: 1 });
  const entries = new Entries(state);
  const noSpace = { ok: false, code: "NoSpace", detail: undefined };
  const { outcome, changes } = entries.apply(put("a", "1"));
  assert.deepEqual([outcome, changes.length], [noSpace, 1]);
  assert.deepEqual(entries.apply(grant(7n)).outcome, noSpace);
  assert.ok(state.lessor.lookup(7n) !== undefined);
  assert.deepEqual(entries.apply(txn({ run: [put("b", "2", { lease: 7n })] })).outcome, noSpace);
  assert.deepEqual(content(state), ["a=1@2/2/1", "b=2@3/3/1+7"]);
  assert.equal(entries.answer(deleteRange("a", "\0")).deleted, 2);
});

test("over the quota, a refusal of its own comes before NoSpace, as nothing was done", () => {
  const entries = new Entries(openState({ quotaBytes: 1 }));
  assert.equal(entries.refusal(put("a", "1", { lease: 9n })), "LeaseNotFound");
  const no = [compare("a", CompareTarget.VERSION, CompareResult.GREATER, undefined)];
  assert.equal(entries.refusal(txn({ when: no, run: [put("a", "1")] })), "NoSpace");
});
