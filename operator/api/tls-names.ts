/**
 * What Secrets of certificates are called, and for which names the certificates in them are good. One certificate of
 * each purpose serves all members of a cluster: serials are never used twice, so a wildcard is the only name that need
 * not be issued anew with every member.
 */
import { unreachable } from "../../server/base/assert.ts";
import type { EtcdCluster } from "./etcd-cluster.ts";
import { clientServiceName, memberHost, memberName, peerServiceName } from "./names.ts";

/** What a certificate is for: shown to clients, shown among members, shown by the operator to members. */
export type Purpose = "server" | "peer" | "operator";

/** Who signs: one authority for what clients and members show each other, one for members among themselves. */
export type AuthorityPurpose = "client" | "peer";

/** Keys of a Secret of type kubernetes.io/tls, as cert-manager and people fill it. */
export const TLS_KEYS = { ca: "ca.crt", certificate: "tls.crt", key: "tls.key" } as const;

/** Beside those, in the Secret for clients: who may have signed what clients show. */
export const CLIENT_TRUST_KEY = "clients.crt";

/** Beside those: since when all that is trusted is trusted, RFC 3339. */
export const TRUST_SINCE_KEY = "trust-since";

/** Longest common name that X.509 allows; longer names stand in the alternative names alone. */
export const MAX_COMMON_NAME = 64;

/** The Secret that members, or the operator, read. Always written by the operator, whoever signed what is in it. */
export function tlsSecretName(cluster: string, purpose: Purpose): string {
  return `${cluster}-${purpose}-tls`;
}

/** The Secret into which cert-manager issues; the operator copies from it once all members trust its authority. */
export function issuedSecretName(cluster: string, purpose: "server" | "peer"): string {
  return `${cluster}-${purpose}-issued`;
}

/** The Secret that holds an authority of the operator's own, with its key. */
export function authoritySecretName(cluster: string, purpose: AuthorityPurpose): string {
  return `${cluster}-${purpose}-ca`;
}

/** Names for which a certificate must be good. */
export interface SubjectNames {
  readonly dnsNames: readonly string[];
  readonly ips: readonly string[];
  /** At most 64 characters: says what the certificate is for, and is no name of a host. */
  readonly commonName: string;
}

const KUBERNETES_DOMAIN = "cluster.local";
const LOOPBACK = ["127.0.0.1", "::1"];

/** The names for a purpose, in a fixed order, each once. */
export function subjectNames(cluster: EtcdCluster, purpose: Purpose): SubjectNames {
  switch (purpose) {
    case "server":
      return serverNames(cluster);
    case "peer":
      return peerNames(cluster);
    case "operator":
      return { commonName: "kvorum-operator", dnsNames: [], ips: [] };
    default:
      return unreachable(purpose);
  }
}

/** Services under every form in which Pods write them, members, a Pod's own loopback, and what the spec adds. */
function serverNames({ metadata: { name, namespace }, spec }: EtcdCluster): SubjectNames {
  const services = [
    clientServiceName(name),
    ...(spec.service.additional ?? []).map((one) => serviceName(name, one.name)),
  ];
  const { extraDNSNames = [], extraIPs = [] } = spec.tls.certificates;
  return {
    commonName: "kvorum-server",
    dnsNames: unique([
      ...services.flatMap((service) => [service, ...longForms(`${service}.${namespace}`)]),
      ...longForms(`*.${peerServiceName(name)}.${namespace}`),
      "localhost",
      ...extraDNSNames,
    ]),
    ips: unique([...LOOPBACK, ...extraIPs]),
  };
}

/** Members know each other by one form alone: the host of their peer URL. */
function peerNames({ metadata: { name, namespace } }: EtcdCluster): SubjectNames {
  const service = `${peerServiceName(name)}.${namespace}.svc`;
  return { commonName: "kvorum-peer", dnsNames: [`*.${service}`, service, "localhost"], ips: LOOPBACK };
}

/**
 * A host that every peer certificate of a cluster is good for, whoever issued it: the first member's. Peers are asked
 * for it (`--peer-cert-allowed-hostname`), as an authority may also sign for others.
 */
export function peerProofHost(cluster: string, namespace: string): string {
  return memberHost(cluster, namespace, memberName(cluster, 0));
}

/** The Service of `service.additional[]` with this name. */
export function serviceName(cluster: string, additional: string): string {
  return `${cluster}-${additional}`;
}

/** The short form, and the one in most clusters; another domain is for `extraDNSNames`. */
function longForms(host: string): string[] {
  return [host, `${host}.svc`, `${host}.svc.${KUBERNETES_DOMAIN}`];
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
