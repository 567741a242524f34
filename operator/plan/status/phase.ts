/** One word for people; nothing is decided by it. */
import type { OperationView, Phase } from "../../api/etcd-cluster.ts";
import type { Decision } from "../decision.ts";
import type { View } from "../view.ts";
import { isQuorumLost } from "./availability.ts";

const OF_OPERATION: Readonly<Record<OperationView["type"], Phase>> = {
  Bootstrap: "Bootstrapping",
  ScaleUp: "Scaling",
  ScaleDown: "Scaling",
  Repair: "Repairing",
  Update: "Updating",
  Resize: "Updating",
  Hibernate: "Hibernated",
  Wake: "Bootstrapping",
  Request: "Updating",
};

export function phaseOf(view: View, decision: Decision, operation: OperationView | undefined): Phase {
  if (view.seen.cluster.metadata.deletionTimestamp !== undefined) return "Terminating";
  if (view.seen.cluster.spec.paused) return "Paused";
  if (view.isBorn && !view.spec.hibernate && isQuorumLost(view)) return "QuorumLost";
  if (decision.stall !== undefined || view.wish.state === "refused") return "Blocked";
  if (view.spec.hibernate) return "Hibernated";
  if (operation !== undefined) return OF_OPERATION[operation.type];
  return view.isBorn ? "Running" : "Pending";
}
