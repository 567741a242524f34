/**
 * A spec becomes the arguments of the server. Every flag that could hurt is always written, so that the environment of
 * a Pod cannot set it: the server refuses to start when both do. What people add comes last, and the last word wins.
 */
import { assert } from "../../server/base/assert.ts";
import type { ConfigSpec, EtcdCluster, Quantity } from "../api/etcd-cluster.ts";
import { PORTS } from "../api/names.ts";
import { bytesOf } from "../api/quantity.ts";
import { peerProofHost } from "../api/tls-names.ts";
import { clientUrl, initialClusterText, type MemberStart, type OperatorDefaults, peerUrl } from "./member.ts";
import { clientTrustFile, tlsFile } from "./tls-files.ts";

/** Where the volume is mounted. */
export const DATA_MOUNT = "/var/lib/etcd";

/** Below it: the root of a file system holds `lost+found` and is open to the group. */
export const DATA_DIR = `${DATA_MOUNT}/data`;

type FlagValue = string | number | boolean | undefined;

/** All arguments of a member's start, each `--name=value`. Throws an Error for a quantity that is none. */
export function serverFlags(cluster: EtcdCluster, start: MemberStart, defaults: OperatorDefaults): readonly string[] {
  const { spec } = cluster;
  return [
    ...argumentsOf({
      name: start.member,
      "data-dir": DATA_DIR,
      ...addresses(cluster, start.member, defaults),
      ...membership(start),
      ...tuning(spec.config),
      ...clientTls(cluster),
      ...peerTls(cluster),
    }),
    ...(spec.extraArgs ?? []).map(({ name, value }) => `--${name}=${value}`),
  ];
}

function argumentsOf(flags: Readonly<Record<string, FlagValue>>): string[] {
  return Object.entries(flags)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `--${name}=${value}`);
}

function addresses(cluster: EtcdCluster, member: string, { ipFamily }: OperatorDefaults): Record<string, FlagValue> {
  const { client, peer } = cluster.spec.tls;
  const anywhere = ipFamily === "IPv6" ? "[::]" : "0.0.0.0";
  const listen = (isPlain: boolean, port: number) => `${isPlain ? "http" : "https"}://${anywhere}:${port}`;
  return {
    "listen-client-urls": listen(client.mode === "Disabled", PORTS.client),
    "advertise-client-urls": clientUrl(cluster, member),
    "listen-peer-urls": listen(peer.mode === "Disabled", PORTS.peer),
    "initial-advertise-peer-urls": peerUrl(cluster, member),
    // Plain: the kubelet has no certificate, and nothing secret is said there.
    "listen-metrics-urls": listen(true, PORTS.metrics),
  };
}

/** What depends on the member and on when it starts; no part of what its Pod is compared by. */
function membership({ start, expectsData, initialCluster, token }: MemberStart): Record<string, FlagValue> {
  assert(start === "existing" || !expectsData, "a member that has held data begins no cluster");
  return {
    "initial-cluster": initialClusterText(initialCluster),
    "initial-cluster-state": start,
    "initial-cluster-token": token,
    "expect-data": expectsData,
    "force-new-cluster": false,
  };
}

function tuning(config: ConfigSpec): Record<string, FlagValue> {
  return {
    "quota-backend-bytes": bytes(config.quotaBackendBytes),
    "auto-compaction-mode": config.autoCompaction?.mode,
    "auto-compaction-retention": config.autoCompaction?.retention,
    "snapshot-count": config.snapshotCount,
    "heartbeat-interval": config.heartbeatInterval,
    "election-timeout": config.electionTimeout,
    "max-request-bytes": bytes(config.maxRequestBytes),
    "max-txn-ops": config.maxTxnOps,
    "max-concurrent-streams": config.maxConcurrentStreams,
    metrics: config.metrics,
    "log-level": config.logLevel,
    "log-format": config.logFormat,
  };
}

function bytes(quantity: Quantity | undefined): number | undefined {
  return quantity === undefined ? undefined : bytesOf(quantity);
}

function clientTls({ spec }: EtcdCluster): Record<string, FlagValue> {
  const { mode } = spec.tls.client;
  if (mode === "Disabled") return {};
  const shown = { "cert-file": tlsFile("server", "certificate"), "key-file": tlsFile("server", "key") };
  // Naming an authority makes the server ask every client for a certificate.
  return mode === "Mutual" ? { ...shown, "trusted-ca-file": clientTrustFile(), "client-cert-auth": true } : shown;
}

/**
 * Who may be a peer is said by its certificate, not by the address that it calls from: addresses of Pods change, and to
 * ask the name service for them would make members depend on it.
 */
function peerTls({ metadata, spec }: EtcdCluster): Record<string, FlagValue> {
  if (spec.tls.peer.mode === "Disabled") return {};
  return {
    "peer-cert-file": tlsFile("peer", "certificate"),
    "peer-key-file": tlsFile("peer", "key"),
    "peer-trusted-ca-file": tlsFile("peer", "ca"),
    "peer-client-cert-auth": true,
    "peer-cert-allowed-hostname": peerProofHost(metadata.name, metadata.namespace),
    "peer-skip-client-san-verification": true,
  };
}
