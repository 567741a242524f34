/** The claim of a member's storage. It is what a member is: its Pod comes and goes. */
import { assert } from "../../server/base/assert.ts";
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import { ANNOTATIONS, type ClaimState, claimName, LABELS } from "../api/names.ts";
import { type Desired, given } from "./desired.ts";
import { inheritanceMark, inheritedBy } from "./inherited.ts";
import { metadataOf } from "./metadata.ts";

export interface ClaimStart {
  readonly member: string;
  readonly state: ClaimState;
  /** Of the etcd cluster, once it is known; 16 digits of lower-case hex. */
  readonly clusterId: string | undefined;
}

/**
 * The claim of a member of a cluster with persistent storage; others have none, and must not be asked for one. Claims
 * that are to be kept have no owner: the garbage collector would take them with it.
 */
export function volumeClaim(cluster: EtcdCluster, { member, state, clusterId }: ClaimStart): Desired {
  const { persistent, reclaim } = cluster.spec.storage;
  assert(persistent !== undefined, "only persistent storage has claims");
  const { metadata } = cluster;
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: metadataOf(cluster, {
      name: claimName(member),
      asked: { labels: persistent.labels, annotations: persistent.annotations },
      labels: { [LABELS.member]: member },
      annotations: {
        [ANNOTATIONS.clusterUid]: metadata.uid,
        [ANNOTATIONS.state]: state,
        ...(clusterId === undefined ? {} : { [ANNOTATIONS.clusterId]: clusterId }),
        ...inheritanceMark(inheritedBy(cluster, "claim")),
      },
      isOwned: reclaim.onDelete === "Delete",
    }),
    spec: given({
      accessModes: [persistent.accessMode],
      storageClassName: persistent.storageClassName,
      volumeMode: "Filesystem",
      resources: { requests: { storage: persistent.size } },
    }),
  };
}
