import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "./prng.ts";

test("a seed gives the same numbers again, and another seed others", () => {
  const draw = (seed: number) =>
    Array.from(
      { length: 20 },
      (
        (random) => () =>
          random.uint32()
      )(new Prng(seed)),
    );
  assert.deepEqual(draw(5), draw(5));
  assert.notDeepEqual(draw(5), draw(6));
  assert.notDeepEqual(draw(5), draw(5 + 2 ** 32));
});

test("below() stays below and reaches every value about as often", () => {
  const random = new Prng(1);
  const counts = new Array<number>(10).fill(0);
  for (let draw = 0; draw < 10_000; draw++) (counts[random.below(10)] as number)++;
  for (const count of counts) assert.ok(count > 850 && count < 1150, `each value about 1000 times, one ${count} times`);
});
