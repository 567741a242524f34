/** The rules of the game by name, each in a sentence: what an operator must never do, or let happen. */

export const RULES = {
  acknowledged: "no write that was acknowledged is lost",
  "bootstrap-once": "a cluster is begun once",
  "new-after-latch": "initial-cluster-state=new only before the cluster id is known",
  "expect-data": "a member that held data never begins on an empty disk",
  "ephemeral-once": "a member without a disk of its own starts once under its id",
  "one-disruption": "one healthy member is taken at a time, and only while the others are well",
  drained: "nobody is taken while somebody else takes a member's Pod away",
  gate: "nobody is taken while a learner joins",
  quorum: "the healthy that stay are a quorum of those who vote then",
  durable: "a silent member with data stays while those who would be left are about to lose theirs",
  "one-learner": "one learner at a time",
  "asked-voter": "changes of the membership are asked of a voter that serves, never of whom they are about",
  unknown: "without a list read through a majority nothing is concluded and nothing taken away",
  "claim-of-member": "no claim of a listed member is deleted",
  retained: "claims that are to be kept are kept",
  "member-before-pod": "a Pod of a new member only once it is listed",
  latch: "the cluster id is in the status and on every claim before a second member is added",
  "status-first": "nothing is done before what was learnt is in the status; after a conflict all is decided anew",
  "quorum-lost": "after the loss of the quorum nothing but missing Pods is touched",
  paused: "a paused cluster is not touched",
  hibernated: "a cluster that sleeps gets no Pods",
  "leader-sleeps-last": "when a cluster goes to sleep its leader stops last",
  deleting: "a cluster that is deleted gets no Pods",
  budget: "the disruption budget is never below what the voters need",
  "leader-last": "of outdated members the leader comes last",
  "leader-moved": "a leader hands over before it is taken",
  "version-path": "one minor at a time, none back",
  mixed: "no member is added while versions are mixed",
  lag: "no learner is promoted that is far behind",
  forced: "by force only where the node is gone or out of service",
  foreign: "objects of others are not touched",
  "flap-guard": "so many replacements an hour",
  innocent: "a member is not replaced for a bad image",
  routing: "clients are sent elsewhere before a member is removed",
  identity: "two cluster ids: everything is left as it is",
  shrink: "volumes only grow",
  expired: "no member shows a certificate that has ended, where it could have had another",
  trust: "members trust each other at every moment of a rotation",
  "alarm-kept": "an alarm of a listed member stays until its cause is gone",
  "defrag-leader-last": "of members to be defragmented the leader comes last",
} as const;

export type RuleName = keyof typeof RULES;

export const RULE_NAMES = Object.keys(RULES) as readonly RuleName[];

/** A rule was broken: the trace ends with it. */
export class Broken extends Error {
  readonly rule: RuleName;

  constructor(rule: RuleName, text: string) {
    super(`${rule}: ${text}`);
    this.rule = rule;
  }
}

/** Says that a rule had something to judge, and throws `Broken` where it was not kept. */
export type Demand = (rule: RuleName, isKept: boolean, text: string) => void;
