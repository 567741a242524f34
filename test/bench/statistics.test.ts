/** Medians, and how far a ratio is to be believed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "./raw-client/random.ts";
import { median, ratioOf } from "./statistics.ts";

test("the median is the middle value, or between the middle two", () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 2, 9]), 3);
});

test("the interval of a ratio holds the median, and all of it when the pairs agree", () => {
  const random = new Random(7);
  const chance = () => random.below(1_000_000) / 1_000_000;
  assert.deepEqual(
    ratioOf(
      [
        [10, 5],
        [20, 10],
        [2, 1],
      ],
      chance,
    ),
    { median: 2, low: 2, high: 2 },
  );
  const spread = ratioOf(
    [
      [1, 1],
      [2, 1],
      [3, 1],
      [4, 1],
      [5, 1],
      [6, 1],
      [7, 1],
    ],
    chance,
  );
  assert.equal(spread.median, 4);
  assert.ok(spread.low >= 1 && spread.low < 4 && spread.high > 4 && spread.high <= 7, JSON.stringify(spread));
});

test("one pair far off moves the interval, not the median", () => {
  const random = new Random(3);
  const chance = () => random.below(1_000_000) / 1_000_000;
  const { median: middle, low } = ratioOf(
    [
      [2, 1],
      [2, 1],
      [2, 1],
      [2, 1],
      [2, 1],
      [2, 1],
      [900, 1],
    ],
    chance,
  );
  assert.deepEqual([middle, low], [2, 2]);
});
