import assert from "node:assert/strict";
import { test } from "node:test";
import { budgetFloor, quorumOf, tolerance } from "./quorum.ts";

test("a quorum is more than half", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7].map(quorumOf), [1, 2, 2, 3, 3, 4, 4]);
});

test("tolerance() is what may still be lost", () => {
  assert.deepEqual(
    [tolerance(3, 3), tolerance(3, 2), tolerance(3, 1), tolerance(5, 5), tolerance(0, 0)],
    [1, 0, 0, 2, 0],
  );
});

test("the budget's floor is of the larger of what is and what is to be", () => {
  assert.equal(budgetFloor(3, 5), 3);
  assert.equal(budgetFloor(5, 3), 3);
  assert.equal(budgetFloor(1, 3), 2);
});
