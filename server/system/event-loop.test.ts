import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { watchEventLoop } from "./event-loop.ts";

test("watchEventLoop() sees how long the loop was held", async () => {
  const lags: number[] = [];
  const stop = watchEventLoop((lag) => lags.push(lag));
  await sleep(30);
  const end = performance.now() + 120;
  while (performance.now() < end);
  await sleep(30);
  stop();
  assert.ok(Math.max(...lags) >= 0.09, `${lags}`);
  assert.ok(lags.every((lag) => lag >= 0));
  const { length } = lags;
  await sleep(50);
  assert.equal(lags.length, length);
});
