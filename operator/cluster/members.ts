/** Where the members of a cluster answer: their Pods' addresses, with the names that their certificates hold. */
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import { memberHost, PORTS } from "../api/names.ts";
import type { Endpoint, EndpointTls } from "../etcd/etcd-admin.ts";
import type { PodFacts } from "../plan/observation.ts";

/** Of one pass: by member name. */
export type Endpoints = ReadonlyMap<string, Endpoint>;

/** Whether a Pod's member answers over TLS. */
export type Speaks = (pod: PodFacts) => boolean;

/** `tls`: what the operator shows and trusts. */
export function endpointsOf(
  cluster: EtcdCluster,
  pods: readonly PodFacts[],
  speaksTls: Speaks,
  tls: EndpointTls | "missing",
): Endpoints {
  const found = new Map<string, Endpoint>();
  for (const pod of pods) {
    if (whyNotAsked(cluster, pod) !== undefined || pod.ip === undefined) continue;
    const needed = speaksTls(pod) ? tls : undefined;
    if (needed !== "missing") found.set(pod.member, endpointOf(cluster, pod.member, pod.ip, needed));
  }
  return found;
}

/** Why a Pod is not asked at all; nothing when it is. */
export function whyNotAsked(cluster: EtcdCluster, pod: PodFacts): string | undefined {
  if (pod.ownerUid !== cluster.metadata.uid) return "its Pod belongs to somebody else";
  if (pod.isTerminating) return "its Pod is terminating";
  if (pod.ip === undefined) return "its Pod has no address";
  if (pod.phase !== "Running") return `its Pod is ${pod.phase}`;
  if (pod.container?.state !== "Running") return `its container is not running: ${pod.container?.reason ?? ""}`;
  return undefined;
}

/** Plain HTTP for the kubelet and for metrics. */
export function metricsUrl(ip: string): string {
  return `http://${hostOf(ip)}:${PORTS.metrics}/metrics`;
}

function endpointOf(
  { metadata: { name, namespace } }: EtcdCluster,
  member: string,
  ip: string,
  tls: EndpointTls | undefined,
): Endpoint {
  const authority = `${hostOf(ip)}:${PORTS.client}`;
  if (tls === undefined) return { url: `http://${authority}` };
  return { url: `https://${authority}`, serverName: memberHost(name, namespace, member), tls };
}

function hostOf(ip: string): string {
  return ip.includes(":") ? `[${ip}]` : ip;
}
