/** Where a Pod finds certificates: one folder for each purpose, each a Secret that the kubelet keeps fresh. */
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import { CLIENT_TRUST_KEY, TLS_KEYS, tlsSecretName } from "../api/tls-names.ts";

type MemberPurpose = "server" | "peer";

/** Owner and group may read; the group is the Pod's `fsGroup`. 0440. */
const FILE_MODE = 0o440;

function folder(purpose: MemberPurpose): string {
  return `/etc/kvorum/tls/${purpose}`;
}

export function tlsFile(purpose: MemberPurpose, part: keyof typeof TLS_KEYS): string {
  return `${folder(purpose)}/${TLS_KEYS[part]}`;
}

/** Authorities whose clients are let in. */
export function clientTrustFile(): string {
  return `${folder("server")}/${CLIENT_TRUST_KEY}`;
}

/** For what members of this cluster need certificates, in a fixed order. */
export function memberPurposes({ spec: { tls } }: EtcdCluster): readonly MemberPurpose[] {
  return [
    ...(tls.client.mode === "Disabled" ? [] : (["server"] as const)),
    ...(tls.peer.mode === "Disabled" ? [] : (["peer"] as const)),
  ];
}

/** Whole folders, never single files: those would not be refreshed. */
export function tlsVolumes(cluster: EtcdCluster): readonly object[] {
  return memberPurposes(cluster).map((purpose) => ({
    name: volumeName(purpose),
    secret: { secretName: tlsSecretName(cluster.metadata.name, purpose), defaultMode: FILE_MODE },
  }));
}

export function tlsMounts(cluster: EtcdCluster): readonly object[] {
  return memberPurposes(cluster).map((purpose) => ({
    name: volumeName(purpose),
    mountPath: folder(purpose),
    readOnly: true,
  }));
}

function volumeName(purpose: MemberPurpose): string {
  return `kvorum-tls-${purpose}`;
}
