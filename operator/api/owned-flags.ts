/**
 * Flags of a member that `extraArgs` may not give: the operator sets them, a field of the spec does, or they would
 * undo what keeps a cluster whole.
 */

/** The operator says who a member is, where it listens, what it joins and which certificates it shows. */
const SET_BY_OPERATOR = [
  "name",
  "data-dir",
  "wal-dir",
  "config-file",
  "version",
  "expect-data",
  "listen-peer-urls",
  "listen-client-urls",
  "listen-client-http-urls",
  "listen-metrics-urls",
  "initial-advertise-peer-urls",
  "advertise-client-urls",
  "initial-cluster",
  "initial-cluster-state",
  "initial-cluster-token",
  "cert-file",
  "key-file",
  "trusted-ca-file",
  "client-cert-auth",
  "client-cert-file",
  "client-key-file",
  "auto-tls",
  "peer-cert-file",
  "peer-key-file",
  "peer-trusted-ca-file",
  "peer-client-cert-auth",
  "peer-client-cert-file",
  "peer-client-key-file",
  "peer-auto-tls",
  "peer-cert-allowed-cn",
  "peer-cert-allowed-hostname",
  "peer-skip-client-san-verification",
  "log-outputs",
  "enable-log-rotation",
  "log-rotation-config-json",
] as const;

/** Fields of `config` stand for these. */
const SET_BY_CONFIG = [
  "quota-backend-bytes",
  "auto-compaction-mode",
  "auto-compaction-retention",
  "snapshot-count",
  "heartbeat-interval",
  "election-timeout",
  "max-request-bytes",
  "max-txn-ops",
  "max-concurrent-streams",
  "metrics",
  "log-level",
  "log-format",
] as const;

/** Another member list than the operator's, lost writes, or changes of membership that lose the quorum. */
const DANGEROUS = [
  "force-new-cluster",
  "unsafe-no-fsync",
  "strict-reconfig-check",
  "max-learners",
  "discovery",
  "discovery-token",
  "discovery-endpoints",
  "discovery-dial-timeout",
  "discovery-request-timeout",
  "discovery-keepalive-time",
  "discovery-keepalive-timeout",
  "discovery-insecure-transport",
  "discovery-insecure-skip-tls-verify",
  "discovery-cert",
  "discovery-key",
  "discovery-cacert",
  "discovery-user",
  "discovery-password",
  "discovery-fallback",
  "discovery-proxy",
  "discovery-srv",
  "discovery-srv-name",
] as const;

/** All of them, without the dashes. */
export const OWNED_FLAGS: readonly string[] = [...SET_BY_OPERATOR, ...SET_BY_CONFIG, ...DANGEROUS];
