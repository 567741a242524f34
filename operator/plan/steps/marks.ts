/** Writes down what has become true of members: on claims for ever, on Pods for the Services and the budget. */
import { ANNOTATIONS } from "../../api/names.ts";
import type { ClaimMarks, PodMarks } from "../action.ts";
import { acting, type Decision } from "../decision.ts";
import { deletePod } from "../disrupt.ts";
import type { Member } from "../members.ts";
import { leaving } from "../target.ts";
import type { View } from "../view.ts";

export function marks(view: View): Decision | undefined {
  const gone = leaving(view);
  for (const member of view.members) {
    if (member.listed === undefined) continue;
    const decision = markClaim(view, member) ?? arm(view, member) ?? (member === gone ? undefined : markPod(member));
    if (decision !== undefined) return decision;
  }
  return undefined;
}

/** A learner's claim keeps its id before it ever has a Pod: a disk that was used under an id that is gone is known. */
function markClaim(view: View, member: Member): Decision | undefined {
  const { claim, listed } = member;
  if (claim === undefined || listed === undefined || claim.isTerminating) return undefined;
  const wanted: ClaimMarks = {
    ...(member.standing === "voter" && claim.state !== "ready" && { state: "ready" as const }),
    ...(claim.clusterId === undefined && view.list !== undefined && { clusterId: view.list.clusterId }),
    ...(claim.memberId !== listed.id && { memberId: listed.id }),
  };
  if (Object.keys(wanted).length === 0) return undefined;
  return acting(
    { kind: "mark-claim", claim: claim.name, uid: claim.uid, marks: wanted },
    `claim ${claim.name} is marked`,
  );
}

/**
 * The Pod that formed the cluster was told to start a new one: should its disk ever be emptied under it, its next start
 * would do so again. It is made once more, told to come back to an existing one, before any client is sent to it.
 */
function arm(view: View, member: Member): Decision | undefined {
  const { pod } = member;
  if (pod?.annotations[ANNOTATIONS.start] !== "new" || pod.role !== undefined || pod.isTerminating) return undefined;
  if (view.voterCount !== 1 || view.learners.length > 0 || !view.isPersistent) return undefined;
  return deletePod(member, "it formed the cluster, and is never to form another", {
    type: "Bootstrap",
    member: member.name,
    step: "Arming",
  });
}

function markPod(member: Member): Decision | undefined {
  const { pod, listed } = member;
  if (pod === undefined || listed === undefined || pod.isTerminating) return undefined;
  const role = member.standing === "voter" ? "voter" : "learner";
  if (pod.role === role) return undefined;
  const promoted = role === "voter" && pod.role === "learner";
  const wanted: PodMarks = { role, memberId: listed.id };
  return acting(
    { kind: "mark-pod", pod: pod.name, uid: pod.uid, marks: wanted },
    `the Pod of ${member.name} is marked as ${role}`,
    {
      events: promoted
        ? [{ type: "Normal", reason: "LearnerPromoted", message: `${member.name} is a voter`, member: member.name }]
        : [],
    },
  );
}
