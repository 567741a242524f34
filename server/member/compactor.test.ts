import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "../../test/simulation/world/clock.ts";
import { Deferred, LogLines, pass, within } from "../../test/support/settling.ts";
import type { Compaction } from "../mvcc/compaction.ts";
import { Compactor } from "./compactor.ts";
import { NO_METRICS } from "./member-metrics.ts";

const SLEEP_MS = 10;

function opened() {
  const clock = new SimClock();
  const logger = new LogLines();
  const events: string[] = [];
  /** Commits that wait for the test; none: a commit is durable at once. */
  const held: Deferred[] = [];
  let holds = false;
  const room = { isThere: true };
  const compactor = new Compactor({
    clock,
    logger,
    metrics: { ...NO_METRICS, compacted: () => void events.push("metrics: compacted") },
    batchRevisions: 100,
    sleepMs: SLEEP_MS,
    commit: () => {
      events.push("commit");
      if (!holds) return Promise.resolve();
      const deferred = new Deferred();
      held.push(deferred);
      return deferred.promise;
    },
    noteWork: () => void events.push("noted"),
    hasRoom: () => room.isThere,
  });
  /** A compaction that needs so many slices. */
  const compaction = (revision: number, slices: number) => {
    let done = 0;
    const step = (revisions: number) => {
      events.push(`${clock.monotonicMs()} ms: slice of ${revision}, ${revisions} at most`);
      return ++done >= slices;
    };
    compactor.add({ revision, step } as unknown as Compaction);
  };
  const hold = () => {
    holds = true;
  };
  return { clock, logger, events, held, hold, room, compactor, compaction };
}

test("while the batch has enough nothing is added to it", async () => {
  const { clock, events, room, compactor, compaction } = opened();
  room.isThere = false;
  compaction(7, 1);
  const idle = compactor.idle();
  await pass(clock, 25);
  assert.deepEqual(events, ["noted", "noted", "noted"]);
  room.isThere = true;
  await within(clock, 100, idle);
  assert.equal(events[3], "30 ms: slice of 7, 100 at most");
});

test("a compaction is done in slices with a pause between them, noted one by one, and committed at its end", async () => {
  const { clock, logger, events, compactor, compaction } = opened();
  compaction(7, 3);
  await within(clock, 100, compactor.idle());
  assert.deepEqual(events, [
    "0 ms: slice of 7, 100 at most",
    "noted",
    "10 ms: slice of 7, 100 at most",
    "noted",
    "20 ms: slice of 7, 100 at most",
    "noted",
    "commit",
    "metrics: compacted",
  ]);
  assert.deepEqual(logger.lines[0]?.fields, { "compact-revision": 7, took: "20.000ms" });
});

test("who waits hears of the end only when what was deleted is durable", async () => {
  const { clock, held, hold, compactor, compaction } = opened();
  hold();
  compaction(7, 1);
  let idle = false;
  void compactor.idle().then(() => {
    idle = true;
  });
  await pass(clock, 1000);
  assert.deepEqual([held.length, idle], [1, false]);
  held[0]?.resolve();
  await pass(clock, 0);
  assert.ok(idle);
});

test("without work nobody waits", async () => {
  const { clock, compactor, compaction } = opened();
  await compactor.idle();
  compaction(7, 2);
  await within(clock, 100, compactor.idle());
  await compactor.idle();
});

test("compactions are done one after another, and each who waits, waits for all that were queued then", async () => {
  const { clock, events, compactor, compaction } = opened();
  const ended: string[] = [];
  compaction(7, 2);
  void compactor.idle().then(() => ended.push("7"));
  compaction(8, 1);
  void compactor.idle().then(() => ended.push("8"));
  compaction(9, 1);
  await within(clock, 1000, compactor.idle());
  assert.deepEqual(
    events.filter((event) => event.includes("slice")).map((event) => event.replace(/,.*/, "")),
    ["0 ms: slice of 7", "10 ms: slice of 7", "20 ms: slice of 8", "30 ms: slice of 9"],
  );
  assert.deepEqual(ended, ["7", "8"]);
});

test("a compaction that comes while the one before it is committed is done after it, and its waiters hear of it", async () => {
  const { clock, events, held, hold, compactor, compaction } = opened();
  hold();
  compaction(7, 1);
  await pass(clock, 0);
  compaction(8, 2);
  const idle = compactor.idle();
  await pass(clock, 100);
  assert.equal(held.length, 1, "nothing is done beside the commit");
  held[0]?.resolve();
  await pass(clock, 100);
  held[1]?.resolve();
  await within(clock, 100, idle);
  assert.deepEqual(
    events.filter((event) => event.includes("slice")).map((event) => event.replace(/.*slice of (\d).*/, "$1")),
    ["7", "8", "8"],
  );
  assert.equal(events.filter((event) => event === "commit").length, 2);
});

test("a stop ends the work and lets go of everybody who waits", async () => {
  const { clock, events, compactor, compaction } = opened();
  compaction(7, 5);
  compaction(8, 5);
  const waiting = [compactor.idle(), compactor.idle()];
  await pass(clock, 15);
  compactor.stop();
  await Promise.all(waiting);
  const before = events.length;
  await pass(clock, 1000);
  assert.equal(events.length, before);
});

test("a stop while a compaction is committed begins no other", async () => {
  const { clock, events, held, hold, compactor, compaction } = opened();
  hold();
  compaction(7, 1);
  compaction(8, 1);
  await pass(clock, 0);
  compactor.stop();
  held[0]?.resolve();
  await pass(clock, 1000);
  assert.equal(events.filter((event) => event.includes("slice")).length, 1);
});
