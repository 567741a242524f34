/**
 * Every flag, in one table: etcd's names and defaults, help in our words, and what becomes of it here. The environment
 * variable of a flag, its key in a configuration file and its line in `--help` all follow from its row.
 */
import type { FeatureGate } from "./feature-gates.ts";
import type { Address } from "./urls.ts";

/** How the text of a value is read; see values.ts. */
export type FlagKind =
  | "string"
  | "bool"
  | "uint"
  | "int"
  | "duration"
  | "urls" // comma-separated addresses
  | "origins" // comma-separated addresses, or "*"
  | "strings" // comma-separated words
  | "gates" // Name=true,Other=false
  | "ignored"; // an old flag of etcd that takes anything and means nothing

/** What a value of each kind is once read. Durations are milliseconds. */
export interface ValueOfKind {
  readonly string: string;
  readonly bool: boolean;
  readonly uint: number;
  readonly int: number;
  readonly duration: number;
  readonly urls: readonly Address[];
  readonly origins: readonly string[];
  readonly strings: readonly string[];
  readonly gates: ReadonlyMap<FeatureGate, boolean>;
  readonly ignored: undefined;
}

/**
 * Active: it does what it says. Inert: accepted for ever, as nothing here answers to it. Later: its work is still to
 * come; until then a value other than the default is refused where ignoring it could do harm, else accepted aloud.
 */
export type FlagState =
  | { readonly kind: "active" }
  | { readonly kind: "inert"; readonly why: string }
  | { readonly kind: "later"; readonly set: "refused" | "accepted"; readonly why: string };

export interface Flag<Name extends string = string, Kind extends FlagKind = FlagKind> {
  readonly name: Name;
  readonly kind: Kind;
  /** The default as one would type it. */
  readonly fallback: string;
  readonly help: string;
  readonly state: FlagState;
  /** The only values there are; a value outside is refused while reading. */
  readonly choices?: readonly string[];
  /** The greatest number there is. */
  readonly max?: number;
}

const ACTIVE: FlagState = { kind: "active" };

function flag<const Name extends string, const Kind extends FlagKind>(
  name: Name,
  kind: Kind,
  fallback: string,
  help: string,
  more: { readonly state?: FlagState; readonly choices?: readonly string[]; readonly max?: number } = {},
): Flag<Name, Kind> {
  return { name, kind, fallback, help, ...more, state: more.state ?? ACTIVE };
}

function inert(why: string): { readonly state: FlagState } {
  return { state: { kind: "inert", why } };
}

/** Not there yet, and ignoring it could do harm. */
function refused(why: string): { readonly state: FlagState } {
  return { state: { kind: "later", set: "refused", why } };
}

/** Not there yet, and nothing is lost meanwhile. */
function accepted(why: string): { readonly state: FlagState } {
  return { state: { kind: "later", set: "accepted", why } };
}

const NO_AUTH = accepted("authentication comes later; it cannot be enabled yet");
const NO_TRACING = accepted("distributed tracing comes later");
const NO_DISCOVERY = refused("discovery comes with clusters; give --initial-cluster instead");
const NO_ROTATION = refused("write to stderr, or let logrotate with copytruncate rotate the file");

const MEMBER = [
  flag("name", "string", "default", "Name of this member, unlike any other's in the cluster."),
  flag(
    "data-dir",
    "string",
    "",
    "Folder that holds everything this member keeps; empty: the name with .etcd after it.",
  ),
  flag("wal-dir", "string", "", "Folder for the write-ahead log alone; empty: inside the data folder."),
  flag("snapshot-count", "uint", "10000", "Applied entries after which the log is snapshotted."),
  flag("snapshot-catchup-entries", "uint", "5000", "Entries kept behind a snapshot for followers that lag."),
  flag("heartbeat-interval", "uint", "100", "Milliseconds between two heartbeats of a leader."),
  flag("election-timeout", "uint", "1000", "Milliseconds without a leader after which an election begins."),
  flag("initial-election-tick-advance", "bool", "true", "Shorten the first election after a start."),
  flag("listen-peer-urls", "urls", "http://localhost:2380", "Addresses to listen on for other members."),
  flag("listen-client-urls", "urls", "http://localhost:2379", "Addresses to listen on for clients (gRPC and HTTP)."),
  flag(
    "listen-client-http-urls",
    "urls",
    "",
    "Addresses for HTTP alone; when given, listen-client-urls serve gRPC alone.",
  ),
  flag("max-wals", "uint", "5", "Log files kept; 0 keeps all.", inert("log files are kept while they are needed")),
  flag(
    "max-snapshots",
    "uint",
    "5",
    "Snapshot files kept; 0 keeps all. Deprecated by etcd.",
    inert("snapshot files are kept while they are needed"),
  ),
  flag("memory-mlock", "bool", "false", "Lock the process in memory.", inert("the runtime cannot lock its memory")),
  flag("quota-backend-bytes", "int", "0", "Bytes that the store may take; 0: 2 GiB, below 0: no limit."),
  flag(
    "backend-bbolt-freelist-type",
    "string",
    "map",
    "How bbolt keeps its list of free pages.",
    inert("the store is LMDB, not bbolt"),
  ),
  flag("backend-batch-interval", "duration", "0s", "Longest wait before the store commits; 0: 100ms."),
  flag("backend-batch-limit", "int", "0", "Most operations before the store commits; 0: 10000."),
  flag("max-txn-ops", "uint", "128", "Most operations in one transaction."),
  flag("max-request-bytes", "uint", "1572864", "Largest request of a client, in bytes.", { max: 1 << 30 }),
  flag("max-concurrent-streams", "uint", "4294967295", "Most streams that one connection may hold open.", {
    max: 2 ** 32 - 1,
  }),
  flag("grpc-keepalive-min-time", "duration", "5s", "A client that pings more often than this is disconnected."),
  flag("grpc-keepalive-interval", "duration", "2h", "How long a silent connection goes without a ping; 0: for ever."),
  flag("grpc-keepalive-timeout", "duration", "20s", "How long that ping may stay unanswered; 0: for ever."),
  flag("socket-reuse-port", "bool", "false", "Let several processes listen on one port (SO_REUSEPORT).", {
    ...refused("the listeners do not set SO_REUSEPORT yet"),
  }),
  flag(
    "socket-reuse-address",
    "bool",
    "false",
    "Listen on an address that is in TIME_WAIT (SO_REUSEADDR).",
    inert("listeners always do"),
  ),
  flag("enable-grpc-gateway", "bool", "true", "Answer the JSON API under /v3/.", {
    ...accepted("the JSON gateway comes later"),
  }),
  flag("raft-read-timeout", "duration", "5s", "Longest silence on a connection from a peer."),
  flag("raft-write-timeout", "duration", "5s", "Longest wait for a peer to take a message."),
  flag("feature-gates", "gates", "", "Features to switch on or off: Name=true,Other=false."),
  flag("grpc-engine", "string", "own", "What serves gRPC. Kvorum's own flag.", {
    choices: ["own", "grpc-js"],
  }),
  flag(
    "value-cache-bytes",
    "uint",
    "0",
    "Bytes of newest values kept in memory; 0: by the memory there is. Kvorum's own.",
  ),
  flag("expect-data", "bool", "false", "End with code 78 when the data directory is empty. Kvorum's own."),
] as const;

const CLUSTERING = [
  flag(
    "initial-advertise-peer-urls",
    "urls",
    "http://localhost:2380",
    "Addresses of this member that the others are told.",
  ),
  flag(
    "initial-cluster",
    "string",
    "",
    "Members that begin the cluster: name=URL,name=URL; empty: this one alone, under its advertised peer URLs.",
  ),
  flag("initial-cluster-state", "string", "new", "Begin a cluster (new) or join one (existing).", {
    choices: ["new", "existing"],
  }),
  flag("initial-cluster-token", "string", "etcd-cluster", "Word that keeps clusters with the same members apart."),
  flag("advertise-client-urls", "urls", "http://localhost:2379", "Addresses of this member that clients are told."),
  flag("discovery-token", "string", "", "Cluster to find through another etcd.", NO_DISCOVERY),
  flag("discovery-endpoints", "strings", "", "That etcd's endpoints.", NO_DISCOVERY),
  flag("discovery-dial-timeout", "duration", "2s", "Longest wait to connect to it.", NO_DISCOVERY),
  flag("discovery-request-timeout", "duration", "5s", "Longest wait for an answer of it.", NO_DISCOVERY),
  flag("discovery-keepalive-time", "duration", "2s", "How often to ping it.", NO_DISCOVERY),
  flag("discovery-keepalive-timeout", "duration", "6s", "Longest wait for the answer to a ping.", NO_DISCOVERY),
  flag("discovery-insecure-transport", "bool", "true", "Talk to it without TLS.", NO_DISCOVERY),
  flag("discovery-insecure-skip-tls-verify", "bool", "false", "Do not check its certificate.", NO_DISCOVERY),
  flag("discovery-cert", "string", "", "Certificate to show it.", NO_DISCOVERY),
  flag("discovery-key", "string", "", "Key of that certificate.", NO_DISCOVERY),
  flag("discovery-cacert", "string", "", "Authorities that may have signed its certificate.", NO_DISCOVERY),
  flag("discovery-user", "string", "", "User to be there.", NO_DISCOVERY),
  flag("discovery-password", "string", "", "Password of that user.", NO_DISCOVERY),
  flag("discovery-fallback", "string", "exit", "What to do when discovery fails.", { choices: ["exit", "proxy"] }),
  flag("discovery-srv", "string", "", "DNS domain whose SRV records name the members.", NO_DISCOVERY),
  flag("discovery-srv-name", "string", "", "Suffix of the SRV service name.", NO_DISCOVERY),
  flag("strict-reconfig-check", "bool", "true", "Refuse changes of membership that would lose the quorum."),
  flag("pre-vote", "bool", "true", "Ask whether an election could be won before beginning one."),
  flag("auto-compaction-mode", "string", "periodic", "Keep history by time (periodic) or by count (revision)."),
  flag(
    "auto-compaction-retention",
    "string",
    "0",
    "How much history to keep: a duration, bare numbers being hours, or a number of revisions; 0: all.",
  ),
  flag("v2-deprecation", "string", "write-only", "Phase of the v2 store's removal. Deprecated by etcd.", {
    ...inert("there is no v2 store here"),
    choices: ["not-yet", "write-only", "write-only-skip-check", "write-only-drop-data", "gone"],
  }),
] as const;

const SECURITY = [
  flag("cert-file", "string", "", "Certificate shown to clients (PEM). Read again when it changes."),
  flag("key-file", "string", "", "Key of that certificate."),
  flag("trusted-ca-file", "string", "", "Authorities that may have signed clients' certificates."),
  flag("client-cert-auth", "bool", "false", "Serve only clients that show a certificate."),
  flag("client-cert-file", "string", "", "Certificate for the gateway's own connection.", {
    ...inert("the gateway calls the services directly"),
  }),
  flag("client-key-file", "string", "", "Key of that certificate.", inert("the gateway calls the services directly")),
  flag("client-crl-file", "string", "", "List of revoked client certificates (PEM); needs trusted-ca-file."),
  flag(
    "client-cert-allowed-hostname",
    "strings",
    "",
    "Names of which a client's certificate must carry one.",
    refused("comes with the rest of TLS"),
  ),
  flag("auto-tls", "bool", "false", "Serve clients with a certificate made here, which nobody has signed."),
  flag("peer-cert-file", "string", "", "Certificate shown to peers."),
  flag("peer-key-file", "string", "", "Key of that certificate."),
  flag("peer-trusted-ca-file", "string", "", "Authorities that may have signed peers' certificates."),
  flag("peer-client-cert-auth", "bool", "false", "Talk only to peers that show a certificate."),
  flag("peer-client-cert-file", "string", "", "Certificate to connect to peers with."),
  flag("peer-client-key-file", "string", "", "Key of that certificate."),
  flag("peer-crl-file", "string", "", "List of revoked peer certificates (PEM); needs peer-trusted-ca-file."),
  flag("peer-cert-allowed-cn", "strings", "", "Common names that a peer's certificate may carry."),
  flag("peer-cert-allowed-hostname", "strings", "", "Names that a peer's certificate may carry."),
  flag("peer-auto-tls", "bool", "false", "Talk to peers with a certificate made here, and check none of theirs."),
  flag("peer-skip-client-san-verification", "bool", "false", "Do not check where a peer calls from."),
  flag("self-signed-cert-validity", "uint", "1", "Years for which certificates made here are good."),
  flag("cipher-suites", "strings", "", "Cipher suites for TLS 1.2, by Go's names; empty: the runtime's choice."),
  flag("tls-min-version", "string", "TLS1.2", "Lowest version of TLS: TLS1.2 or TLS1.3."),
  flag("tls-max-version", "string", "", "Highest version of TLS: TLS1.2 or TLS1.3; empty: the highest there is."),
  flag("cors", "origins", "*", "Origins whose pages may read HTTP answers; * or empty: all."),
  flag("host-whitelist", "strings", "*", "Host names under which plain HTTP is answered; * or empty: all."),
] as const;

const AUTH = [
  flag("auth-token", "string", "simple", "Kind of token given to users: simple or jwt,OPTIONS.", NO_AUTH),
  flag("bcrypt-cost", "uint", "10", "Work put into hashing a password, 4 to 31.", NO_AUTH),
  flag("auth-token-ttl", "uint", "300", "Seconds that an unused simple token lives.", NO_AUTH),
] as const;

const MONITORING = [
  flag("metrics", "string", "basic", "Metrics shown: basic, or extensive for the time each call took."),
  flag("listen-metrics-urls", "urls", "", "Addresses to listen on for /metrics and health checks alone."),
  flag(
    "enable-pprof",
    "bool",
    "false",
    "Go's profiler under /debug/pprof/.",
    inert("use node --inspect or --cpu-prof"),
  ),
  flag("enable-distributed-tracing", "bool", "false", "Send OpenTelemetry traces.", NO_TRACING),
  flag("distributed-tracing-address", "string", "localhost:4317", "Collector of the traces.", NO_TRACING),
  flag("distributed-tracing-service-name", "string", "etcd", "Service name in the traces.", NO_TRACING),
  flag("distributed-tracing-instance-id", "string", "", "Instance in the traces.", NO_TRACING),
  flag("distributed-tracing-sampling-rate", "int", "0", "Traces kept of a million.", NO_TRACING),
] as const;

const LOGGING = [
  flag("log-level", "string", "info", "Lowest level written: debug, info, warn, error, panic or fatal."),
  flag("log-format", "string", "json", "Form of a line: json or console."),
  flag("log-outputs", "strings", "default", "Where lines go: default (stderr), stderr, stdout or paths of files."),
  flag("logger", "string", "zap", "Only zap; it stands for the form that the lines have."),
  flag("enable-log-rotation", "bool", "false", "Begin a new log file when one is full.", NO_ROTATION),
  flag(
    "log-rotation-config-json",
    "string",
    '{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}',
    "When a log file is full.",
    NO_ROTATION,
  ),
  flag("warning-unary-request-duration", "duration", "300ms", "A call that takes longer is logged as a warning."),
  flag("warning-apply-duration", "duration", "100ms", "An entry or read that takes longer is logged as a warning."),
] as const;

const FEATURES = [
  flag(
    "watch-progress-notify-interval",
    "duration",
    "10m",
    "How often watchers that asked for it are told the revision.",
  ),
  flag("compaction-batch-limit", "int", "1000", "Most revisions removed in one step of a compaction; 0: 1000."),
  flag("compaction-sleep-interval", "duration", "10ms", "Rest between two steps of a compaction."),
  flag("corrupt-check-time", "duration", "0s", "How often the leader compares all members' data; 0: never."),
  flag(
    "compact-hash-check-time",
    "duration",
    "1m",
    "How often the leader compares hashes of compactions, with feature gate CompactHashCheck.",
  ),
  flag("bootstrap-defrag-threshold-megabytes", "uint", "0", "Give space back at start when this much is free.", {
    ...accepted("defragment by request; giving space back at start comes later"),
  }),
  flag("max-learners", "int", "1", "Most members that may be learning."),
  flag("downgrade-check-time", "duration", "5s", "How often a running downgrade is looked at.", {
    ...accepted("downgrades come later"),
  }),
] as const;

const UNSAFE = [
  flag("force-new-cluster", "bool", "false", "Keep the data and remove all other members for good."),
  flag("unsafe-no-fsync", "bool", "false", "Never wait for the disk. A power cut loses acknowledged writes."),
] as const;

const GENERAL = [
  flag(
    "config-file",
    "string",
    "",
    "YAML file to take the settings from; other flags and variables then count for nothing.",
  ),
  flag("version", "bool", "false", "Print the version and end."),
] as const;

/** Old flags of etcd that it still takes and that mean nothing: deployments carry them on. Not in `--help`. */
const IGNORED = [
  flag("cluster-active-size", "ignored", "", ""),
  flag("cluster-remove-delay", "ignored", "", ""),
  flag("cluster-sync-interval", "ignored", "", ""),
  flag("config", "ignored", "", ""),
  flag("force", "ignored", "", ""),
  flag("max-result-buffer", "ignored", "", ""),
  flag("max-retry-attempts", "ignored", "", ""),
  flag("peer-heartbeat-interval", "ignored", "", ""),
  flag("peer-election-timeout", "ignored", "", ""),
  flag("retry-interval", "ignored", "", ""),
  flag("snapshot", "ignored", "", ""),
  flag("v", "ignored", "", ""),
  flag("vv", "ignored", "", ""),
] as const;

/** As `--help` shows them. */
export const FLAG_GROUPS = {
  Member: MEMBER,
  Clustering: CLUSTERING,
  Security: SECURITY,
  Auth: AUTH,
  "Profiling and monitoring": MONITORING,
  Logging: LOGGING,
  Features: FEATURES,
  "Unsafe: may break what the protocol promises": UNSAFE,
  General: GENERAL,
} as const;

type AnyFlag = (typeof FLAG_GROUPS)[keyof typeof FLAG_GROUPS][number] | (typeof IGNORED)[number];

export type FlagName = AnyFlag["name"];

/** The type of a flag's value. */
export type ValueOf<Name extends FlagName> = ValueOfKind[Extract<AnyFlag, { name: Name }>["kind"]];

/** All flags, the ignored ones too. */
export const FLAGS: readonly Flag[] = [...Object.values(FLAG_GROUPS).flat(), ...IGNORED];

const BY_NAME: ReadonlyMap<string, Flag> = new Map(FLAGS.map((row) => [row.name, row]));

export function flagNamed(name: string): Flag | undefined {
  return BY_NAME.get(name);
}

/** The environment variable of a flag: ETCD_DATA_DIR for data-dir. */
export function environmentName(name: string): string {
  return `ETCD_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** Flags whose value is a secret: it is not logged. */
export const SECRET_FLAGS: ReadonlySet<string> = new Set(["discovery-password", "discovery-user", "auth-token"]);

/** What became of flags that etcd once had. The value is the flag, or the gate, to use instead; "" when there is none. */
export const FORMER_FLAGS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "experimental-initial-corrupt-check": "--feature-gates=InitialCorruptCheck=true",
    "experimental-compact-hash-check-enabled": "--feature-gates=CompactHashCheck=true",
    "experimental-enable-lease-checkpoint": "--feature-gates=LeaseCheckpoint=true",
    "experimental-enable-lease-checkpoint-persist": "--feature-gates=LeaseCheckpoint=true,LeaseCheckpointPersist=true",
    "experimental-stop-grpc-service-on-defrag": "--feature-gates=StopGRPCServiceOnDefrag=true",
    "experimental-txn-mode-write-with-shared-buffer": "--feature-gates=TxnModeWriteWithSharedBuffer=true",
    "experimental-set-member-localaddr": "--feature-gates=SetMemberLocalAddr=true",
    "experimental-enable-v2v3": "",
    "enable-v2": "",
    discovery: "",
    "discovery-proxy": "",
    proxy: "",
    "proxy-dial-timeout": "",
    "proxy-failure-wait": "",
    "proxy-read-timeout": "",
    "proxy-refresh-interval": "",
    "proxy-write-timeout": "",
    debug: "--log-level=debug",
    "log-package-levels": "--log-level",
  }),
);
