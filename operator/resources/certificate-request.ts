/** What cert-manager is asked for, where the spec names an issuer of it. */
import type { CertificateSource, EtcdCluster } from "../api/etcd-cluster.ts";
import { issuedSecretName, subjectNames } from "../api/tls-names.ts";
import { type Desired, given, listed } from "./desired.ts";
import { metadataOf } from "./metadata.ts";

/** Members dial each other, so each shows its certificate from both ends. */
const USAGES = ["digital signature", "key encipherment", "server auth", "client auth"];

/** The Certificates, one for each purpose whose source is cert-manager. What the operator shows it signs by itself. */
export function certificateRequests(cluster: EtcdCluster): readonly Desired[] {
  const { client, peer } = cluster.spec.tls;
  return [
    ...(client.mode === "Disabled" ? [] : requestsFor(cluster, "server", client.source)),
    ...(peer.mode === "Disabled" ? [] : requestsFor(cluster, "peer", peer.source)),
  ];
}

function requestsFor(cluster: EtcdCluster, purpose: "server" | "peer", source?: CertificateSource): Desired[] {
  if (source?.certManager === undefined) return [];
  const { duration, renewBefore } = cluster.spec.tls.certificates;
  const name = issuedSecretName(cluster.metadata.name, purpose);
  const metadata = metadataOf(cluster, { name });
  const { dnsNames, ips } = subjectNames(cluster, purpose);
  return [
    {
      apiVersion: "cert-manager.io/v1",
      kind: "Certificate",
      metadata,
      spec: {
        secretName: name,
        secretTemplate: given({ labels: metadata.labels, annotations: metadata.annotations }),
        issuerRef: source.certManager.issuerRef,
        duration,
        renewBefore,
        privateKey: { algorithm: "ECDSA", size: 256, encoding: "PKCS8", rotationPolicy: "Always" },
        usages: USAGES,
        dnsNames,
        ...given({ ipAddresses: listed(ips) }),
      },
    },
  ];
}
