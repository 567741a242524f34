/**
 * What is left of members that etcd's list, read through a quorum, does not hold: their Pods go, and then their claims.
 * Nothing here is asked for while the list is unknown.
 */
import { acting, type Decision } from "../decision.ts";
import { deletePod } from "../disrupt.ts";
import { isHealthyVoter, isNodeLost, isNodeSilent, type Member } from "../members.ts";
import { wantsGrowth } from "../target.ts";
import type { View } from "../view.ts";

export function leftovers(view: View): Decision | undefined {
  if (view.list === undefined) return undefined;
  for (const member of view.members) {
    if (member.standing !== "absent") continue;
    const decision = podOf(member) ?? claimOf(view, member);
    if (decision !== undefined) return decision;
  }
  return undefined;
}

function podOf(member: Member): Decision | undefined {
  const { pod } = member;
  if (pod === undefined || (pod.isTerminating && !isNodeLost(member))) return undefined;
  return deletePod(member, `${member.name} is no member any more`);
}

/** A claim without a member id was made for a member that was never added: it is used if one is still wanted. */
function claimOf(view: View, member: Member): Decision | undefined {
  const { claim } = member;
  if (claim === undefined || claim.isTerminating || !view.voters.some(isHealthyVoter)) return undefined;
  if (member.pod !== undefined && !isNodeSilent(member)) return undefined;
  const isUnused = claim.state === "joining" && claim.memberId === undefined;
  if (isUnused && wantsGrowth(view) && view.learners.length === 0) return undefined;
  const keeps = !isUnused && claim.state !== "joining" && view.spec.storage.reclaim.onMemberRemoval === "Retain";
  if (keeps)
    return acting(
      { kind: "mark-claim", claim: claim.name, uid: claim.uid, marks: { state: "retired" } },
      `claim ${claim.name} is kept and belongs to no member any more`,
    );
  return acting(
    { kind: "delete-claim", claim: claim.name, uid: claim.uid },
    `claim ${claim.name} of ${member.name}, which is no member any more, is deleted`,
  );
}
