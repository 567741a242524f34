/**
 * The front door of this room: what one start of the program is to do, out of its arguments, its environment and its
 * configuration file. The result is plain; nothing else of the house reads argv or `ETCD_*`.
 */
import { readFileSync, statSync } from "node:fs";
import { MAX_CONFIG_FILE_BYTES, parseConfigFile } from "./config-file.ts";
import type { FeatureGate } from "./feature-gates.ts";
import { applyEnvironment, type Environment, parseArguments } from "./parse.ts";
import { resolve } from "./resolve.ts";
import { ConfigError, type Notice, type Settings } from "./settings.ts";
import type { Address } from "./urls.ts";
import { stateNotices, validate } from "./validate.ts";

/** All settings of a server, defaults filled in. Units are in the names. */
export interface Config {
  readonly name: string;
  readonly dataDir: string;
  /** An empty data folder is a mistake: `--expect-data`. */
  readonly expectsData: boolean;
  /** Undefined: inside the data folder. */
  readonly walDir: string | undefined;
  readonly snapshotCount: number;
  readonly snapshotCatchupEntries: number;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly initialElectionTickAdvance: boolean;
  readonly preVote: boolean;

  readonly clientUrls: {
    readonly listen: readonly Address[];
    readonly advertise: readonly string[];
  };
  readonly peerUrls: {
    readonly listen: readonly Address[];
    readonly advertise: readonly string[];
  };
  /** HTTP alone; when there is one, `clientUrls.listen` serve gRPC alone. */
  readonly listenClientHttpUrls: readonly Address[];
  readonly listenMetricsUrls: readonly Address[];
  readonly tls: ClientTls;
  readonly peerTls: PeerTls;
  /** How long certificates that are made here are good, from 1 on. */
  readonly selfSignedYears: number;
  readonly raftReadTimeoutMs: number;
  readonly raftWriteTimeoutMs: number;

  /** Undefined: no quota. */
  readonly quotaBytes: number | undefined;
  readonly maxRequestBytes: number;
  readonly maxTxnOps: number;
  readonly maxConcurrentStreams: number;
  readonly grpcKeepalive: {
    readonly minTimeMs: number;
    /** Infinity: never. */
    readonly intervalMs: number;
    /** Infinity: never. */
    readonly timeoutMs: number;
  };
  readonly grpcEngine: "grpc-js" | "own";
  readonly grpcGateway: boolean;

  readonly backendBatchMs: number;
  readonly backendBatchLimit: number;
  /** Undefined: by the memory that there is. */
  readonly valueCacheBytes: number | undefined;
  readonly autoCompaction: AutoCompaction | undefined;
  readonly compactionBatchLimit: number;
  readonly compactionSleepMs: number;
  readonly watchProgressNotifyMs: number;
  readonly warningApplyMs: number;
  readonly warningUnaryMs: number;

  /** Peer URLs by member name; as given, or this member alone. */
  readonly initialCluster: ReadonlyMap<string, readonly string[]>;
  readonly initialClusterToken: string;
  readonly initialClusterState: "new" | "existing";
  readonly strictReconfigCheck: boolean;
  readonly maxLearners: number;

  readonly metrics: "basic" | "extensive";
  readonly logLevel: LogLevel;
  readonly logFormat: "json" | "console";
  /** "stderr", "stdout" or paths of files. */
  readonly logOutputs: readonly string[];
  /** "*" among them: all. */
  readonly cors: readonly string[];
  /** Empty or "*" among them: all. */
  readonly hostWhitelist: readonly string[];

  readonly featureGates: Readonly<Record<FeatureGate, boolean>>;
  /** The gates that somebody named, as etcd's start line shows them. */
  readonly featureGatesText: string;
  /** 0: never. */
  readonly corruptCheckMs: number;
  readonly compactHashCheckMs: number;
  readonly forceNewCluster: boolean;
  readonly unsafeNoFsync: boolean;
}

/** What clients are shown and asked for on https and unixs addresses. Files are read by whoever opens the listener. */
export interface ClientTls {
  /** "": none, as for the other files. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly trustedCaFile: string;
  /** Only with `trustedCaFile`. */
  readonly crlFile: string;
  /** A certificate is demanded; so it is when a trusted CA is given. */
  readonly clientCertAuth: boolean;
  /** A certificate is made where none is given. */
  readonly autoTls: boolean;
  /** As Node takes them. */
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  readonly maxVersion: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL's list for TLS 1.2; undefined: the runtime's choice. */
  readonly ciphers: string | undefined;
}

/** What other members are shown and asked for on https addresses. "" and empty lists: none. */
export interface PeerTls {
  readonly certFile: string;
  readonly keyFile: string;
  readonly trustedCaFile: string;
  /** Only with `trustedCaFile`. */
  readonly crlFile: string;
  readonly clientCertAuth: boolean;
  /** Shown to those we dial; "": the one above. */
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  readonly allowedCommonNames: readonly string[];
  readonly allowedHostnames: readonly string[];
  readonly skipsAddressCheck: boolean;
  /** Only where no files are given. */
  readonly autoTls: boolean;
}

/** As ports/logger.ts has them; this room knows no port. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "fatal";

export type AutoCompaction =
  | { readonly mode: "periodic"; readonly periodMs: number }
  | { readonly mode: "revision"; readonly retainRevisions: number };

/** What the program is asked to do. */
export type Invocation =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | {
      readonly kind: "serve";
      readonly config: Config;
      /** To be logged once there is a logger, in this order. */
      readonly notices: readonly Notice[];
    };

/**
 * Reads `argv` (what follows the program's name), `environment` and the configuration file, if one is named. Throws
 * `ConfigError`, whose message names what is wrong and what to do.
 */
export function readConfig(argv: readonly string[], environment: Environment): Invocation {
  const { settings, help } = parseArguments(argv);
  if (help) return { kind: "help" };
  if (settings.get("version")) return { kind: "version" };
  const file = settings.get("config-file") || environment["ETCD_CONFIG_FILE"] || "";
  return file === "" ? fromFlags(settings, environment) : fromFile(file);
}

function fromFlags(settings: Settings, environment: Environment): Invocation {
  const notices = applyEnvironment(settings, environment);
  return invocation(settings, "flags", notices);
}

function fromFile(path: string): Invocation {
  const { settings, notices } = parseConfigFile(path, readConfigFile(path));
  const loaded: Notice = {
    level: "info",
    message:
      "loaded server configuration, other configuration command line flags and environment variables will be ignored if provided",
    fields: { path },
  };
  return invocation(settings, "file", [...notices, loaded]);
}

function invocation(settings: Settings, source: "flags" | "file", notices: readonly Notice[]): Invocation {
  const states = stateNotices(settings);
  const config = resolve(settings, source);
  const remarks = validate(config, settings);
  return { kind: "serve", config, notices: [...notices, ...states, ...remarks] };
}

function readConfigFile(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > MAX_CONFIG_FILE_BYTES) {
      throw new Error(`it has ${size} bytes and may have ${MAX_CONFIG_FILE_BYTES}`);
    }
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigError(1, `cannot read the config file "${path}": ${(error as Error).message}`);
  }
}
