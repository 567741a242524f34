/**
 * Majorities, and joint majorities of an old and a new set of voters (thesis section 4.3). An empty half of a joint
 * configuration agrees with everything, so that a plain configuration is a joint one whose outgoing half is empty.
 */

export type VoteResult = "pending" | "lost" | "won";

/** The highest index that a majority of `voters` has acknowledged; +Infinity when there are none. */
export function majorityIndex(voters: readonly bigint[], acked: (voter: bigint) => number): number {
  const count = voters.length;
  if (count === 0) return Number.POSITIVE_INFINITY;
  if (count === 1) return acked(voters[0] as bigint);
  const indexes: number[] = [];
  for (const voter of voters) insertSorted(indexes, acked(voter));
  // Ascending: the index at this place and all above it make up a majority.
  return indexes[count - (Math.floor(count / 2) + 1)] as number;
}

/** The highest index acknowledged by a majority of each half. */
export function jointIndex(
  voters: readonly bigint[],
  outgoing: readonly bigint[],
  acked: (voter: bigint) => number,
): number {
  const index = majorityIndex(voters, acked);
  return outgoing.length === 0 ? index : Math.min(index, majorityIndex(outgoing, acked));
}

/** What the votes cast so far mean for one set of voters. `votes` may hold others too: they do not count. */
export function majorityVote(voters: readonly bigint[], votes: ReadonlyMap<bigint, boolean>): VoteResult {
  if (voters.length === 0) return "won";
  let granted = 0;
  let missing = 0;
  for (const voter of voters) {
    const vote = votes.get(voter);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  const quorum = Math.floor(voters.length / 2) + 1;
  if (granted >= quorum) return "won";
  return granted + missing >= quorum ? "pending" : "lost";
}

/** Won when both halves are won, lost as soon as one is lost. */
export function jointVote(
  voters: readonly bigint[],
  outgoing: readonly bigint[],
  votes: ReadonlyMap<bigint, boolean>,
): VoteResult {
  const incomingResult = majorityVote(voters, votes);
  const outgoingResult = majorityVote(outgoing, votes);
  if (incomingResult === outgoingResult) return incomingResult;
  return incomingResult === "lost" || outgoingResult === "lost" ? "lost" : "pending";
}

/** Insertion keeps the handful of indexes sorted without a comparator. */
function insertSorted(sorted: number[], value: number): void {
  let at = sorted.length;
  while (at > 0 && (sorted[at - 1] as number) > value) {
    sorted[at] = sorted[at - 1] as number;
    at--;
  }
  sorted[at] = value;
}
