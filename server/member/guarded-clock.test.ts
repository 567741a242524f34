import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "../../test/simulation/world/clock.ts";
import { pass } from "../../test/support/settling.ts";
import { guardedClock } from "./guarded-clock.ts";

test("what a timer's action throws is heard, and the clock goes on", async () => {
  const clock = new SimClock();
  const heard: unknown[] = [];
  const guarded = guardedClock(clock, (error) => heard.push(error));
  const ran: string[] = [];
  const mistake = new Error("a broken promise");
  for (const [name, run] of [
    ["soon", guarded.soon],
    ["after", (action: () => void) => void guarded.after(5, action)],
  ] as const) {
    run(() => {
      throw mistake;
    });
    run(() => ran.push(name));
  }
  await pass(clock, 10);
  assert.deepEqual(heard, [mistake, mistake]);
  assert.deepEqual(ran, ["soon", "after"]);
});

test("time and cancelling are those of the clock below", async () => {
  const clock = new SimClock();
  const guarded = guardedClock(clock, () => assert.fail("nothing is thrown"));
  guarded.after(5, () => assert.fail("canceled")).cancel();
  await pass(clock, 10);
  assert.equal(guarded.monotonicMs(), 10);
  assert.equal(guarded.wallMs(), clock.wallMs());
});
