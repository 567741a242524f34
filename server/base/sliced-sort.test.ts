import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "./prng.ts";
import { sortInSlices } from "./sliced-sort.ts";

test("a sort in slices is the stable sort, whatever the size", () => {
  const random = new Prng(1);
  for (const size of [0, 1, 2, 1023, 1024, 1025, 2048, 5000, 40_000]) {
    const items = Array.from({ length: size }, (_, at) => ({ at, by: random.below(97) }));
    const compare = (left: { by: number }, right: { by: number }) => left.by - right.by;
    const steps = sortInSlices(items, compare);
    let slices = 0;
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) slices++;
    assert.deepEqual(step.value, [...items].sort(compare));
    assert.ok(slices >= Math.floor(size / 1024) - 1, `${slices} slices for ${size}`);
  }
});
