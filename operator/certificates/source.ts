/** Where the certificate for a purpose comes from: the operator's own authority, or a Secret that others fill. */

import { durationMs } from "../api/duration.ts";
import type { CertificateSource, EtcdCluster } from "../api/etcd-cluster.ts";
import { clientServiceName, memberHost, memberName } from "../api/names.ts";
import {
  type AuthorityPurpose,
  authoritySecretName,
  issuedSecretName,
  type Purpose,
  subjectNames,
  tlsSecretName,
} from "../api/tls-names.ts";
import { isSignedBy, readBrought } from "./brought.ts";
import { leafDue, type RenewalTerms } from "./due.ts";
import { type HeldSecret, missingNames, readAuthority } from "./held.ts";
import { issueLeaf, type Pair } from "./issue.ts";
import { bundleOf, type Certificate } from "./pem.ts";
import type { SeenCertificates } from "./seen.ts";

export interface Source {
  /** Who has signed what it gives. */
  readonly authorities: readonly Certificate[];
  /** Why what it gives should be shown instead of what is held; undefined: no reason. */
  readonly newLeaf: string | undefined;
  /** What is to be shown, PEM, with its key. Issues one where the operator signs. */
  take(): Promise<{ readonly shown: string; readonly key: string }>;
}

/** The Secret that is written for a purpose. */
export function secretOf({ metadata: { name } }: EtcdCluster, purpose: Purpose): string {
  return tlsSecretName(name, purpose);
}

export function termsOf({ spec: { tls } }: EtcdCluster): RenewalTerms {
  const { duration, renewBefore } = tls.certificates;
  return { durationMs: durationMs(duration), renewBeforeMs: durationMs(renewBefore) };
}

/** The authorities of the operator's own that this cluster needs. What the operator shows it always signs itself. */
export function authoritiesInUse({ spec: { tls } }: EtcdCluster): readonly AuthorityPurpose[] {
  const { client, peer } = tls;
  const signs = (source: CertificateSource | undefined) =>
    source?.secretRef === undefined && source?.certManager === undefined;
  const isClientUsed = client.mode === "Mutual" || (client.mode === "Server" && signs(client.source));
  return [
    ...(isClientUsed ? (["client"] as const) : []),
    ...(peer.mode !== "Disabled" && signs(peer.source) ? (["peer"] as const) : []),
  ];
}

/** The authority as its Secret holds it. Throws `CertificateProblem` for one that is unusable. */
export function ownAuthority({ cluster, secrets }: SeenCertificates, purpose: AuthorityPurpose): Pair | undefined {
  const name = authoritySecretName(cluster.metadata.name, purpose);
  return readAuthority(name, secrets.get(name));
}

/** Nothing while it is not there yet. Throws `CertificateProblem` when it cannot be used. */
export function sourceOf(seen: SeenCertificates, purpose: Purpose, held: HeldSecret | undefined): Source | undefined {
  if (purpose === "operator") return ownSource(seen, purpose, held);
  const brought = broughtName(seen.cluster, purpose);
  return brought === undefined ? ownSource(seen, purpose, held) : broughtSource(seen, purpose, brought, held);
}

function broughtName({ metadata, spec: { tls } }: EtcdCluster, purpose: "server" | "peer"): string | undefined {
  const source = purpose === "server" ? tls.client.source : tls.peer.source;
  if (source?.secretRef !== undefined) return source.secretRef.name;
  return source?.certManager === undefined ? undefined : issuedSecretName(metadata.name, purpose);
}

function ownSource(seen: SeenCertificates, purpose: Purpose, held: HeldSecret | undefined): Source | undefined {
  const { cluster, now } = seen;
  const authority = ownAuthority(seen, purpose === "peer" ? "peer" : "client");
  if (authority === undefined) return undefined;
  const names = subjectNames(cluster, purpose);
  const terms = termsOf(cluster);
  const leaf = held && {
    notBefore: held.leaf.notBefore,
    notAfter: held.leaf.notAfter,
    isOfAuthority: isSignedBy(held.leaf, authority.certificate),
    missingNames: missingNames(held.leaf, names),
  };
  const usages = USAGES[purpose];
  return {
    authorities: [authority.certificate],
    newLeaf: leafDue(leaf, terms, now),
    take: async () => {
      const { certificate, key } = await issueLeaf(authority, { names, usages, now, lifetimeMs: terms.durationMs });
      return { shown: certificate.pem, key };
    },
  };
}

/** Members dial each other, and so show theirs from both ends. */
const USAGES = { server: ["server"], peer: ["server", "client"], operator: ["client"] } as const;

function broughtSource(
  seen: SeenCertificates,
  purpose: "server" | "peer",
  secret: string,
  held: HeldSecret | undefined,
): Source | undefined {
  const { cluster, secrets, now } = seen;
  const texts = secrets.get(secret);
  if (texts === undefined) return undefined;
  const wants = { hosts: neededHosts(cluster, purpose), usages: USAGES[purpose], now };
  const { certificate, chain, authorities, key } = readBrought(secret, texts, wants);
  const isHeld = held?.leaf.fingerprint === certificate.fingerprint;
  return {
    authorities,
    newLeaf: isHeld ? undefined : `Secret "${secret}" holds another one`,
    take: async () => ({ shown: bundleOf(chain), key }),
  };
}

/** What nothing works without: the Service for clients, and members by the names that they dial each other by. */
function neededHosts({ metadata: { name, namespace }, spec }: EtcdCluster, purpose: "server" | "peer"): string[] {
  const members = Array.from({ length: spec.replicas }, (_, serial) =>
    memberHost(name, namespace, memberName(name, serial)),
  );
  return purpose === "peer" ? members : [`${clientServiceName(name)}.${namespace}.svc`, ...members];
}
