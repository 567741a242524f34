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

test("the budget's floor is the quorum of the larger of what is and what is to be", () => {
  const table: readonly [voters: number, wanted: number, floor: number][] = [
    [0, 3, 2],
    [1, 3, 2],
    [2, 3, 2],
    [3, 3, 2],
    [3, 5, 3],
    [5, 3, 3],
    [4, 3, 3],
    [3, 1, 2],
    [7, 7, 4],
  ];
  for (const [voters, wanted, floor] of table) assert.equal(budgetFloor(voters, wanted), floor, `${voters}, ${wanted}`);
});

test("the floor rises before a member is added and falls only after one is gone", () => {
  assert.deepEqual([budgetFloor(3, 3), budgetFloor(3, 5), budgetFloor(4, 5), budgetFloor(5, 5)], [2, 3, 3, 3]);
  assert.deepEqual([budgetFloor(5, 5), budgetFloor(5, 3), budgetFloor(4, 3), budgetFloor(3, 3)], [3, 3, 3, 2]);
});
