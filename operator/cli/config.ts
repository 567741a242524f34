/**
 * What the operator is started with: flags, then environment (`KVORUM_OPERATOR_` and the flag's name in capitals), then
 * defaults. Every mistake is named with what would be right; nothing is guessed.
 */
import { nearest } from "../../server/config/nearest.ts";

export interface OperatorConfig {
  /** Namespaces whose clusters are looked after; empty: all. */
  readonly namespaces: readonly string[];
  readonly leaderElect: boolean;
  /** Where the Lease lies. */
  readonly leaseNamespace: string;
  readonly leaseName: string;
  /** Health and metrics, plain HTTP. Nothing in `host`: all addresses. */
  readonly metricsAddress: { readonly host: string | undefined; readonly port: number };
  /** The server's image without a tag; a spec may name another. */
  readonly serverImage: string;
  /** Clusters that are worked on at the same time. */
  readonly concurrency: number;
  /** Path; nothing: the Pod's own account, or what kubectl would use. */
  readonly kubeconfig: string | undefined;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly logFormat: "json" | "console";
  /** Which family members listen on. */
  readonly ipFamily: "IPv4" | "IPv6";
}

export type Invocation =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "run"; readonly config: OperatorConfig };

/** A command line or environment that makes no sense; exit code 2. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

interface Flag {
  readonly name: string;
  readonly isBoolean?: boolean;
  readonly fallback: string;
  readonly help: string;
}

const FLAGS: readonly Flag[] = [
  { name: "namespaces", fallback: "", help: "namespaces to look after, separated by commas; empty: all" },
  {
    name: "leader-elect",
    isBoolean: true,
    fallback: "true",
    help: "of several operators only the holder of a Lease acts",
  },
  { name: "lease-namespace", fallback: "", help: "namespace of the Lease; empty: the operator's own" },
  { name: "lease-name", fallback: "kvorum-operator", help: "name of the Lease" },
  { name: "metrics-address", fallback: ":8080", help: "host:port of /healthz, /readyz and /metrics" },
  { name: "server-image", fallback: "kvorum-server", help: "image of the members, without a tag" },
  { name: "concurrency", fallback: "8", help: "clusters worked on at the same time, 1 to 64" },
  { name: "kubeconfig", fallback: "", help: "path of a kubeconfig; empty: the Pod's account, or kubectl's" },
  { name: "ip-family", fallback: "IPv4", help: "IPv4 or IPv6: what members listen on" },
  { name: "log-level", fallback: "info", help: "debug, info, warn or error" },
  { name: "log-format", fallback: "json", help: "json or console" },
];

const PREFIX = "KVORUM_OPERATOR_";
const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
const LOG_FORMATS = ["json", "console"] as const;
const IP_FAMILIES = ["IPv4", "IPv6"] as const;
/** As Kubernetes has it for names of namespaces. */
const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?$/;
/** A registry, a path, and neither tag nor digest. */
const IMAGE = /^(?:[a-zA-Z0-9.-]+(?::\d{1,5})?\/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/;

type Environment = Readonly<Record<string, string | undefined>>;
type Texts = ReadonlyMap<string, string>;

/**
 * Reads `argv` (what follows the program's name) and `environment`. `ownNamespace`: where the operator runs, if it does
 * in a Pod. Throws a `ConfigError`.
 */
export function readConfig(argv: readonly string[], environment: Environment, ownNamespace?: string): Invocation {
  const given = readArguments(argv);
  if (given.has("help")) return { kind: "help" };
  if (given.has("version")) return { kind: "version" };
  const text = (name: string) => given.get(name) ?? environment[variableOf(name)] ?? fallbackOf(name);
  return { kind: "run", config: resolved(text, ownNamespace) };
}

/** For `--help`. */
export function helpText(): string {
  const lines = FLAGS.map(({ name, fallback, help }) => {
    const shown = fallback === "" ? "" : ` (${fallback})`;
    return `  --${name.padEnd(18)}${help}${shown}`;
  });
  return [
    "kvorum-operator: looks after EtcdClusters on Kubernetes",
    "",
    ...lines,
    "  --version           prints the version",
    "",
    `Each may be given as a variable, too: --server-image is ${variableOf("server-image")}.`,
    "",
  ].join("\n");
}

function readArguments(argv: readonly string[]): Texts {
  const given = new Map<string, string>();
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] as string;
    const [, name, attached] = /^--?([a-z][a-z-]*)(?:=(.*))?$/s.exec(argument) ?? [];
    if (name === undefined) throw new ConfigError(`"${argument}" is no flag: flags look like --name=value`);
    if (name === "help" || name === "h" || name === "version") {
      given.set(name === "h" ? "help" : name, "");
      continue;
    }
    const flag = FLAGS.find((known) => known.name === name) ?? refuseName(name);
    const value = attached ?? (flag.isBoolean === true ? "true" : argv[++at]);
    if (value === undefined) throw new ConfigError(`--${name} needs a value: --${name}=${flag.fallback || "VALUE"}`);
    given.set(name, value);
  }
  return given;
}

function refuseName(name: string): never {
  const near = nearest(
    name,
    FLAGS.map((flag) => flag.name),
  );
  throw new ConfigError(`there is no --${name}${near === undefined ? "; see --help" : `: did you mean --${near}?`}`);
}

function variableOf(name: string): string {
  return PREFIX + name.toUpperCase().replaceAll("-", "_");
}

function fallbackOf(name: string): string {
  return FLAGS.find((flag) => flag.name === name)?.fallback ?? "";
}

function resolved(text: (name: string) => string, ownNamespace: string | undefined): OperatorConfig {
  const leaderElect = readBoolean(text("leader-elect"));
  const leaseNamespace = text("lease-namespace") || ownNamespace || "";
  if (leaderElect && leaseNamespace === "")
    throw new ConfigError(
      "--lease-namespace is needed where the operator does not run in a Pod (or --leader-elect=false)",
    );
  if (leaderElect) check("lease-namespace", leaseNamespace, LABEL, "the name of a namespace");
  return {
    namespaces: readNamespaces(text("namespaces")),
    leaderElect,
    leaseNamespace,
    leaseName: check("lease-name", text("lease-name"), SUBDOMAIN, "lower-case letters, digits, - and ."),
    metricsAddress: readAddress(text("metrics-address")),
    serverImage: check("server-image", text("server-image"), IMAGE, "a repository without tag and digest"),
    concurrency: readCount("concurrency", text("concurrency"), 64),
    kubeconfig: text("kubeconfig") || undefined,
    logLevel: oneOf("log-level", text("log-level"), LOG_LEVELS),
    logFormat: oneOf("log-format", text("log-format"), LOG_FORMATS),
    ipFamily: oneOf("ip-family", text("ip-family"), IP_FAMILIES),
  };
}

function readBoolean(text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw new ConfigError(`--leader-elect=${text}: write true or false`);
}

function readNamespaces(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  const all = names.filter((name) => name !== "");
  for (const name of all) check("namespaces", name, LABEL, "names of namespaces, separated by commas");
  return [...new Set(all)];
}

function readAddress(text: string): OperatorConfig["metricsAddress"] {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535)
    throw new ConfigError(`--metrics-address=${text}: write host:port or :port`);
  return { host: bracketed ?? (plain || undefined), port };
}

function readCount(name: string, text: string, max: number): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > max) throw new ConfigError(`--${name}=${text}: a whole number from 1 to ${max}`);
  return count;
}

function oneOf<T extends string>(name: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw new ConfigError(`--${name}=${text}: there are ${choices.join(", ")}`);
  return found;
}

function check(name: string, text: string, shape: RegExp, wanted: string): string {
  if (!shape.test(text)) throw new ConfigError(`--${name}=${text}: ${wanted}`);
  return text;
}
