import assert from "node:assert/strict";
import { test } from "node:test";
import { Heap } from "./heap.ts";
import { Prng } from "./prng.ts";

test("pop() gives the smallest item first, whatever was pushed and popped before", () => {
  const random = new Prng(11);
  const heap = new Heap<number>((left, right) => left < right);
  const model: number[] = [];
  for (let step = 0; step < 3000; step++) {
    if (random.chance(0.6)) {
      const value = random.below(100);
      heap.push(value);
      model.push(value);
      model.sort((left, right) => left - right);
    } else {
      assert.equal(heap.peek(), model[0]);
      assert.equal(heap.pop(), model.shift());
    }
    assert.equal(heap.size, model.length);
  }
});

test("an empty heap gives nothing", () => {
  const heap = new Heap<number>((left, right) => left < right);
  assert.equal(heap.pop(), undefined);
  heap.push(1);
  heap.clear();
  assert.equal(heap.peek(), undefined);
});
