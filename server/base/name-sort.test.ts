import assert from "node:assert/strict";
import { test } from "node:test";
import { nameSortSteps } from "./name-sort.ts";
import { Prng } from "./prng.ts";

/** Names that share beginnings, are beginnings of one another, and hold every character. */
function someNames(count: number, seed: number): string[] {
  const prng = new Prng(seed);
  const names = new Set<string>();
  const heads = ["", "/registry/pods/", "/registry/pods/default/", "\xff\xff", "\0"];
  while (names.size < count) {
    const length = prng.below(6);
    let name = heads[prng.below(heads.length)] as string;
    for (let at = 0; at < length; at++) name += String.fromCharCode(prng.below(3) === 0 ? prng.below(256) : 97);
    names.add(name);
  }
  return [...names];
}

test("nameSortSteps sorts as the order of strings has it, and keeps with each name what belongs to it", () => {
  for (const [seed, count] of [0, 1, 2, 24, 25, 3000, 60_000].entries()) {
    const names = someNames(count, seed + 1);
    const expected = [...names].sort((left, right) => (left < right ? -1 : 1));
    const items = names.map((name) => ({ name }));
    let pauses = 0;
    for (const _ of nameSortSteps(names, items)) pauses++;
    assert.deepEqual(names, expected);
    assert.deepEqual(
      items.map(({ name }) => name),
      expected,
    );
    assert.equal(pauses > 0, count > 50_000);
  }
});
