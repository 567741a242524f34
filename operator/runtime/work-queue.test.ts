import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { VirtualTime } from "../../test/operator/virtual-time.ts";
import { WorkQueue } from "./work-queue.ts";

function opened(): { readonly time: VirtualTime; readonly queue: WorkQueue } {
  const time = new VirtualTime();
  return { time, queue: new WorkQueue(time) };
}

/** What a worker would get now, without waiting for more. */
async function taken(queue: WorkQueue): Promise<readonly string[]> {
  const keys: string[] = [];
  while (queue.depth > 0) keys.push((await queue.next()) as string);
  return keys;
}

describe("WorkQueue", () => {
  it("holds a key once, in the order of coming", async () => {
    const { queue } = opened();
    for (const key of ["a", "b", "a", "c", "b"]) queue.add(key);
    assert.equal(queue.depth, 3);
    assert.deepEqual(await taken(queue), ["a", "b", "c"]);
  });

  it("never gives a key to two workers; what came meanwhile is given once more, when the first is done", async () => {
    const { time, queue } = opened();
    queue.add("a");
    assert.equal(await queue.next(), "a");
    queue.add("a");
    queue.add("a");
    assert.equal(queue.depth, 0);
    let second: string | undefined;
    void queue.next().then((key) => {
      second = key;
    });
    await time.settle();
    assert.equal(second, undefined);
    queue.done("a");
    await time.settle();
    assert.equal(second, "a");
    queue.done("a");
    assert.equal(queue.depth, 0);
  });

  it("gives a key to the worker that has waited longest, and remembers that it is at work", async () => {
    const { time, queue } = opened();
    const order: string[] = [];
    void queue.next().then((key) => order.push(`first ${key}`));
    void queue.next().then((key) => order.push(`second ${key}`));
    queue.add("a");
    queue.add("a");
    queue.add("b");
    await time.settle();
    assert.deepEqual(order, ["first a", "second b"]);
    assert.equal(queue.working, 2);
  });

  it("adds later, by the earliest wish, and not at all once somebody has looked", async () => {
    const { time, queue } = opened();
    queue.addAfter("a", 5000);
    queue.addAfter("a", 1000);
    queue.addAfter("a", 9000);
    await time.advance(999);
    assert.equal(queue.depth, 0);
    await time.advance(1);
    assert.deepEqual(await taken(queue), ["a"]);
    queue.done("a");
    await time.advance(60_000);
    assert.equal(queue.depth, 0);
    queue.addAfter("b", 5000);
    queue.add("b");
    assert.deepEqual(await taken(queue), ["b"]);
    queue.done("b");
    await time.advance(60_000);
    assert.deepEqual([queue.depth, queue.delayed], [0, 0]);
  });

  it("waits 1 s, 2 s, 4 s ... 5 min after failures in a row, each within a fifth, and begins anew after a success", async () => {
    const { time, queue } = opened();
    const waits: number[] = [];
    const failed = async () => {
      const from = time.monotonic();
      queue.addAfterFailure("a");
      await time.until(queue.next());
      waits.push(time.monotonic() - from);
      queue.done("a");
    };
    for (let failure = 0; failure < 11; failure++) await failed();
    for (const [failure, wait] of waits.entries()) {
      const wanted = Math.min(300_000, 1000 * 2 ** failure);
      assert.ok(
        wait >= 0.8 * wanted && wait <= Math.min(300_000, 1.2 * wanted),
        `after failure ${failure + 1}: ${wait}`,
      );
    }
    assert.notEqual(waits[0], 1000);
    assert.equal(queue.failures("a"), 11);
    queue.forget("a");
    await failed();
    assert.ok((waits.at(-1) as number) <= 1200);
  });

  it("waits at least as long as the server asks", async () => {
    const { time, queue } = opened();
    queue.addAfterFailure("a", 45_000);
    await time.advance(44_999);
    assert.equal(queue.depth, 0);
    await time.advance(1);
    assert.equal(queue.depth, 1);
  });

  it("says how long the first key has waited", async () => {
    const { time, queue } = opened();
    assert.equal(queue.oldestMs, 0);
    queue.add("a");
    await time.advance(700);
    queue.add("b");
    await time.advance(300);
    assert.equal(queue.oldestMs, 1000);
    await queue.next();
    assert.equal(queue.oldestMs, 300);
  });

  it("closed, it wakes who waits with nothing, and takes nothing any more", async () => {
    const { time, queue } = opened();
    const waiting = queue.next();
    queue.addAfter("later", 1000);
    queue.close();
    assert.equal(await waiting, undefined);
    queue.add("a");
    queue.addAfter("b", 0);
    queue.addAfterFailure("c");
    await time.advance(10_000);
    assert.equal(await queue.next(), undefined);
    assert.deepEqual([queue.depth, queue.delayed], [0, 0]);
  });
});
