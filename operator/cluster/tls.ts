/** How the operator speaks to members: what it trusts, and what it shows where members ask for it. */
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import { TLS_KEYS, tlsSecretName } from "../api/tls-names.ts";
import type { EndpointTls } from "../etcd/etcd-admin.ts";
import { type SecretJson, textIn } from "./facts/secret.ts";

/** "missing" while a Secret that it needs is not there yet. Where clients speak in the clear it is not used. */
export function operatorTls(
  { metadata: { name }, spec: { tls } }: EtcdCluster,
  secrets: ReadonlyMap<string, SecretJson>,
): EndpointTls | "missing" {
  const text = (purpose: "server" | "operator", key: string) => {
    const secret = secrets.get(tlsSecretName(name, purpose));
    return secret === undefined ? undefined : textIn(secret, key);
  };
  const ca = text("server", TLS_KEYS.ca);
  const certificate = text("operator", TLS_KEYS.certificate);
  const key = text("operator", TLS_KEYS.key);
  if (ca === undefined) return "missing";
  if (certificate !== undefined && key !== undefined) return { ca, certificate, key };
  return tls.client.mode === "Mutual" ? "missing" : { ca };
}
