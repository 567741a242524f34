/** All builders together, for whoever plans: what a cluster's objects are to be, out of its spec and a few facts. */
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import { clientServiceName, PORTS } from "../api/names.ts";
import { certificateRequests } from "./certificate-request.ts";
import { additionalServices, clientService } from "./client-service.ts";
import type { Desired } from "./desired.ts";
import { disruptionBudget } from "./disruption-budget.ts";
import { type MemberStart, memberPeers, type OperatorDefaults, peerUrl } from "./member.ts";
import { peerService } from "./peer-service.ts";
import { memberPod } from "./pod.ts";
import { type SecretNeed, secretNeeds } from "./secret-needs.ts";
import { templateHash } from "./template-hash.ts";
import { type ClaimStart, volumeClaim } from "./volume-claim.ts";

/** `cluster` always carries the spec that is in force. */
export interface ResourceBuilders {
  /** Of what the operator wants a member to be; the same for all members. */
  templateHash(cluster: EtcdCluster): string;
  pod(cluster: EtcdCluster, start: MemberStart): Desired;
  /** Only where storage is persistent. */
  claim(cluster: EtcdCluster, start: ClaimStart): Desired;
  /** Services and Certificates: everything but the disruption budget, the accepted spec and Secrets. */
  children(cluster: EtcdCluster): readonly Desired[];
  budget(cluster: EtcdCluster, minAvailable: number): Desired;
  secrets(cluster: EtcdCluster): readonly SecretNeed[];
  /** Under which a member is added. */
  peerUrl(cluster: EtcdCluster, member: string): string;
  /** Where clients go, and where members meet; as `status.endpoints` has them. */
  endpoints(cluster: EtcdCluster): { readonly client: string; readonly peer: string };
}

export function resourceBuilders(defaults: OperatorDefaults): ResourceBuilders {
  return {
    templateHash: (cluster) => templateHash(cluster, defaults),
    pod: (cluster, start) => memberPod(cluster, start, defaults),
    claim: volumeClaim,
    children: (cluster) => [
      peerService(cluster),
      clientService(cluster),
      ...additionalServices(cluster),
      ...certificateRequests(cluster),
    ],
    budget: disruptionBudget,
    secrets: secretNeeds,
    peerUrl,
    endpoints,
  };
}

function endpoints(cluster: EtcdCluster): { readonly client: string; readonly peer: string } {
  const { metadata, spec } = cluster;
  const scheme = spec.tls.client.mode === "Disabled" ? "http" : "https";
  const client = `${scheme}://${clientServiceName(metadata.name)}.${metadata.namespace}.svc:${PORTS.client}`;
  return { client, peer: memberPeers(cluster) };
}
