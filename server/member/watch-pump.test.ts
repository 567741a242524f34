import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "../../test/simulation/world/clock.ts";
import { pass } from "../../test/support/settling.ts";
import type { WatchHub } from "../watch/hub.ts";
import { WatchPump } from "./watch-pump.ts";

const PROGRESS_MS = 600_000;

/** A hub that notes when it is asked to catch up, and has so many slices to do. */
function opened() {
  const clock = new SimClock();
  const caughtUp: string[] = [];
  const progress: number[] = [];
  const hub = { slices: 0 };
  const pump = new WatchPump({
    clock,
    progressNotifyMs: PROGRESS_MS,
    hub: {
      catchUp: (budget: number) => {
        caughtUp.push(`${clock.monotonicMs()}: ${budget}`);
        return --hub.slices > 0;
      },
      progressTick: () => void progress.push(clock.monotonicMs()),
    } as unknown as WatchHub,
  });
  return { clock, hub, pump, caughtUp, progress };
}

test("watchers that fall behind together are caught up together, in slices as long as a turn allows", async () => {
  const { clock, hub, pump, caughtUp } = opened();
  hub.slices = 3;
  pump.behind();
  await pass(clock, 2);
  pump.behind();
  await pass(clock, 1000);
  assert.deepEqual(caughtUp, ["5: 64", "5: 64", "5: 64"]);
});

test("whoever falls behind later begins anew; while all are level nothing is done", async () => {
  const { clock, hub, pump, caughtUp } = opened();
  await pass(clock, 1000);
  assert.deepEqual(caughtUp, []);
  hub.slices = 1;
  pump.behind();
  await pass(clock, 1000);
  hub.slices = 1;
  pump.behind();
  await pass(clock, 1000);
  assert.deepEqual(caughtUp, ["1005: 64", "2005: 64"]);
});

test("progress is looked at every interval, from the start on", async () => {
  const { clock, pump, progress } = opened();
  await pass(clock, PROGRESS_MS);
  assert.deepEqual(progress, []);
  pump.start();
  await pass(clock, 3 * PROGRESS_MS);
  assert.deepEqual(progress, [2 * PROGRESS_MS, 3 * PROGRESS_MS, 4 * PROGRESS_MS]);
});

test("after a stop nothing runs any more, whatever is asked", async () => {
  const { clock, hub, pump, caughtUp, progress } = opened();
  hub.slices = 100;
  pump.start();
  pump.behind();
  pump.stop();
  pump.behind();
  pump.start();
  await pass(clock, 2 * PROGRESS_MS);
  assert.deepEqual([caughtUp, progress], [[], []]);
});
