/** How many members that vote must stay while nodes are drained. The number is the plan's affair: it knows who votes. */
import { assert } from "../../server/base/assert.ts";
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import { disruptionBudgetName } from "../api/names.ts";
import type { Desired } from "./desired.ts";
import { metadataOf, voterSelector } from "./metadata.ts";

/**
 * The budget with this number, 1 or more. A whole number, not a percentage or `maxUnavailable`: those are counted from
 * the Pods that there are, and so follow a cluster that shrinks below its majority.
 */
export function disruptionBudget(cluster: EtcdCluster, least: number): Desired {
  assert(Number.isInteger(least) && least > 0, "a budget keeps at least one");
  const { unhealthyPodEvictionPolicy } = cluster.spec.disruptionBudget;
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: metadataOf(cluster, { name: disruptionBudgetName(cluster.metadata.name) }),
    spec: { minAvailable: least, selector: { matchLabels: voterSelector(cluster) }, unhealthyPodEvictionPolicy },
  };
}
