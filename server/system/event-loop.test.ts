import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { watchEventLoop } from "./event-loop.ts";

function hold(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test("watchEventLoop() sees how long the loop was held", async () => {
  const lags: number[] = [];
  const stop = watchEventLoop((lag) => lags.push(lag));
  await sleep(30);
  hold(250);
  await sleep(130);
  stop();
  assert.ok(Math.max(...lags) >= 0.12, `${lags}`);
  assert.ok(lags.every((lag) => lag >= 0));
  const { length } = lags;
  await sleep(250);
  assert.equal(lags.length, length);
});

test("it looks less often where nothing happens, and more often again where something does", async () => {
  let looks = 0;
  const stop = watchEventLoop(() => looks++);
  await sleep(50);
  const idle = await looksDuring(() => sleep(1000));
  const busy = await looksDuring(async () => {
    for (const end = performance.now() + 1000; performance.now() < end; await sleep(5)) hold(5);
  });
  stop();
  assert.ok(idle <= 14, `${idle} looks in a second without work`);
  assert.ok(busy > 14, `${busy} looks in a second of work`);

  async function looksDuring(work: () => Promise<unknown>): Promise<number> {
    const before = looks;
    await work();
    return looks - before;
  }
});
