import assert from "node:assert/strict";
import { test } from "node:test";
import { SystemClock } from "./clock.ts";
import { SystemRandom } from "./random.ts";

test("the clock goes on, calls once after a while or soon, and not when cancelled", async () => {
  const clock = new SystemClock();
  const started = clock.monotonicMs();
  const calls: string[] = [];
  clock.after(5, () => calls.push("cancelled")).cancel();
  clock.soon(() => calls.push("soon"));
  await new Promise<void>((resolve) => clock.after(10, resolve));
  assert.deepEqual(calls, ["soon"]);
  assert.ok(clock.monotonicMs() - started >= 9);
  assert.ok(Math.abs(clock.wallMs() - Date.now()) < 1000);
});

test("random numbers stay below their bound, and bytes have the length asked for", () => {
  const random = new SystemRandom();
  for (let round = 0; round < 100; round++) {
    const value = random.below(3);
    assert.ok(Number.isInteger(value) && value >= 0 && value < 3);
  }
  assert.equal(random.bytes(20).length, 20);
  assert.notDeepEqual(random.bytes(20), random.bytes(20));
});
