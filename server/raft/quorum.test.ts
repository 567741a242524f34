import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/prng.ts";
import { jointIndex, jointVote, majorityIndex, majorityVote } from "./quorum.ts";

function ackedBy(indexes: readonly number[]): (id: bigint) => number {
  return (id) => indexes[Number(id) - 1] ?? 0;
}

function ids(count: number): bigint[] {
  return Array.from({ length: count }, (_, at) => BigInt(at + 1));
}

test("the index of a majority", () => {
  const cases: [indexes: number[], index: number][] = [
    [[7], 7],
    [[7, 3], 3],
    [[7, 3, 5], 5],
    [[7, 7, 0], 7],
    [[0, 0, 9], 0],
    [[4, 3, 2, 1], 2],
    [[5, 4, 3, 2, 1], 3],
  ];
  for (const [indexes, index] of cases) assert.equal(majorityIndex(ids(indexes.length), ackedBy(indexes)), index);
  assert.equal(majorityIndex([], ackedBy([])), Number.POSITIVE_INFINITY);
});

test("the index of a joint quorum is the lower of its halves", () => {
  const acked = ackedBy([9, 8, 7, 2, 1]);
  assert.equal(jointIndex(ids(3), [], acked), 8);
  assert.equal(jointIndex(ids(3), [3n, 4n, 5n], acked), 2);
});

test("for any acknowledgements a majority holds the index, and none holds the next", () => {
  const random = new Prng(11);
  for (let round = 0; round < 5000; round++) {
    const voters = ids(1 + random.below(9));
    const indexes = voters.map(() => random.below(6));
    const index = majorityIndex(voters, ackedBy(indexes));
    const holders = (at: number) => indexes.filter((acked) => acked >= at).length;
    assert.ok(holders(index) * 2 > voters.length);
    assert.ok(holders(index + 1) * 2 <= voters.length);
  }
});

test("for any two configurations the joint index is what a majority of each holds", () => {
  const random = new Prng(12);
  for (let round = 0; round < 5000; round++) {
    const everyone = ids(1 + random.below(7));
    const some = () => everyone.filter(() => random.chance(0.6));
    const [voters, outgoing] = [some(), some()];
    if (voters.length === 0) continue;
    const indexes = everyone.map(() => random.below(6));
    const acked = ackedBy(indexes);
    const holdsBoth = (at: number) =>
      [voters, outgoing].every(
        (half) => half.length === 0 || half.filter((id) => acked(id) >= at).length * 2 > half.length,
      );
    const index = jointIndex(voters, outgoing, acked);
    assert.ok(holdsBoth(index) && !holdsBoth(index + 1));
    assert.equal(jointIndex(voters, voters, acked), majorityIndex(voters, acked), "twice the same is once");
  }
});

test("votes: won by a majority, lost when no majority can come about", () => {
  const votes = (granted: bigint[], refused: bigint[]) =>
    new Map([...granted.map((id) => [id, true] as const), ...refused.map((id) => [id, false] as const)]);
  assert.equal(majorityVote([], votes([], [])), "won");
  assert.equal(majorityVote(ids(3), votes([1n], [])), "pending");
  assert.equal(majorityVote(ids(3), votes([1n, 2n], [])), "won");
  assert.equal(majorityVote(ids(3), votes([1n], [2n])), "pending");
  assert.equal(majorityVote(ids(3), votes([1n], [2n, 3n])), "lost");
  assert.equal(majorityVote(ids(2), votes([1n], [2n])), "lost");
  assert.equal(majorityVote(ids(3), votes([1n, 8n, 9n], [])), "pending", "strangers do not count");
  assert.equal(jointVote(ids(3), [3n, 4n, 5n], votes([1n, 2n], [])), "pending");
  assert.equal(jointVote(ids(3), [3n, 4n, 5n], votes([1n, 2n], [4n, 5n])), "lost");
  assert.equal(jointVote(ids(3), [3n, 4n, 5n], votes([1n, 3n, 4n], [])), "won");
});
