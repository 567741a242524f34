import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/prng.ts";
import { ByteQueue } from "./byte-queue.ts";

test("what is taken is what was pushed, however both are cut", () => {
  const random = new Prng(1);
  const bytes = Uint8Array.from({ length: 20_000 }, () => random.below(256));
  const queue = new ByteQueue();
  const taken: number[] = [];
  for (let pushed = 0; taken.length < bytes.length; ) {
    if (pushed < bytes.length && random.below(2) === 0) {
      const length = random.below(100);
      queue.push(bytes.subarray(pushed, pushed + length));
      pushed = Math.min(pushed + length, bytes.length);
    } else {
      const part = queue.take(random.below(queue.length + 1));
      taken.push(...part);
    }
    assert.equal(queue.length, pushed - taken.length);
  }
  assert.deepEqual(Uint8Array.from(taken), bytes);
});

test("bytes within one piece are a view of it, those across pieces are copied once", () => {
  const queue = new ByteQueue();
  const piece = Uint8Array.of(1, 2, 3, 4);
  queue.push(piece);
  queue.push(Uint8Array.of(5, 6));
  assert.equal(queue.take(3).buffer, piece.buffer);
  assert.deepEqual(queue.take(2), Uint8Array.of(4, 5));
  assert.deepEqual(queue.takeAll(), [Uint8Array.of(6)]);
  assert.equal(queue.length, 0);
});

test("more than has come is not taken", () => {
  const queue = new ByteQueue();
  queue.push(Uint8Array.of(1));
  assert.throws(() => queue.take(2), /only bytes that have come/);
});

test("a number takes eight bytes, the highest first", () => {
  const queue = new ByteQueue();
  queue.push(Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 2));
  assert.equal(queue.uint64(), 2 ** 32 + 2);
});
