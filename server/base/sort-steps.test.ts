import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "./prng.ts";
import { sortSteps } from "./sort-steps.ts";

test("sortSteps sorts as the runtime does, equal items in the order in which they came, with pauses", () => {
  const prng = new Prng(7);
  for (const count of [0, 1, 4096, 4097, 30_000, 100_000]) {
    const items = Array.from({ length: count }, (_, place) => ({ rank: prng.below(500), place }));
    const expected = [...items].sort((left, right) => left.rank - right.rank);
    let pauses = 0;
    const steps = sortSteps(items, (left, right) => left.rank - right.rank);
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) pauses++;
    assert.deepEqual(step.value, expected);
    assert.ok(pauses >= Math.floor(count / 4097));
  }
});
