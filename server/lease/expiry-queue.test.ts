import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/prng.ts";
import { ExpiryQueue } from "./expiry-queue.ts";

function drain(queue: ExpiryQueue, nowMs: number): bigint[] {
  const ids: bigint[] = [];
  for (let id = queue.next(nowMs); id !== undefined; id = queue.next(nowMs)) ids.push(id);
  return ids;
}

test("an expiry queue rings in the order of time, and by id where times tie", () => {
  const queue = new ExpiryQueue();
  queue.set(3n, 20);
  queue.set(9n, 10);
  queue.set(2n, 20);
  assert.deepEqual(drain(queue, 9), []);
  assert.deepEqual(drain(queue, 20), [9n, 2n, 3n]);
  assert.equal(queue.size, 0);
});

test("a time moved later or earlier replaces the one before", () => {
  const queue = new ExpiryQueue();
  queue.set(1n, 10);
  queue.set(1n, 30);
  queue.set(2n, 30);
  queue.set(2n, 5);
  assert.deepEqual(drain(queue, 10), [2n]);
  assert.deepEqual(drain(queue, 29), []);
  assert.deepEqual(drain(queue, 30), [1n]);
});

test("a deleted id does not ring", () => {
  const queue = new ExpiryQueue();
  queue.set(1n, 10);
  queue.delete(1n);
  assert.equal(queue.has(1n), false);
  assert.deepEqual(drain(queue, 100), []);
});

test("memory follows the number of alarms, however many come and go", () => {
  const queue = new ExpiryQueue();
  for (let id = 1n; id <= 100_000n; id++) {
    queue.set(id, 1e12);
    queue.delete(id);
    assert.ok(queue.entries <= 64 + 2);
  }
  queue.set(1n, 1e9);
  for (let earlier = 0; earlier < 10_000; earlier++) queue.set(1n, 1e9 - earlier);
  assert.ok(queue.entries <= 64 + 2);
  for (let later = 0; later < 10_000; later++) queue.set(1n, 2e9 + later);
  assert.ok(queue.entries <= 64 + 2);
});

test("an expiry queue agrees with a plain list under random use", () => {
  const random = new Prng(11);
  const queue = new ExpiryQueue();
  const plain = new Map<bigint, number>();
  let now = 0;
  for (let step = 0; step < 20_000; step++) {
    const id = BigInt(random.below(50));
    const action = random.below(10);
    if (action < 5) {
      const at = now + random.below(100);
      queue.set(id, at);
      plain.set(id, at);
    } else if (action < 7) {
      queue.delete(id);
      plain.delete(id);
    } else {
      now += random.below(20);
      const expected = [...plain].filter(([, at]) => at <= now);
      expected.sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
      assert.deepEqual(
        drain(queue, now),
        expected.map(([one]) => one),
      );
      for (const [one] of expected) plain.delete(one);
    }
    assert.equal(queue.size, plain.size);
  }
});
