import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_METRICS } from "./member-metrics.ts";
import { ReadBarrier } from "./read.ts";

function barrierAt(clock: { now: number }) {
  const asked: bigint[] = [];
  const barrier = new ReadBarrier({
    clock: {
      monotonicMs: () => clock.now,
      wallMs: () => 0,
      after: () => ({ cancel: () => undefined }),
      soon: () => undefined,
    },
    ask: (context) => asked.push(context),
    schedule: () => undefined,
    timeoutMs: 7000,
    metrics: NO_METRICS,
  });
  return { barrier, asked };
}

async function settled(promise: Promise<void>): Promise<string> {
  return Promise.race([
    promise.then(
      () => "resolved",
      (error: Error) => error.message,
    ),
    Promise.resolve().then(() => Promise.resolve("waiting")),
  ]);
}

test("reads of one turn share a round; those that come during a round share the next", async () => {
  const { barrier, asked } = barrierAt({ now: 0 });
  const first = barrier.wait();
  assert.equal(barrier.wait(), first);
  barrier.begin();
  const second = barrier.wait();
  assert.notEqual(second, first);
  barrier.begin();
  assert.deepEqual(asked, [1n]);
  barrier.answered([{ context: 1n, index: 0 }]);
  await first;
  barrier.begin();
  assert.deepEqual(asked, [1n, 2n]);
});

test("a read waits until the index of its answer is applied", async () => {
  const { barrier } = barrierAt({ now: 0 });
  const read = barrier.wait();
  barrier.begin();
  barrier.answered([{ context: 1n, index: 5 }]);
  barrier.appliedThrough(4);
  assert.equal(await settled(read), "waiting");
  barrier.appliedThrough(5);
  await read;
});

test("a question asked again has a new id, and the old answer no longer counts", async () => {
  const clock = { now: 0 };
  const { barrier, asked } = barrierAt(clock);
  const read = barrier.wait();
  barrier.begin();
  clock.now = 600;
  barrier.tick();
  assert.deepEqual(asked, [1n, 2n]);
  barrier.answered([{ context: 1n, index: 0 }]);
  assert.equal(await settled(read), "waiting");
  barrier.answered([{ context: 2n, index: 0 }]);
  await read;
});

test("without an answer a read ends with Timeout", async () => {
  const clock = { now: 0 };
  const { barrier } = barrierAt(clock);
  const read = barrier.wait();
  barrier.begin();
  clock.now = 7000;
  barrier.tick();
  await assert.rejects(read, { code: "Timeout" });
});
