/** Majorities of voters. */

/** How many of `voters` make a quorum; 1 or more voters. */
export function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** How many more of the `healthy` may be lost before `voters` have no quorum; 0 or more. */
export function tolerance(voters: number, healthy: number): number {
  return voters === 0 ? 0 : Math.max(0, healthy - quorumOf(voters));
}

/** The floor of the disruption budget: of the larger of what is and what is to be, so that it never falls on the way. */
export function budgetFloor(voters: number, wanted: number): number {
  return quorumOf(Math.max(voters, wanted));
}
