import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "../../test/simulation/world/clock.ts";
import { LogLines, pass } from "../../test/support/settling.ts";
import type { Wal } from "../wal/wal.ts";
import { SpareKeeper } from "./spare-keeper.ts";

function opened() {
  const clock = new SimClock();
  const logger = new LogLines();
  const slices: number[] = [];
  /** Slices to do, and what stands in their way. */
  const wal = { left: 0, spareTrouble: undefined as unknown };
  const prepareSpare = () => {
    slices.push(clock.monotonicMs());
    wal.left = Math.max(0, wal.left - 1);
    return wal.left > 0;
  };
  const keeper = new SpareKeeper({ wal: Object.assign(wal, { prepareSpare }) as unknown as Wal, clock, logger });
  return { clock, logger, slices, wal, keeper };
}

test("the next file is prepared in slices with pauses; ticks meanwhile add none", async () => {
  const { clock, slices, wal, keeper } = opened();
  wal.left = 3;
  keeper.tick();
  keeper.tick();
  await pass(clock, 20);
  keeper.tick();
  await pass(clock, 1000);
  assert.deepEqual(slices, [0, 15, 30]);
});

test("each tick looks once when there is nothing to do", async () => {
  const { clock, slices, keeper } = opened();
  keeper.tick();
  await pass(clock, 100);
  keeper.tick();
  await pass(clock, 100);
  assert.deepEqual(slices, [0, 100]);
});

test("trouble is told once, until it has been over", () => {
  const { logger, wal, keeper } = opened();
  wal.spareTrouble = new Error("no space");
  keeper.tick();
  keeper.tick();
  assert.equal(logger.of("warn").length, 1);
  assert.deepEqual(logger.lines[0]?.fields, { error: wal.spareTrouble });
  wal.spareTrouble = undefined;
  keeper.tick();
  wal.spareTrouble = new Error("no space again");
  keeper.tick();
  assert.equal(logger.of("warn").length, 2);
});

test("after a stop no slice comes by itself", async () => {
  const { clock, slices, wal, keeper } = opened();
  wal.left = 10;
  keeper.tick();
  keeper.stop();
  await pass(clock, 1000);
  assert.deepEqual(slices, [0]);
});
