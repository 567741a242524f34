/**
 * Members that are known and have no Pod get one; a Pod that has ended, or whose node is gone, makes room for the next.
 * It waits for nothing else: not for a volume that is being grown, and not for the health of the others.
 */
import type { OperationView } from "../../api/etcd-cluster.ts";
import { acting, type Decision } from "../decision.ts";
import { deletePod } from "../disrupt.ts";
import { lostData } from "../failure.ts";
import { canStart, createPod } from "../make.ts";
import { isNodeLost, type Member } from "../members.ts";
import { type View, wasVoter } from "../view.ts";

export function missingPods(view: View): Decision | undefined {
  if (!view.isBorn || view.spec.hibernate) return undefined;
  for (const member of view.members) {
    if (!isKnown(member)) continue;
    const decision = member.pod === undefined ? create(view, member) : makeRoom(view, member);
    if (decision !== undefined) return decision;
  }
  return undefined;
}

/**
 * A voter; without a list, whoever was a member when that was last known, and whoever formed the cluster, should its claim
 * not say so yet. Learners have a step of their own.
 */
function isKnown(member: Member): boolean {
  if (wasVoter(member)) return true;
  const { standing, claim } = member;
  return standing === "unknown" && (claim?.memberId !== undefined || claim?.state === "initializing");
}

function create(view: View, member: Member): Decision | undefined {
  if (!canStart(view, member)) return undefined;
  return acting(createPod(view, member, "existing"), `the Pod of ${member.name} is missing and is made`, {
    doing: { type: operationType(view), member: member.name, step: "StartingMember" },
    events: [
      { type: "Normal", reason: "PodCreating", message: `the Pod of ${member.name} was missing`, member: member.name },
    ],
  });
}

/** What was going on when the Pod went; a Pod that went by itself is repaired. */
function operationType(view: View): OperationView["type"] {
  const before = view.status.operation?.type;
  return view.status.phase === "Hibernated" || before === "Hibernate" ? "Wake" : (before ?? "Repair");
}

function makeRoom(view: View, member: Member): Decision | undefined {
  const { pod } = member;
  if (pod === undefined || !view.isPersistent || lostData(member)) return undefined;
  if (isNodeLost(member)) return deletePod(member, "its node is gone or out of service");
  if (pod.isTerminating || (pod.phase !== "Failed" && pod.phase !== "Succeeded")) return undefined;
  return deletePod(member, `its Pod has ended (${pod.container?.endReason ?? pod.phase})`);
}
