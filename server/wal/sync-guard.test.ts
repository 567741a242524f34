import assert from "node:assert/strict";
import { test } from "node:test";
import { SyncGuard } from "./sync-guard.ts";

/** A disk whose syncs take `durationMs`, asked every 2 ms for `forMs`; the share that held the loop. */
function run(guard: SyncGuard, clock: { nowMs: number }, forMs: number, durationMs: number, isLone = false): number {
  let held = 0;
  let asked = 0;
  for (const end = clock.nowMs + forMs; clock.nowMs < end; clock.nowMs += 2) {
    asked++;
    if (guard.mayBlock(clock.nowMs, isLone)) held++;
    clock.nowMs += durationMs;
    guard.record(durationMs, clock.nowMs);
  }
  return held / asked;
}

test("quick syncs hold the loop, from the first on", () => {
  assert.equal(run(new SyncGuard(), { nowMs: 0 }, 1000, 0.15), 1);
});

test("slow syncs run beside it, but for a try a second", () => {
  const guard = new SyncGuard();
  const clock = { nowMs: 0 };
  run(guard, clock, 1000, 1);
  const share = run(guard, clock, 10_000, 1);
  assert.ok(share > 0 && share < 0.005, `${share}`);
});

test("under a lone write slower syncs hold the loop too, until others ask", () => {
  const guard = new SyncGuard();
  const clock = { nowMs: 0 };
  assert.equal(run(guard, clock, 1000, 1, true), 1);
  assert.ok(run(guard, clock, 10_000, 1) < 0.005);
  assert.equal(run(guard, clock, 1000, 1, true), 1);
});

test("a disk too slow for that is waited for beside the loop, and so is one that has stalled", () => {
  const slow = { nowMs: 0 };
  const guard = new SyncGuard();
  run(guard, slow, 1000, 4, true);
  assert.ok(run(guard, slow, 10_000, 4, true) < 0.01);
  const quick = new SyncGuard();
  run(quick, { nowMs: 0 }, 1000, 0.5, true);
  assert.equal(quick.mayBlock(2000, true), true);
  quick.record(21, 2021);
  assert.equal(quick.mayBlock(2022, true), false);
});

test("a stall sends syncs beside the loop for a second", () => {
  const guard = new SyncGuard();
  const clock = { nowMs: 0 };
  run(guard, clock, 1000, 0.15);
  assert.equal(guard.mayBlock(clock.nowMs), true);
  clock.nowMs += 300;
  guard.record(300, clock.nowMs);
  assert.equal(guard.mayBlock(clock.nowMs), false);
  assert.equal(guard.mayBlock(clock.nowMs + 999), false);
  clock.nowMs += 1000;
  assert.ok(run(guard, clock, 10_000, 0.15) > 0.8, "one stall is not the speed of the disk");
});

test("stalls that come again and again keep syncs beside the loop for longer, up to a minute", () => {
  const guard = new SyncGuard();
  let nowMs = 0;
  const calms: number[] = [];
  for (let stall = 0; stall < 9; stall++) {
    while (!guard.mayBlock(nowMs)) nowMs += 10;
    guard.record(200, nowMs);
    const from = nowMs;
    while (!guard.mayBlock(nowMs)) nowMs += 10;
    calms.push(nowMs - from);
    guard.record(0.1, nowMs);
    guard.mayBlock(nowMs);
  }
  assert.deepEqual(calms.slice(0, 4), [1000, 2000, 4000, 8000]);
  assert.equal(calms.at(-1), 60_000);
});

test("a disk that has become quick again is noticed within seconds", () => {
  const guard = new SyncGuard();
  const clock = { nowMs: 0 };
  run(guard, clock, 5000, 3);
  assert.ok(run(guard, clock, 1000, 0.15) < 0.1);
  run(guard, clock, 6000, 0.15);
  assert.equal(run(guard, clock, 1000, 0.15), 1);
});

test("a busy loop, which makes syncs beside it look long, is no stall", () => {
  const guard = new SyncGuard();
  run(guard, { nowMs: 0 }, 100, 0.15);
  guard.mayBlock(1000);
  guard.record(6, 1006); // a stall on the loop
  assert.equal(guard.mayBlock(1100), false);
  guard.record(30, 1130);
  assert.equal(guard.mayBlock(2006), true);
});
