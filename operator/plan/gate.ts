/**
 * The health gate: whether the cluster is so well that something may be taken from it. It is asked before every step
 * that touches a member, and so also after the one before. That a Pod is ready is never enough.
 */
import { lostData } from "./failure.ts";
import { isHealthyVoter, LAG_MAX, type Member } from "./members.ts";
import { quorumOf } from "./quorum.ts";
import type { View } from "./view.ts";

/** Two samples of a member must be so far apart to show that leader and term stand still, milliseconds. */
export const SAMPLE_GAP_MS = 2000;

/** Why not, in words; nothing when the way is free. */
export type Refusal = string | undefined;

/**
 * Whether every voter is well and nothing else is going on. With a `victim`, whether all others are: it may be taken
 * for the very reason that it is not well.
 */
export function gate(view: View, victim?: Member): Refusal {
  const voters = view.voters.filter((member) => member !== victim);
  return (
    membershipFault(view) ??
    firstOf(voters, (member) => voterFault(view, member)) ??
    agreementFault(voters) ??
    terminatingFault(view)
  );
}

/**
 * Whether the others are well enough to do without `victim`, which takes no part any more: the healthy of the rest must
 * be a quorum of the rest. Others may be unwell too; waiting for them would leave both dead. Where one of the healthy is
 * about to lose its data and `victim` may come back with its own, all others must be well: so that a new member can take
 * the place of either at once.
 */
export function gateWithout(view: View, victim: Member): Refusal {
  const rest = view.voters.filter((member) => member !== victim);
  const well = rest.filter(
    (member) => isHealthyVoter(member) && member.pod?.isTerminating !== true && steadyFault(view, member) === undefined,
  );
  const voters = view.voterCount - (victim.standing === "voter" ? 1 : 0);
  const needed = quorumOf(voters);
  if (well.length < needed) {
    const fault = firstOf(rest, (member) =>
      isHealthyVoter(member) ? steadyFault(view, member) : `${member.name} is ${member.health}`,
    );
    return `without ${victim.name} only ${well.length} of ${voters} voters are well, and ${needed} are needed${fault === undefined ? "" : ` (${fault})`}`;
  }
  const staying = well.filter((member) => keepsData(view, member)).length;
  return staying < needed && keepsData(view, victim) ? gate(view, victim) : agreementFault(well);
}

/** Whether its data is there for all that is known, and outlives its Pod. */
function keepsData(view: View, member: Member): boolean {
  if (member.health === "Corrupt" || lostData(member)) return false;
  if (!view.isPersistent) return member.pod !== undefined;
  return member.claim !== undefined && member.claim.phase !== "Lost" && !member.claim.isTerminating;
}

/** No list, a stranger in it, or somebody who is only half a member. */
function membershipFault(view: View): Refusal {
  if (view.list === undefined) return "the member list could not be read";
  const stranger = view.strangers[0];
  if (stranger !== undefined)
    return `member ${stranger.id} (${stranger.peerUrls.join(", ")}) is none of this cluster's own`;
  const learner = view.learners[0];
  if (learner !== undefined) return `${learner.name} is a learner still`;
  const unstarted = view.voters.find((member) => member.listed?.name === "");
  return unstarted === undefined ? undefined : `${unstarted.name} has been added and has not started`;
}

function voterFault(view: View, member: Member): Refusal {
  if (member.answer === undefined)
    return `${member.name} does not answer${member.error === undefined ? "" : `: ${member.error}`}`;
  if (!member.isServing) return `${member.name} answers no linearizable read`;
  if (member.health === "Corrupt") return `${member.name} has an alarm CORRUPT`;
  if ((member.lag ?? 0) >= LAG_MAX) return `${member.name} is ${member.lag} entries behind`;
  return steadyFault(view, member) ?? podFault(view, member);
}

/** Leader and term as they were at least two seconds before. */
function steadyFault(view: View, member: Member): Refusal {
  const { answer } = member;
  if (answer === undefined) return `${member.name} does not answer`;
  if (answer.leaderId === "") return `${member.name} knows no leader`;
  const earlier = view.seen.etcd?.earlier.get(member.name);
  const at = view.seen.etcd?.members.get(member.name)?.at ?? view.now;
  if (earlier === undefined || at - earlier.at < SAMPLE_GAP_MS) return `${member.name} has to be asked a second time`;
  if (earlier.raftTerm !== answer.raftTerm || earlier.leaderId !== answer.leaderId)
    return `${member.name} has seen an election just now`;
  return undefined;
}

function podFault(view: View, member: Member): Refusal {
  const { pod } = member;
  if (pod === undefined) return `${member.name} has no Pod`;
  if (pod.readySince === undefined) return `the Pod of ${member.name} is not ready`;
  const left = pod.readySince + minReadyMs(view) - view.now;
  return left > 0 ? `the Pod of ${member.name} has to stay ready for ${Math.ceil(left / 1000)} s more` : undefined;
}

/** A cluster that is still being formed serves nobody yet whom a short outage could hurt. */
function minReadyMs(view: View): number {
  return isForming(view) ? 0 : view.spec.update.minReadySeconds * 1000;
}

/** From the first member until there have been as many as were asked for. */
export function isForming(view: View): boolean {
  return view.status.operation?.type === "Bootstrap";
}

function agreementFault(members: readonly Member[]): Refusal {
  const [first] = members;
  const differing = members.find(
    (member) =>
      member.answer?.leaderId !== first?.answer?.leaderId ||
      member.answer?.raftTerm !== first?.answer?.raftTerm ||
      member.answer?.clusterId !== first?.answer?.clusterId,
  );
  if (first === undefined || differing === undefined) return undefined;
  return `${first.name} and ${differing.name} do not agree on leader, term or cluster`;
}

/** Somebody else may be taking a member away at this very moment. */
function terminatingFault(view: View): Refusal {
  const going = view.members.find((member) => member.pod?.isTerminating === true && member.standing !== "absent");
  return going === undefined ? undefined : `the Pod of ${going.name} is terminating`;
}

function firstOf(members: readonly Member[], fault: (member: Member) => Refusal): Refusal {
  for (const member of members) {
    const found = fault(member);
    if (found !== undefined) return found;
  }
  return undefined;
}
