import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "../../test/simulation/world/clock.ts";
import { Turns } from "./turns.ts";

test("others have their turn after so many steps, however quick, and after a slow one", async () => {
  const clock = new SimClock();
  let nowMs = 0;
  const asked: (() => void)[] = [];
  const turns = new Turns({
    monotonicMs: () => nowMs,
    wallMs: () => 0,
    after: (delayMs, action) => clock.after(delayMs, action),
    soon: (action) => void asked.push(action),
  });
  let quick = 0;
  let waiting = turns.step();
  for (; waiting === undefined; waiting = turns.step()) quick++;
  assert.ok(quick > 2 && quick < 100, `${quick} quick steps in a row`);
  assert.equal(asked.length, 1);
  asked.pop()?.();
  await waiting;
  nowMs += 3;
  assert.equal(turns.step(), undefined);
  nowMs += 3;
  waiting = turns.step();
  assert.ok(waiting !== undefined, "what takes longer than a slice ends it");
  asked.pop()?.();
  await waiting;
  nowMs += 3;
  assert.equal(turns.step(), undefined, "the next slice begins with its turn");
});
