/** What our objects are called and marked with. A name or label is written down here and nowhere else. */

/** API group of our kinds, and the prefix of every label and annotation of ours. */
export const GROUP = "kvorum.dev";
export const VERSION = "v1alpha1";
export const API_VERSION = `${GROUP}/${VERSION}`;

/** Field managers of server-side apply: what the operator owns whole, and what it changes of Pods and claims later. */
export const FIELD_MANAGER = `${GROUP}/operator`;
export const MEMBER_FIELD_MANAGER = `${GROUP}/operator-member`;

/** Holds an EtcdCluster until its Pods, and where asked its volumes, are gone. */
export const FINALIZER = `${GROUP}/cluster`;

export const LABELS = {
  /** `kvorum`, on everything of ours. */
  application: "app.kubernetes.io/name",
  /** The cluster's name. */
  instance: "app.kubernetes.io/instance",
  /** `etcd`. */
  component: "app.kubernetes.io/component",
  /** `kvorum-operator`. */
  managedBy: "app.kubernetes.io/managed-by",
  version: "app.kubernetes.io/version",
  cluster: `${GROUP}/cluster`,
  member: `${GROUP}/member`,
  /** `voter` or `learner`; the client Service and the disruption budget select voters. */
  role: `${GROUP}/role`,
} as const;

export const ANNOTATIONS = {
  /** On claims: uid of the EtcdCluster that they belong to. Owner references may be absent (`onDelete: Retain`). */
  clusterUid: `${GROUP}/cluster-uid`,
  /** On claims: id of the etcd cluster, 16 digits of lower-case hex; set before the second member is added. */
  clusterId: `${GROUP}/cluster-id`,
  /** On claims: a `ClaimState`. */
  state: `${GROUP}/state`,
  /** On claims and Pods: the member's id once it is known, 16 digits of lower-case hex. */
  memberId: `${GROUP}/member-id`,
  /** On Pods: hash of what the operator wants a member to be; see resources/template-hash.ts. */
  templateHash: `${GROUP}/template-hash`,
  /** On Pods: hash of the certificate Secrets, so that the kubelet refreshes their files at once. */
  certificateHash: `${GROUP}/certificate-hash`,
  /** On Pods: hash of the members that it was told to join; a member without data must be told the present ones. */
  peers: `${GROUP}/peers`,
  /**
   * On Pods that could begin on an empty disk: `new` to form a cluster, `empty` to join one. They are made once more when
   * there is data, as their next start on an emptied disk would begin anew.
   */
  start: `${GROUP}/start`,
  /** On Pods: nonce of the last restart by request that they have gone through. */
  restart: `${GROUP}/restart`,
  /** On Secrets with an authority: the request by which it was made. */
  rotation: `${GROUP}/rotation`,
  /** On Pods and claims: keys of labels and annotations that they have from `spec.inheritedMetadata`, as JSON. */
  inherited: `${GROUP}/inherited`,
  /** On Services, budgets and the like: hash of what was applied, so that a field which is no longer wanted is seen. */
  appliedHash: `${GROUP}/applied-hash`,
} as const;

/** Requests by annotation on an EtcdCluster. The value is a nonce, or `VALUE:NONCE` where the request names a member. */
export const REQUESTS = {
  restart: `${GROUP}/restart`,
  defrag: `${GROUP}/defrag`,
  moveLeader: `${GROUP}/move-leader`,
  replaceMember: `${GROUP}/replace-member`,
  rotateCertificates: `${GROUP}/rotate-certs`,
} as const;

export type RequestName = keyof typeof REQUESTS;

/** Where a claim stands in its member's life. `retired`: its member is no more, its data is kept. */
export type ClaimState = "initializing" | "joining" | "ready" | "retired";

/** The longest name of an EtcdCluster: what hangs on it must stay within 63 characters. */
export const MAX_CLUSTER_NAME = 40;

export const PORTS = { client: 2379, peer: 2380, metrics: 2381 } as const;

/** Exit code of a member that was started with `--expect-data` on an empty disk. */
export const EXIT_DATA_LOST = 78;

export function memberName(cluster: string, serial: number): string {
  return `${cluster}-${serial}`;
}

/** The serial of a member of this cluster, if the name is one. */
export function serialOf(cluster: string, member: string): number | undefined {
  if (!member.startsWith(`${cluster}-`)) return undefined;
  const digits = member.slice(cluster.length + 1);
  return /^(?:0|[1-9]\d{0,8})$/.test(digits) ? Number(digits) : undefined;
}

export function claimName(member: string): string {
  return `data-${member}`;
}

/** Headless: a DNS name for each member, ready or not. */
export function peerServiceName(cluster: string): string {
  return `${cluster}-peers`;
}

/** For clients: voters that are ready. */
export function clientServiceName(cluster: string): string {
  return `${cluster}-client`;
}

export function disruptionBudgetName(cluster: string): string {
  return cluster;
}

/** ConfigMap that keeps the last spec which was found good, whole. */
export function acceptedSpecName(cluster: string): string {
  return `${cluster}-accepted-spec`;
}

/** Host name of a member inside Kubernetes; no cluster domain, as that differs from cluster to cluster. */
export function memberHost(cluster: string, namespace: string, member: string): string {
  return `${member}.${peerServiceName(cluster)}.${namespace}.svc`;
}
