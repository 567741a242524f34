/** When a ratio is good enough. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { agree, type Goal, type Measured, verdictOf } from "./verdict.ts";

const MORE: Goal = { of: "ratio", better: "more", aim: 5, floor: 4 };
const LESS: Goal = { of: "ratio", better: "less", aim: 0.6, floor: 0.8 };
const OURS: Goal = { of: "ours", better: "less", aim: 20, floor: 50 };

function way(ratio: number, ours = 1): Measured {
  return { variant: "", ours, theirs: 1, ratio: { median: ratio, low: ratio, high: ratio } };
}

test("more is better: at the aim it is ok, at the floor not under it", () => {
  const verdicts = [6, 5, 4.99, 4, 3.99].map((ratio) => verdictOf(MORE, [way(ratio)]));
  assert.deepEqual(verdicts, ["ok", "ok", "under aim", "under aim", "UNDER FLOOR"]);
});

test("less is better for times and memory", () => {
  const verdicts = [0.5, 0.6, 0.61, 0.8, 0.81].map((ratio) => verdictOf(LESS, [way(ratio)]));
  assert.deepEqual(verdicts, ["ok", "ok", "under aim", "under aim", "UNDER FLOOR"]);
});

test("a stall is held against a time, whatever etcd's is", () => {
  const verdicts = [20, 21, 51].map((ms) => verdictOf(OURS, [way(0.1, ms)]));
  assert.deepEqual(verdicts, ["ok", "under aim", "UNDER FLOOR"]);
});

test("the worse way of measuring a row decides", () => {
  assert.equal(verdictOf(MORE, [way(9), way(4.5)]), "under aim");
  assert.equal(verdictOf(MORE, [way(3), way(9)]), "UNDER FLOOR");
});

test("what is no number, or was not measured, is never ok", () => {
  assert.equal(verdictOf(MORE, [way(Number.NaN)]), "UNDER FLOOR");
  assert.equal(verdictOf(LESS, [way(Number.NaN)]), "UNDER FLOOR");
  assert.equal(verdictOf(MORE, []), "not measured");
  assert.equal(verdictOf({ of: "elsewhere", aim: "1x", floor: "1x", by: "it" }, [way(9)]), "not measured");
});

test("ways of measuring agree when their ratios lie within 20 %", () => {
  assert.ok(agree([way(5)]) && agree([way(5), way(6)]) && agree([way(6), way(5)]));
  assert.ok(!agree([way(5), way(6.01)]) && !agree([way(6.01), way(5)]));
});
