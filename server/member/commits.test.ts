import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../../test/simulation/world/backend.ts";
import { SimClock } from "../../test/simulation/world/clock.ts";
import { pass, within } from "../../test/support/settling.ts";
import { loadConsistentIndex } from "../apply/consistent-index.ts";
import { idBytes } from "../base/int64.ts";
import { Prng } from "../base/prng.ts";
import { BackendFull } from "../ports/backend.ts";
import { Commits } from "./commits.ts";
import { NO_METRICS } from "./member-metrics.ts";

const BATCH_MS = 100;
const BATCH_OPERATIONS = 20;
const BATCH_BYTES = 10_000;
/** A commit's sync. */
const SYNC_MS = 30;

class World {
  readonly clock = new SimClock();
  backend: MemoryBackend;
  commits: Commits;
  applied = 0;
  /** "ms: index" of what has become durable. */
  readonly durable: string[] = [];
  readonly failed: unknown[] = [];
  committed = 0;

  constructor({ syncMs = SYNC_MS, ...options }: { syncMs?: number; maxSizeBytes?: number } = {}) {
    this.backend = new MemoryBackend({ ...options, sync: (done) => void this.clock.after(syncMs, done) });
    this.commits = this.#commits();
  }

  #commits(): Commits {
    return new Commits({
      backend: this.backend,
      clock: this.clock,
      metrics: { ...NO_METRICS, backendCommitted: () => void this.committed++ },
      batchMs: BATCH_MS,
      batchOperations: BATCH_OPERATIONS,
      batchBytes: BATCH_BYTES,
      applied: () => ({ index: this.applied, term: 1 }),
      durable: (index) => void this.durable.push(`${this.clock.monotonicMs()}: ${index}`),
      failed: (error) => void this.failed.push(error),
    });
  }

  /** Applies entries, each of which puts something, as the loop does. */
  apply(count: number, bytes = 1): void {
    for (let at = 0; at < count; at++) {
      this.applied++;
      this.backend.put("key", idBytes(BigInt(this.applied)), new Uint8Array(bytes));
    }
    this.commits.note();
  }

  /** What is left of it after the process has died now. */
  crash(): { index: number; records: number } {
    this.clock.forgetAll();
    const survivor = this.backend.crash();
    return { index: loadConsistentIndex(survivor).index, records: survivor.recordCount("key") ?? -1 };
  }
}

test("what was applied is committed together some time after its first entry", async () => {
  const world = new World();
  world.apply(1);
  await pass(world.clock, 60);
  world.apply(2);
  await pass(world.clock, 1000);
  assert.deepEqual(world.durable, [`${BATCH_MS + SYNC_MS}: 3`]);
  assert.deepEqual([world.commits.durableIndex, world.committed, world.backend.pendingOperations()], [3, 1, 0]);
  await pass(world.clock, 10_000);
  assert.equal(world.committed, 1, "nothing more is committed while nothing is applied");
});

test("a batch that is full of operations or of bytes is committed at once", async () => {
  const many = new World();
  many.apply(BATCH_OPERATIONS);
  await pass(many.clock, SYNC_MS);
  assert.deepEqual(many.durable, [`${SYNC_MS}: ${BATCH_OPERATIONS}`]);
  const large = new World();
  large.apply(2, BATCH_BYTES / 2);
  await pass(large.clock, SYNC_MS);
  assert.deepEqual(large.durable, [`${SYNC_MS}: 2`]);
});

test("what is applied while a commit is under way waits for the next, which does not run beside it", async () => {
  const world = new World();
  world.apply(BATCH_OPERATIONS);
  await pass(world.clock, 10);
  world.apply(BATCH_OPERATIONS);
  await pass(world.clock, 10);
  assert.deepEqual(world.durable, []);
  assert.equal(world.backend.pendingOperations(), BATCH_OPERATIONS);
  await pass(world.clock, 1000);
  assert.deepEqual(world.durable, ["30: 20", "60: 40"]);
});

test("a slow disk gets one commit at a time: what comes meanwhile is gathered for the next", async () => {
  const world = new World({ syncMs: 250 });
  for (let at = 0; at < 70; at++) {
    world.apply(1);
    await pass(world.clock, 10);
  }
  await pass(world.clock, 1000);
  assert.deepEqual(world.durable, ["350: 10", "600: 35", "850: 60", "1150: 70"]);
});

test("there is room until a commit lags behind by several batches of operations or one of bytes", async () => {
  const world = new World();
  world.apply(10 * BATCH_OPERATIONS);
  assert.ok(world.commits.hasRoom, "what is being committed is no longer in the batch");
  world.apply(4 * BATCH_OPERATIONS - 1);
  assert.ok(world.commits.hasRoom);
  world.apply(1);
  assert.ok(!world.commits.hasRoom);
  await pass(world.clock, SYNC_MS);
  assert.ok(world.commits.hasRoom, "the commit is done, and the next has taken the batch");
  world.apply(1, BATCH_BYTES);
  assert.ok(!world.commits.hasRoom);
  await pass(world.clock, 1000);
  assert.ok(world.commits.hasRoom);
});

test("a commit asked for is done now, beside one under way, and they become durable in order", async () => {
  const world = new World();
  world.apply(1);
  const first = world.commits.commit();
  world.apply(1);
  const second = world.commits.commit();
  await within(world.clock, 1000, Promise.all([first, second]));
  assert.deepEqual(world.durable, [`${SYNC_MS}: 1`, `${SYNC_MS}: 2`]);
  await pass(world.clock, 1000);
  assert.equal(world.committed, 2, "the timer was taken back");
});

test("the index that is committed is that of the effects beside it, whenever the process dies", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const world = new World();
    const prng = new Prng(seed);
    for (let step = 0; step < 30; step++) {
      world.apply(prng.below(12), prng.chance(0.1) ? 5000 : 1);
      if (prng.chance(0.1)) void world.commits.commit();
      await pass(world.clock, prng.below(40));
    }
    const { durableIndex } = world.commits;
    const { index, records } = world.crash();
    assert.equal(records, index, `seed ${seed}`);
    assert.equal(index, durableIndex, `seed ${seed}: what was said to be durable is there, and nothing more`);
  }
});

test("a failure is told, and nothing is tried again", async () => {
  const world = new World();
  world.backend.failNextCommit(new Error("the disk is dead"));
  world.apply(1);
  await within(world.clock, 1000, world.commits.commit());
  await pass(world.clock, 60_000);
  assert.equal(world.failed.length, 1);
  assert.deepEqual([world.durable, world.commits.durableIndex], [[], 0]);
});

test("a store that is full is told of and tried again every second, until something has made room", async () => {
  const world = new World({ maxSizeBytes: 1000 });
  world.apply(10, 100);
  await pass(world.clock, 3500);
  assert.equal(world.failed.length, 4);
  assert.ok(world.failed.every((error) => error instanceof BackendFull));
  assert.deepEqual([world.durable, world.commits.hasRoom], [[], true]);
  for (let index = 1; index <= 8; index++) world.backend.delete("key", idBytes(BigInt(index)));
  await pass(world.clock, 1000);
  assert.equal(world.failed.length, 4);
  assert.equal(world.commits.durableIndex, 10);
});

test("after a stop no timer commits", async () => {
  const world = new World();
  world.apply(1);
  world.commits.stop();
  await pass(world.clock, 10_000);
  assert.deepEqual(world.durable, []);
});

test("while an entry is applied in part nothing becomes durable; who asked for a commit has it afterwards", async () => {
  const world = new World();
  world.apply(1);
  world.commits.hold();
  world.apply(3 * BATCH_OPERATIONS);
  let asked = false;
  void world.commits.commit().then(() => {
    asked = true;
  });
  await pass(world.clock, 10 * BATCH_MS);
  assert.deepEqual([world.durable, asked, world.commits.isHeld], [[], false, true]);
  world.commits.release();
  await pass(world.clock, 2 * SYNC_MS);
  assert.equal(asked, true);
  assert.match(world.durable.join(), new RegExp(`: ${world.applied}$`));
});
