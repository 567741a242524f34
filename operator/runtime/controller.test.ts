import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { VirtualTime } from "../../test/operator/virtual-time.ts";
import { Controller, type Reconciled } from "./controller.ts";
import { KubeError } from "./kube.ts";
import { pause } from "./time.ts";

interface Run {
  readonly key: string;
  readonly at: number;
}

/** A controller whose passes take `takesMs` and end as `outcome` says. */
function started(
  outcome: (key: string, run: number) => Reconciled,
  { takesMs = 0, concurrency = 8, limitMs = 600_000 } = {},
) {
  const time = new VirtualTime();
  const runs: Run[] = [];
  const results: string[] = [];
  const failures: unknown[] = [];
  const signals: AbortSignal[] = [];
  const running = new Map<string, number>();
  let most = 0;
  const controller = new Controller({
    name: "test",
    time,
    concurrency,
    limitMs,
    async reconcile(key, signal) {
      runs.push({ key, at: time.monotonic() });
      signals.push(signal);
      running.set(key, (running.get(key) ?? 0) + 1);
      assert.equal(running.get(key), 1, `two workers on ${key}`);
      most = Math.max(
        most,
        [...running.values()].reduce((sum, count) => sum + count, 0),
      );
      try {
        if (takesMs > 0) await pause(time, takesMs);
        return outcome(key, runs.filter((run) => run.key === key).length);
      } finally {
        running.set(key, 0);
      }
    },
    failed: (_, error) => failures.push(error),
    metrics: { queued: () => undefined, reconciled: (_, result) => results.push(result) },
  });
  controller.start();
  return { time, controller, runs, results, failures, signals, most: () => most };
}

describe("Controller", () => {
  it("runs a key when it is added, and again when the pass says so", async () => {
    const { time, controller, runs, results } = started((_, run) => (run < 3 ? { againInMs: 10_000 } : {}));
    controller.queue.add("a");
    await time.advance(100_000);
    assert.deepEqual(
      runs.map(({ at }) => at),
      [0, 10_000, 20_000],
    );
    assert.deepEqual(results, ["again", "again", "done"]);
  });

  it("tries again with growing pauses after failures, and soon again once a pass went well", async () => {
    const { time, controller, runs, failures, results } = started((_, run) => {
      if (run <= 4) throw new Error(`failure ${run}`);
      return {};
    });
    controller.queue.add("a");
    await time.advance(60_000);
    assert.equal(runs.length, 5);
    const gaps = runs.slice(1).map(({ at }, index) => at - (runs[index] as Run).at);
    for (const [index, gap] of gaps.entries())
      assert.ok(gap >= 800 * 2 ** index && gap <= 1200 * 2 ** index, String(gaps));
    assert.equal(failures.length, 4);
    assert.deepEqual(results, ["error", "error", "error", "error", "done"]);
    assert.equal(controller.queue.failures("a"), 0);
  });

  it("counts a conflict apart, and heeds what the server asks for", async () => {
    const { time, controller, runs, results } = started((_, run) => {
      if (run === 1) throw new KubeError("changed", 409, "Conflict");
      if (run === 2) throw new KubeError("too many", 429, "TooManyRequests", 30_000);
      return {};
    });
    controller.queue.add("a");
    await time.advance(120_000);
    assert.deepEqual(results, ["conflict", "error", "done"]);
    assert.equal((runs[2] as Run).at - (runs[1] as Run).at, 30_000);
  });

  it("runs at most so many keys at once, and a key never twice", async () => {
    const { time, controller, runs, most } = started(() => ({}), { takesMs: 1000, concurrency: 3 });
    for (let round = 0; round < 4; round++) {
      for (let key = 0; key < 10; key++) controller.queue.add(`k-${key}`);
      await time.advance(500);
    }
    await time.advance(60_000);
    assert.equal(most(), 3);
    assert.equal(new Set(runs.map(({ key }) => key)).size, 10);
    assert.equal(controller.queue.depth, 0);
  });

  it("one key that hangs holds up no other one, and is told to give up", async () => {
    const { time, controller, runs, signals } = started(() => ({}), { limitMs: 5000, takesMs: 20_000, concurrency: 2 });
    controller.queue.add("a");
    await time.advance(4999);
    assert.equal(signals[0]?.aborted, false);
    await time.advance(1);
    assert.equal(signals[0]?.aborted, true);
    controller.queue.add("b");
    await time.settle();
    assert.deepEqual(
      runs.map(({ key }) => key),
      ["a", "b"],
    );
  });

  it("stop() begins nothing new and waits for what is under way", async () => {
    const { time, controller, runs } = started(() => ({ againInMs: 10 }), { takesMs: 3000 });
    controller.queue.add("a");
    await time.settle();
    controller.queue.addAfter("b", 1000);
    const stopped = controller.stop(10_000);
    assert.equal(await time.until(stopped), true);
    assert.equal(time.monotonic(), 3000);
    await time.advance(60_000);
    assert.equal(runs.length, 1);
  });

  it("stop() tells those to give up that outlast the drain, and says that somebody is still at work", async () => {
    const { time, controller, signals } = started(() => ({}), { takesMs: 60_000 });
    controller.queue.add("a");
    await time.settle();
    assert.equal(await time.until(controller.stop(10_000)), false);
    assert.equal(time.monotonic(), 10_000);
    assert.equal(signals[0]?.aborted, true);
  });

  it("a listener for failures that fails itself ends no worker", async () => {
    const time = new VirtualTime();
    let runs = 0;
    const controller = new Controller({
      name: "test",
      time,
      concurrency: 1,
      async reconcile() {
        runs++;
        throw new Error("always");
      },
      failed() {
        throw new Error("as well");
      },
    });
    controller.start();
    controller.queue.add("a");
    await time.advance(5000);
    assert.ok(runs >= 2);
  });
});
