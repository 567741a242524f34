/**
 * Objects as small as the model can read them: what a Pod is started with, whose it is, what it asks for. The plan gets
 * these instead of the real builders, so that a trace costs milliseconds; what real objects look like is tested elsewhere.
 */
import type { EtcdCluster } from "../../../operator/api/etcd-cluster.ts";
import { ANNOTATIONS, claimName, LABELS, memberHost, PORTS } from "../../../operator/api/names.ts";
import type { Desired } from "../../../operator/plan/action.ts";
import type { Builders, ClaimNeed, PodNeed } from "../../../operator/plan/builders.ts";
import { authorityName, filesName, usesTls } from "./certificates.ts";

/** A change of this field is the model's change of configuration. */
export function templateArgs(cluster: EtcdCluster): readonly string[] {
  return [
    `--log-level=${cluster.spec.config.logLevel}`,
    `--heartbeat-interval=${cluster.spec.config.heartbeatInterval}`,
  ];
}

export function templateHashOf(cluster: EtcdCluster): string {
  return [cluster.spec.version, ...templateArgs(cluster)].join(" ");
}

export const gameBuilders: Builders = {
  validate({ spec }) {
    if (spec.config.electionTimeout >= 5 * spec.config.heartbeatInterval) return [];
    return [
      { path: "spec.config.electionTimeout", message: `${spec.config.electionTimeout} is below five heartbeats` },
    ];
  },
  templateHash: templateHashOf,
  pod,
  claim,
  children(cluster) {
    return ["client", "peers"].map((kind) => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: meta(cluster, `${cluster.metadata.name}-${kind}`),
      spec: { selector: { [LABELS.cluster]: cluster.metadata.name } },
    }));
  },
  budget(cluster, minAvailable) {
    return {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: meta(cluster, cluster.metadata.name),
      spec: {
        minAvailable,
        selector: { matchLabels: { [LABELS.cluster]: cluster.metadata.name, [LABELS.role]: "voter" } },
      },
    } as Desired;
  },
  secrets: (cluster) =>
    usesTls(cluster)
      ? [
          { name: authorityName(cluster), by: "operator", isLoaded: false },
          { name: filesName(cluster), by: "operator", isLoaded: true },
        ]
      : [],
  peerUrl: peerUrlOf,
  endpoints: (cluster) => ({
    client: `http://${cluster.metadata.name}-client`,
    peer: `http://${cluster.metadata.name}-peers`,
  }),
};

export function peerUrlOf({ metadata }: EtcdCluster, member: string): string {
  return `http://${memberHost(metadata.name, metadata.namespace, member)}:${PORTS.peer}`;
}

function pod(cluster: EtcdCluster, need: PodNeed): Desired {
  const { member } = need;
  const initialCluster = need.initialCluster.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");
  const args = [
    `--name=${member}`,
    `--initial-cluster-state=${need.start}`,
    `--initial-cluster=${initialCluster}`,
    `--initial-cluster-token=${need.token}`,
    ...(need.expectsData ? ["--expect-data"] : []),
    ...templateArgs(cluster),
  ];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: meta(
      cluster,
      member,
      {
        [LABELS.member]: member,
        [LABELS.version]: cluster.spec.version,
        ...(need.role === undefined ? {} : { [LABELS.role]: need.role }),
      },
      {
        [ANNOTATIONS.templateHash]: templateHashOf(cluster),
        ...(need.memberId === undefined ? {} : { [ANNOTATIONS.memberId]: need.memberId }),
        ...(need.certificateHash === undefined ? {} : { [ANNOTATIONS.certificateHash]: need.certificateHash }),
      },
    ),
    spec: {
      containers: [{ name: "etcd", image: `kvorum:${cluster.spec.version}`, args }],
      volumes: [
        cluster.spec.storage.persistent === undefined
          ? { name: "data", emptyDir: {} }
          : { name: "data", persistentVolumeClaim: { claimName: claimName(member) } },
      ],
    },
  } as Desired;
}

function claim(cluster: EtcdCluster, need: ClaimNeed): Desired {
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: meta(
      cluster,
      claimName(need.member),
      { [LABELS.member]: need.member },
      {
        [ANNOTATIONS.clusterUid]: cluster.metadata.uid,
        [ANNOTATIONS.state]: need.state,
        ...(need.clusterId === undefined ? {} : { [ANNOTATIONS.clusterId]: need.clusterId }),
      },
      cluster.spec.storage.reclaim.onDelete === "Delete",
    ),
    spec: { resources: { requests: { storage: cluster.spec.storage.persistent?.size ?? "1Gi" } } },
  } as Desired;
}

function meta(
  { metadata: { name: cluster, namespace, uid } }: EtcdCluster,
  name: string,
  labels: Readonly<Record<string, string>> = {},
  annotations: Readonly<Record<string, string>> = {},
  isOwned = true,
): Desired["metadata"] {
  return {
    name,
    namespace,
    labels: { [LABELS.cluster]: cluster, ...labels },
    annotations,
    ...(isOwned ? { ownerReferences: [{ uid, controller: true }] } : {}),
  };
}
