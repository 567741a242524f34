import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "../../test/simulation/world/clock.ts";
import { Deferred, LogLines, pass } from "../../test/support/settling.ts";
import { EtcdError } from "../base/error.ts";
import { AutoCompactor } from "./auto-compaction.ts";
import type { AutoCompaction } from "./options.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** A store that gets a revision a minute, and what it is asked to compact: "minute: revision". */
class World {
  readonly clock = new SimClock();
  readonly logger = new LogLines();
  readonly asked: string[] = [];
  isLeader = true;
  isIdle = false;
  #idleRevision = 0;
  /** What the next compactions come to. */
  answer: () => Promise<unknown> = () => Promise.resolve();
  readonly compactor: AutoCompactor;

  constructor(mode: AutoCompaction) {
    const { clock, logger } = this;
    this.compactor = new AutoCompactor({
      clock,
      logger,
      mode,
      currentRevision: () => this.revision,
      isLeader: () => this.isLeader,
      compact: (revision) => {
        this.asked.push(`${this.minute}: ${revision}`);
        return this.answer();
      },
    });
    this.compactor.start();
  }

  get minute(): number {
    return Math.floor(this.clock.monotonicMs() / MINUTE_MS);
  }

  /** 100 at the start. */
  get revision(): number {
    if (!this.isIdle) this.#idleRevision = 100 + this.minute;
    return this.#idleRevision;
  }

  async minutes(count: number): Promise<string[]> {
    this.asked.length = 0;
    await pass(this.clock, count * MINUTE_MS);
    return [...this.asked];
  }
}

const periodic = (minutes: number): AutoCompaction => ({ mode: "periodic", periodMs: minutes * MINUTE_MS });
const byRevision = (retainRevisions: number): AutoCompaction => ({ mode: "revision", retainRevisions });

test("a period of up to an hour: after it, and then every period, down to the revision of a period ago", async () => {
  const world = new World(periodic(10));
  assert.deepEqual(await world.minutes(9), []);
  assert.deepEqual(await world.minutes(26), ["10: 100", "20: 110", "30: 120"]);
});

test("an hour is the longest pause between compactions, the period only their distance", async () => {
  const world = new World(periodic(5 * 60));
  assert.deepEqual(await world.minutes(5 * 60 - 1), []);
  assert.deepEqual(await world.minutes(3 * 60), ["300: 100", "360: 160", "420: 220"]);
});

test("a period that its samples do not divide is never cut short", async () => {
  const world = new World(periodic(90));
  assert.deepEqual(await world.minutes(200), ["90: 100", "150: 160"]);
  const odd = new World(periodic(61));
  assert.deepEqual(await odd.minutes(140), ["66: 100", "126: 160"]);
});

test("a store that stands still is compacted once, and soon after it has moved a period ago", async () => {
  const world = new World(periodic(10));
  await world.minutes(5);
  world.isIdle = true;
  assert.deepEqual(await world.minutes(30), ["10: 100", "20: 105"]);
  assert.deepEqual(world.logger.of("info").length, 2);
  world.isIdle = false;
  assert.deepEqual(await world.minutes(12), ["46: 136"]);
});

test("whoever does not lead compacts nothing, and begins at once when it comes to lead", async () => {
  const world = new World(periodic(10));
  world.isLeader = false;
  assert.deepEqual(await world.minutes(35), []);
  world.isLeader = true;
  assert.deepEqual(await world.minutes(12), ["36: 126", "46: 136"]);
});

test("a failure is tried again at the next sample, with the revision of then", async () => {
  const world = new World(periodic(10));
  world.answer = () => Promise.reject(new EtcdError("Timeout"));
  assert.deepEqual(await world.minutes(12), ["10: 100", "11: 101", "12: 102"]);
  assert.equal(world.logger.of("warn").length, 3);
  world.answer = () => Promise.resolve();
  assert.deepEqual(await world.minutes(12), ["13: 103", "23: 113"]);
});

test("a revision that somebody else has compacted counts as done", async () => {
  const world = new World(periodic(10));
  world.answer = () => Promise.reject(new EtcdError("Compacted"));
  assert.deepEqual(await world.minutes(25), ["10: 100", "20: 110"]);
  assert.deepEqual(world.logger.lines, []);
});

test("no compaction is asked for while one is under way", async () => {
  const world = new World(periodic(10));
  const deferred = new Deferred();
  world.answer = () => deferred.promise;
  assert.deepEqual(await world.minutes(100), ["10: 100"]);
  world.answer = () => Promise.resolve();
  deferred.resolve();
  await pass(world.clock, 0);
  assert.equal((await world.minutes(12)).length, 1);
});

test("by revision: every five minutes, down to what is to be kept", async () => {
  const world = new World(byRevision(20));
  assert.deepEqual(await world.minutes(4), []);
  assert.deepEqual(await world.minutes(12), ["5: 85", "10: 90", "15: 95"]);
});

test("by revision: nothing while there is less than is to be kept, nor twice the same", async () => {
  const small = new World(byRevision(110));
  assert.deepEqual(await small.minutes(11), []);
  assert.deepEqual(await small.minutes(5), ["15: 5"]);
  small.isIdle = true;
  assert.deepEqual(await small.minutes(30), []);
  const follower = new World(byRevision(1));
  follower.isLeader = false;
  assert.deepEqual(await follower.minutes(60), []);
});

test("after a stop nothing is asked for, not even when one was under way", async () => {
  const world = new World(periodic(10));
  const deferred = new Deferred();
  world.answer = () => deferred.promise;
  await world.minutes(10);
  world.compactor.stop();
  deferred.resolve();
  assert.deepEqual(await world.minutes(60), []);
  const early = new World(byRevision(1));
  early.compactor.stop();
  assert.deepEqual(await early.minutes(60), []);
});

test("a period of an hour makes 24 compactions a day", async () => {
  const world = new World({ mode: "periodic", periodMs: HOUR_MS });
  assert.equal((await world.minutes(24 * 60)).length, 24);
});
