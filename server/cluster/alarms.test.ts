import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../../test/simulation/world/backend.ts";
import { AlarmMember, AlarmType } from "../proto/etcdserverpb.ts";
import { Alarms } from "./alarms.ts";

const { NOSPACE, CORRUPT } = AlarmType;
const BIG_ID = 0xffff_ffff_ffff_fff1n;

function pairs(alarms: readonly AlarmMember[]): [bigint, number][] {
  return alarms.map(({ memberId, alarm }) => [memberId, alarm]);
}

test("an alarm is on from its raising until that very one is taken back", () => {
  const alarms = new Alarms(new MemoryBackend());
  assert.ok(!alarms.isActive(NOSPACE));
  alarms.activate(1n, NOSPACE);
  alarms.activate(BIG_ID, NOSPACE);
  assert.ok(alarms.isActive(NOSPACE) && !alarms.isActive(CORRUPT));
  assert.equal(alarms.deactivate(1n, CORRUPT), undefined);
  assert.equal(alarms.deactivate(0n, NOSPACE), undefined);
  assert.equal(alarms.deactivate(1n, AlarmType.NONE), undefined);
  assert.deepEqual(alarms.deactivate(1n, NOSPACE), AlarmMember.create({ memberId: 1n, alarm: NOSPACE }));
  assert.ok(alarms.isActive(NOSPACE), "another member's is still on");
  alarms.deactivate(BIG_ID, NOSPACE);
  assert.ok(!alarms.isActive(NOSPACE));
  assert.equal(alarms.deactivate(BIG_ID, NOSPACE), undefined);
});

test("raising an alarm twice changes nothing", () => {
  const backend = new MemoryBackend();
  const alarms = new Alarms(backend);
  const first = alarms.activate(1n, NOSPACE);
  const pending = backend.pendingOperations();
  assert.equal(alarms.activate(1n, NOSPACE), first);
  assert.equal(backend.pendingOperations(), pending);
  assert.equal(alarms.list().length, 1);
});

test("alarms are listed all together or by their kind", () => {
  const alarms = new Alarms(new MemoryBackend());
  alarms.activate(2n, CORRUPT);
  alarms.activate(1n, NOSPACE);
  alarms.activate(2n, NOSPACE);
  assert.deepEqual(pairs(alarms.list()).length, 3);
  assert.deepEqual(pairs(alarms.list(AlarmType.NONE)).length, 3);
  assert.deepEqual(pairs(alarms.list(CORRUPT)), [[2n, CORRUPT]]);
  assert.deepEqual(pairs(alarms.list(NOSPACE)), [
    [1n, NOSPACE],
    [2n, NOSPACE],
  ]);
  assert.deepEqual(alarms.list(7), []);
});

test("what is on, and nothing else, is on after a restart", () => {
  const backend = new MemoryBackend();
  const alarms = new Alarms(backend);
  alarms.activate(1n, NOSPACE);
  alarms.activate(1n, CORRUPT);
  alarms.activate(BIG_ID, CORRUPT);
  alarms.deactivate(1n, CORRUPT);
  const restarted = new Alarms(backend);
  restarted.restore();
  assert.deepEqual(pairs(restarted.list()).sort(), pairs(alarms.list()).sort());
  assert.deepEqual(pairs(restarted.list(CORRUPT)), [[BIG_ID, CORRUPT]]);
  restarted.restore();
  assert.equal(restarted.list().length, 2);
});
