/**
 * What every `ports/network` must do, as rules to run on the real one and on its simulated twin. Of all of them together
 * holds, too: nothing is told inside a call to the network, and each snapshot comes to exactly one end.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MESSAGE_RULES } from "./network-message-rules.ts";
import { QUESTION_RULES } from "./network-question-rules.ts";
import { SNAPSHOT_RULES } from "./network-snapshot-rules.ts";
import type { ContractMember, MemberOptions, NetworkWorld, Rule, Rules } from "./network-world.ts";

export const NETWORK_RULES: Rules = { ...MESSAGE_RULES, ...SNAPSHOT_RULES, ...QUESTION_RULES };

/** Registers the suite for one kind of network. */
export function networkContract(kind: string, newWorld: () => NetworkWorld): void {
  for (const [what, rule] of Object.entries(NETWORK_RULES)) test(`${kind}: ${what}`, () => holds(rule, newWorld()));
}

/** Rejects unless the rule holds in this world, which is closed then. */
export async function holds(rule: Rule, world: NetworkWorld): Promise<void> {
  const members: ContractMember[] = [];
  const noted: NetworkWorld = {
    member: async (id: bigint, options?: MemberOptions) => {
      const member = await world.member(id, options);
      members.push(member);
      return member;
    },
    until: (condition, what) => world.until(condition, what),
    come: (promise) => world.come(promise),
    settle: () => world.settle(),
    close: () => world.close(),
  };
  try {
    await rule(noted);
  } finally {
    await world.close();
  }
  for (const { id, witness } of members) {
    assert.deepEqual(witness.inside, [], `member ${id} was told nothing inside a call`);
    assert.equal(witness.statuses.length, witness.snapshotsSent, `member ${id} was told the end of each snapshot once`);
  }
}
