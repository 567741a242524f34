/** The Secrets that a cluster's certificates need, and who fills them. */
import type { CertificateSource, EtcdCluster } from "../api/etcd-cluster.ts";
import { type AuthorityPurpose, authoritySecretName, issuedSecretName, tlsSecretName } from "../api/tls-names.ts";

export interface SecretNeed {
  readonly name: string;
  /** Who fills it. */
  readonly by: "operator" | "cert-manager" | "person";
  /** Members load it, and show in their metrics that they did. */
  readonly isLoaded: boolean;
  /** It holds an authority of the operator's own. */
  readonly isAuthority?: boolean;
}

/** Sources before what is made of them; each once. */
export function secretNeeds(cluster: EtcdCluster): readonly SecretNeed[] {
  const { client, peer, extraTrust = [] } = cluster.spec.tls;
  const { name } = cluster.metadata;
  const own = (secret: string, isLoaded: boolean): SecretNeed => ({ name: secret, by: "operator", isLoaded });
  const all: SecretNeed[] = [];
  if (client.mode !== "Disabled") all.push(...sourceNeeds(name, "server", client.source));
  if (peer.mode !== "Disabled") all.push(...sourceNeeds(name, "peer", peer.source));
  if (client.mode === "Mutual") {
    for (const { secretRef } of extraTrust)
      if (secretRef !== undefined) all.push({ name: secretRef.name, by: "person", isLoaded: false });
    all.push(authorityNeed(name, "client"));
  }
  if (client.mode !== "Disabled") all.push(own(tlsSecretName(name, "server"), true));
  if (peer.mode !== "Disabled") all.push(own(tlsSecretName(name, "peer"), true));
  if (client.mode === "Mutual") all.push(own(tlsSecretName(name, "operator"), false));
  return all.filter((one, index) => all.findIndex(({ name: other }) => other === one.name) === index);
}

/** Without a source the operator signs. */
function sourceNeeds(cluster: string, purpose: "server" | "peer", source: CertificateSource | undefined): SecretNeed[] {
  if (source?.secretRef !== undefined) return [{ name: source.secretRef.name, by: "person", isLoaded: false }];
  if (source?.certManager !== undefined)
    return [{ name: issuedSecretName(cluster, purpose), by: "cert-manager", isLoaded: false }];
  const authority: AuthorityPurpose = purpose === "server" ? "client" : "peer";
  return [authorityNeed(cluster, authority)];
}

function authorityNeed(cluster: string, purpose: AuthorityPurpose): SecretNeed {
  return { name: authoritySecretName(cluster, purpose), by: "operator", isLoaded: false, isAuthority: true };
}
