/** What a member is started with beside the spec: who it is, and what is known of it. */
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import { claimName, memberHost, PORTS, peerServiceName } from "../api/names.ts";

/** What the operator was started with, and all clusters share. */
export interface OperatorDefaults {
  /** The server's image without a tag, where the spec names none: the tag is `spec.version`. */
  readonly serverImage: string;
  /** The family of addresses on which members listen; absent: IPv4. */
  readonly ipFamily?: "IPv4" | "IPv6";
}

/** All that a member's Pod depends on beside the spec. */
export interface MemberStart {
  readonly member: string;
  /**
   * `new` for the very first start of the seed of a cluster that has no id yet. Ever after, and for any other member,
   * `existing`: a member that may begin a cluster does so again when its disk is lost.
   */
  readonly start: "new" | "existing";
  /** The member's disk has held data: an empty one is then a loss and no beginning. */
  readonly expectsData: boolean;
  /** All members, this one among them. */
  readonly initialCluster: readonly { readonly name: string; readonly peerUrl: string }[];
  /** Keeps clusters apart: see `clusterToken`. */
  readonly token: string;
  /** 16 digits of lower-case hex, once it is known. */
  readonly memberId: string | undefined;
  /** Absent: no client is sent to it, and no budget counts it. */
  readonly role: "voter" | "learner" | undefined;
  /** Of the Secrets that are mounted: a change has the kubelet refresh them at once. */
  readonly certificateHash: string | undefined;
}

/** The container that runs the member; others in a Pod are sidecars. */
export const MEMBER_CONTAINER = "etcd";

/** The token a cluster is born with: an old volume can never join a new cluster of the same name. */
export function clusterToken({ metadata: { namespace, name, uid } }: EtcdCluster): string {
  return `${namespace}/${name}/${uid}`;
}

/** Under which other members reach it. */
export function peerUrl({ metadata: { name, namespace }, spec }: EtcdCluster, member: string): string {
  const scheme = spec.tls.peer.mode === "Disabled" ? "http" : "https";
  return `${scheme}://${memberHost(name, namespace, member)}:${PORTS.peer}`;
}

/** Where members meet: the headless Service. */
export function memberPeers({ metadata: { name, namespace }, spec }: EtcdCluster): string {
  const scheme = spec.tls.peer.mode === "Disabled" ? "http" : "https";
  return `${scheme}://${peerServiceName(name)}.${namespace}.svc:${PORTS.peer}`;
}

/** Under which clients are told to reach it. */
export function clientUrl({ metadata: { name, namespace }, spec }: EtcdCluster, member: string): string {
  const scheme = spec.tls.client.mode === "Disabled" ? "http" : "https";
  return `${scheme}://${memberHost(name, namespace, member)}:${PORTS.client}`;
}

/** The text of `--initial-cluster`, sorted, so that the same members give the same flag. */
export function initialClusterText(members: MemberStart["initialCluster"]): string {
  return members
    .map(({ name, peerUrl: url }) => `${name}=${url}`)
    .sort()
    .join(",");
}

/** The volume in the Pod that holds the member's data. */
export function dataVolume({ spec: { storage } }: EtcdCluster, member: string): Readonly<Record<string, unknown>> {
  if (storage.ephemeral === undefined) return { persistentVolumeClaim: { claimName: claimName(member) } };
  const { medium, sizeLimit } = storage.ephemeral;
  return { emptyDir: { ...(medium === "" ? {} : { medium }), ...(sizeLimit === undefined ? {} : { sizeLimit }) } };
}
