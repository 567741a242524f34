/** Whether a linearizable read works now, and since when none has. */

import { quorumOf } from "../quorum.ts";
import { fromTime } from "../time.ts";
import { type View, wasVoter } from "../view.ts";

/** An election takes a second or two; without a leader for so long, and without a quorum in sight, it is lost. */
export const QUORUM_LOSS_MS = 30_000;

export interface Verdict {
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

export function availability(view: View): Verdict {
  if (!view.isBorn)
    return { status: "False", reason: "NotInitialized", message: "the cluster has not been formed yet" };
  if (view.list !== undefined || view.members.some((member) => member.isServing && wasVoter(member)))
    return {
      status: "True",
      reason: "QuorumHealthy",
      message: `${view.healthyCount} of ${view.voterCount} voters serve linearizable reads`,
    };
  if (view.spec.hibernate) return { status: "False", reason: "Hibernated", message: "spec.hibernate is true" };
  if (isQuorumLost(view))
    return {
      status: "False",
      reason: "QuorumLost",
      message: `${seenVoters(view)} of ${view.voterCount} voters are in sight, ${quorumOf(view.voterCount)} are needed; see Stalled, or bring their Pods and volumes back`,
    };
  return {
    status: "False",
    reason: "NoLeader",
    message: `no voter serves a linearizable read; ${seenVoters(view)} of ${view.voterCount} are in sight`,
  };
}

/** Two observers are asked: the members themselves, and the kubelets of their Pods. */
function seenVoters(view: View): number {
  return view.members.filter(
    (member) => wasVoter(member) && (member.answer !== undefined || member.pod?.readySince !== undefined),
  ).length;
}

export function isQuorumLost(view: View): boolean {
  if (view.list !== undefined || seenVoters(view) >= quorumOf(view.voterCount)) return false;
  const before = view.status.conditions?.find((one) => one.type === "Available");
  if (before?.status !== "False") return false;
  if (before.reason === "QuorumLost") return true;
  const operation = view.status.operation;
  const isStarting = operation?.type === "Wake" || operation?.type === "Bootstrap";
  const since = isStarting
    ? (fromTime(operation.startedAt) ?? view.now) + view.memberTimeoutMs
    : (fromTime(before.lastTransitionTime) ?? view.now) + QUORUM_LOSS_MS;
  return before.reason === "NoLeader" && view.now >= since;
}
