/** How many members that vote must stay while nodes are drained. */
import { assert } from "../../server/base/assert.ts";
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import { disruptionBudgetName } from "../api/names.ts";
import type { Desired } from "./desired.ts";
import { metadataOf, voterSelector } from "./metadata.ts";

/**
 * The majority of the larger of what votes and what is wanted: it tightens before a member is added and loosens only
 * after one is gone. 0: one member alone, which no drain could move otherwise.
 */
export function minAvailable(voters: number, wanted: number): number {
  const size = Math.max(voters, wanted);
  return size <= 1 ? 0 : Math.floor(size / 2) + 1;
}

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

/** The number for these, or nothing when the spec wants no budget or one member is alone. */
export function wantedBudget({ spec }: EtcdCluster, voters: number, wanted: number): number | undefined {
  const least = minAvailable(voters, wanted);
  return spec.disruptionBudget.enabled && least > 0 ? least : undefined;
}
