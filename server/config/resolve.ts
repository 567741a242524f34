/** Settings, flag by flag, become the configuration that the rest of the house sees. */
import { parseDuration } from "../base/duration.ts";
import { opensslCiphers } from "./cipher-suites.ts";
import type { AutoCompaction, ClientTls, Config, LogLevel, PeerTls } from "./config.ts";
import { type FeatureGate, resolveGates } from "./feature-gates.ts";
import { ConfigError, type Settings } from "./settings.ts";
import { parseInitialCluster, urlTexts } from "./urls.ts";

const DEFAULT_QUOTA_BYTES = 2 * 1024 ** 3;
const DEFAULT_BATCH_MS = 100;
const DEFAULT_BATCH_LIMIT = 10_000;
const DEFAULT_SNAPSHOT_COUNT = 10_000;
const DEFAULT_CATCHUP_ENTRIES = 5000;
const DEFAULT_COMPACTION_BATCH = 1000;
const DEFAULT_COMPACTION_SLEEP_MS = 10;
const DEFAULT_PROGRESS_NOTIFY_MS = 600_000;
/** More often than this etcd does not notify, whatever it is told. */
const MIN_PROGRESS_NOTIFY_MS = 100;

/**
 * The configuration of `settings`. Throws `ConfigError` where a value cannot be one; whether the values go together is
 * for validate.ts.
 */
export function resolve(settings: Settings, source: "flags" | "file"): Config {
  const name = settings.get("name");
  const advertisePeerUrls = urlTexts(settings.get("initial-advertise-peer-urls"));
  const gates = settings.get("feature-gates");
  return {
    name,
    dataDir: settings.get("data-dir") || `${name}.etcd`,
    walDir: settings.get("wal-dir") || undefined,
    snapshotCount: settings.get("snapshot-count") || DEFAULT_SNAPSHOT_COUNT,
    snapshotCatchupEntries: settings.get("snapshot-catchup-entries") || DEFAULT_CATCHUP_ENTRIES,
    heartbeatMs: settings.get("heartbeat-interval"),
    electionMs: settings.get("election-timeout"),
    initialElectionTickAdvance: settings.get("initial-election-tick-advance"),
    preVote: settings.get("pre-vote"),
    clientUrls: {
      listen: settings.get("listen-client-urls"),
      advertise: advertisedClientUrls(settings, source),
    },
    peerUrls: { listen: settings.get("listen-peer-urls"), advertise: advertisePeerUrls },
    listenClientHttpUrls: settings.get("listen-client-http-urls"),
    listenMetricsUrls: settings.get("listen-metrics-urls"),
    tls: clientTls(settings),
    peerTls: peerTls(settings),
    selfSignedYears: settings.get("self-signed-cert-validity"),
    raftReadTimeoutMs: settings.get("raft-read-timeout"),
    raftWriteTimeoutMs: settings.get("raft-write-timeout"),
    quotaBytes: quotaBytes(settings.get("quota-backend-bytes")),
    maxRequestBytes: settings.get("max-request-bytes"),
    maxTxnOps: settings.get("max-txn-ops"),
    maxConcurrentStreams: settings.get("max-concurrent-streams"),
    grpcKeepalive: {
      minTimeMs: settings.get("grpc-keepalive-min-time"),
      intervalMs: settings.get("grpc-keepalive-interval") || Number.POSITIVE_INFINITY,
      timeoutMs: settings.get("grpc-keepalive-timeout") || Number.POSITIVE_INFINITY,
    },
    grpcEngine: settings.get("grpc-engine") as Config["grpcEngine"],
    grpcGateway: settings.get("enable-grpc-gateway"),
    backendBatchMs: settings.get("backend-batch-interval") || DEFAULT_BATCH_MS,
    backendBatchLimit: settings.get("backend-batch-limit") || DEFAULT_BATCH_LIMIT,
    valueCacheBytes: settings.get("value-cache-bytes") || undefined,
    autoCompaction: autoCompaction(settings.get("auto-compaction-mode"), settings.get("auto-compaction-retention")),
    compactionBatchLimit: settings.get("compaction-batch-limit") || DEFAULT_COMPACTION_BATCH,
    compactionSleepMs: settings.get("compaction-sleep-interval") || DEFAULT_COMPACTION_SLEEP_MS,
    watchProgressNotifyMs: progressNotifyMs(settings.get("watch-progress-notify-interval")),
    warningApplyMs: settings.get("warning-apply-duration"),
    warningUnaryMs: settings.get("warning-unary-request-duration"),
    initialCluster: initialCluster(settings.get("initial-cluster"), name, advertisePeerUrls),
    initialClusterToken: settings.get("initial-cluster-token"),
    initialClusterState: settings.get("initial-cluster-state") as "new" | "existing",
    strictReconfigCheck: settings.get("strict-reconfig-check"),
    maxLearners: settings.get("max-learners"),
    metrics: oneOf("metrics", settings.get("metrics"), ["basic", "extensive"]),
    logLevel: logLevel(settings.get("log-level")),
    logFormat: logFormat(settings.get("log-format")),
    logOutputs: settings.get("log-outputs").map((output) => (output === "default" ? "stderr" : output)),
    cors: settings.get("cors"),
    hostWhitelist: settings.get("host-whitelist"),
    featureGates: resolveGates(gates),
    featureGatesText: gatesText(gates),
    corruptCheckMs: settings.get("corrupt-check-time"),
    compactHashCheckMs: settings.get("compact-hash-check-time"),
    expectsData: settings.get("expect-data"),
    forceNewCluster: settings.get("force-new-cluster"),
    unsafeNoFsync: settings.get("unsafe-no-fsync"),
  };
}

/**
 * etcd will not guess what clients are told once it is told where to listen; in a file the default stays, wrong as it
 * may be.
 */
function advertisedClientUrls(settings: Settings, source: "flags" | "file"): readonly string[] {
  if (source === "flags" && settings.isGiven("listen-client-urls") && !settings.isGiven("advertise-client-urls")) {
    const listened = urlTexts(settings.get("listen-client-urls")).join(",");
    throw new ConfigError(
      1,
      "--advertise-client-urls is required when --listen-client-urls is set explicitly; " +
        `if clients can reach those, add --advertise-client-urls=${listened}`,
    );
  }
  return urlTexts(settings.get("advertise-client-urls"));
}

function progressNotifyMs(given: number): number {
  if (given === 0) return DEFAULT_PROGRESS_NOTIFY_MS;
  return given < 0 ? given : Math.max(given, MIN_PROGRESS_NOTIFY_MS); // what is below 0 is refused later
}

function quotaBytes(given: number): number | undefined {
  if (given < 0) return undefined;
  return given === 0 ? DEFAULT_QUOTA_BYTES : given;
}

function initialCluster(
  text: string,
  name: string,
  advertisePeerUrls: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  if (text === "") return new Map([[name, advertisePeerUrls]]);
  try {
    return parseInitialCluster(text);
  } catch (error) {
    throw new ConfigError(1, `error setting up initial cluster: --initial-cluster "${text}": ${messageOf(error)}`);
  }
}

function clientTls(settings: Settings): ClientTls {
  const suites = settings.get("cipher-suites");
  const minVersion = tlsVersion("tls-min-version", settings.get("tls-min-version"), "TLSv1.2");
  const maxVersion = tlsVersion("tls-max-version", settings.get("tls-max-version"), "TLSv1.3");
  if (minVersion > maxVersion) {
    const min = settings.get("tls-min-version");
    throw new ConfigError(1, `min version (${min}) is greater than max version (${settings.get("tls-max-version")})`);
  }
  if (minVersion === "TLSv1.3" && suites.length > 0) {
    const remedy = "remove --cipher-suites or lower --tls-min-version";
    throw new ConfigError(1, `cipher suites cannot be configured when only TLS1.3 is enabled; ${remedy}`);
  }
  return {
    certFile: settings.get("cert-file"),
    keyFile: settings.get("key-file"),
    trustedCaFile: settings.get("trusted-ca-file"),
    crlFile: settings.get("client-crl-file"),
    clientCertAuth: settings.get("client-cert-auth"),
    autoTls: settings.get("auto-tls"),
    minVersion,
    maxVersion,
    ciphers: ciphers(suites),
  };
}

function peerTls(settings: Settings): PeerTls {
  return {
    certFile: settings.get("peer-cert-file"),
    keyFile: settings.get("peer-key-file"),
    trustedCaFile: settings.get("peer-trusted-ca-file"),
    crlFile: settings.get("peer-crl-file"),
    clientCertAuth: settings.get("peer-client-cert-auth"),
    clientCertFile: settings.get("peer-client-cert-file"),
    clientKeyFile: settings.get("peer-client-key-file"),
    allowedCommonNames: settings.get("peer-cert-allowed-cn").filter((name) => name !== ""),
    allowedHostnames: settings.get("peer-cert-allowed-hostname").filter((name) => name !== ""),
    skipsAddressCheck: settings.get("peer-skip-client-san-verification"),
    autoTls: settings.get("peer-auto-tls"),
  };
}

function ciphers(suites: readonly string[]): string | undefined {
  try {
    return opensslCiphers(suites);
  } catch (error) {
    throw new ConfigError(1, `--cipher-suites: ${messageOf(error)}`);
  }
}

function tlsVersion(flag: string, text: string, unset: "TLSv1.2" | "TLSv1.3"): "TLSv1.2" | "TLSv1.3" {
  if (text === "") return unset;
  if (text === "TLS1.2") return "TLSv1.2";
  if (text === "TLS1.3") return "TLSv1.3";
  throw new ConfigError(1, `--${flag}: unexpected TLS version "${text}" (must be one of: TLS1.2, TLS1.3)`);
}

function autoCompaction(mode: string, retention: string): AutoCompaction | undefined {
  if (mode !== "periodic" && mode !== "revision") {
    throw new ConfigError(1, `unknown auto-compaction-mode "${mode}": --auto-compaction-mode is periodic or revision`);
  }
  const count = /^\+?\d+$/.test(retention) ? Number(retention) : undefined;
  if (count !== undefined && !Number.isSafeInteger(count)) throw badRetention(retention, "it is too large");
  if (count === 0) return undefined;
  if (mode === "revision") {
    if (count === undefined) throw badRetention(retention, "with --auto-compaction-mode=revision it counts revisions");
    return { mode, retainRevisions: count };
  }
  const periodMs = count === undefined ? retentionMs(retention) : count * 3_600_000;
  return periodMs === 0 ? undefined : { mode, periodMs };
}

function retentionMs(retention: string): number {
  let milliseconds: number;
  try {
    milliseconds = parseDuration(retention);
  } catch (error) {
    throw badRetention(retention, messageOf(error));
  }
  if (milliseconds < 0) throw badRetention(retention, "it must not be below 0");
  return milliseconds;
}

function badRetention(retention: string, why: string): ConfigError {
  return new ConfigError(1, `error parsing CompactionRetention: --auto-compaction-retention "${retention}": ${why}`);
}

const LEVELS: ReadonlyMap<string, LogLevel> = new Map([
  ["", "info"],
  ["debug", "debug"],
  ["info", "info"],
  ["warn", "warn"],
  ["error", "error"],
  ["dpanic", "fatal"],
  ["panic", "fatal"],
  ["fatal", "fatal"],
]);

function logLevel(text: string): LogLevel {
  const level = LEVELS.get(text.toLowerCase());
  if (level !== undefined) return level;
  throw new ConfigError(1, `unrecognized level: --log-level "${text}" is not debug, info, warn, error, panic or fatal`);
}

function logFormat(text: string): "json" | "console" {
  if (text === "json" || text === "console") return text;
  throw new ConfigError(1, `unknown log format: ${text}, supported values json, console (--log-format)`);
}

function oneOf<const Word extends string>(flag: string, text: string, words: readonly Word[]): Word {
  const word = words.find((known) => known === text);
  if (word === undefined) throw new ConfigError(1, `--${flag} "${text}" is not ${words.join(" or ")}`);
  return word;
}

function gatesText(gates: ReadonlyMap<FeatureGate, boolean>): string {
  return [...gates]
    .map(([gate, value]) => `${gate}=${value}`)
    .sort()
    .join(",");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
