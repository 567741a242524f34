/** Whether the settings go together, rule by rule; and what a person should hear of them though they do. */
import { unreachable } from "../base/assert.ts";
import { formatDuration } from "../base/duration.ts";
import type { Config } from "./config.ts";
import { type FlagName, flagNamed } from "./flags.ts";
import { ConfigError, type Notice, type Settings } from "./settings.ts";
import { type Address, checkBindable, checkReachable, initialClusterText, isSecure, parseAddress } from "./urls.ts";

const MAX_ELECTION_MS = 50_000;
const RECOMMENDED_REQUEST_BYTES = 10 * 1024 * 1024;
const RECOMMENDED_QUOTA_BYTES = 8 * 1024 ** 3;

/** Runs all rules. Throws `ConfigError` for the first one broken; answers what else is worth a line in the log. */
export function validate(config: Config, settings: Settings): readonly Notice[] {
  checkLogging(config, settings);
  checkNames(config);
  checkAddresses(config);
  checkDiscovery(settings);
  checkTiming(config);
  checkLimits(settings);
  checkTls(config);
  checkGates(config);
  return remarks(config, settings);
}

function checkLogging(config: Config, settings: Settings): void {
  const logger = settings.get("logger");
  if (logger !== "zap") throw new ConfigError(1, `unknown logger option "${logger}": --logger is zap`);
  const outputs = settings.get("log-outputs");
  if (outputs.length > 1 && outputs.includes("default")) {
    throw new ConfigError(
      1,
      'multi logoutput for "default" is not supported yet; name stderr in --log-outputs instead',
    );
  }
  if (config.logOutputs.length === 0 || config.logOutputs.includes("")) {
    throw new ConfigError(1, "--log-outputs names nothing to write to; leave it out for stderr");
  }
  if (config.logOutputs.includes("systemd/journal")) {
    throw new ConfigError(1, "--log-outputs=systemd/journal is not supported; write to stderr, which systemd collects");
  }
}

/** The name stands in `--initial-cluster` between "," and "=". */
function checkNames(config: Config): void {
  if (config.name === "") throw new ConfigError(1, "--name must not be empty");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
  if (/[,=\u0000-\u001f]/.test(config.name)) {
    throw new ConfigError(1, `--name ${JSON.stringify(config.name)} must not contain ",", "=" or control characters`);
  }
}

function checkAddresses(config: Config): void {
  bindable("listen-peer-urls", config.peerUrls.listen);
  bindable("listen-client-urls", config.clientUrls.listen);
  bindable("listen-client-http-urls", config.listenClientHttpUrls);
  bindable("listen-metrics-urls", config.listenMetricsUrls);
  reachable("initial-advertise-peer-urls", config.peerUrls.advertise);
  reachable("advertise-client-urls", config.clientUrls.advertise);
  const grpc = new Set(config.clientUrls.listen.map(placeOf));
  for (const address of config.listenClientHttpUrls) {
    if (!grpc.has(placeOf(address))) continue;
    throw new ConfigError(
      1,
      `cannot bind both --listen-client-urls and --listen-client-http-urls on the same url ${address.url}; ` +
        "give HTTP a port of its own",
    );
  }
}

function bindable(flag: FlagName, addresses: readonly Address[]): void {
  try {
    checkBindable(addresses);
  } catch (error) {
    throw new ConfigError(1, `--${flag}: ${(error as Error).message}; write its IP, or localhost`);
  }
}

function reachable(flag: FlagName, urls: readonly string[]): void {
  try {
    checkReachable(urls.map(parseAddress));
  } catch (error) {
    throw new ConfigError(1, `--${flag} "${urls.join(",")}" must be "host:port" (${(error as Error).message})`);
  }
}

function placeOf(address: Address): string {
  return address.path || `${address.host}:${address.port}`;
}

function checkDiscovery(settings: Settings): void {
  if (settings.get("discovery-fallback") === "proxy") {
    throw new ConfigError(1, 'v2 proxy is deprecated, and --discovery-fallback can\'t be configured as "proxy"');
  }
}

function checkTiming({ heartbeatMs, electionMs, grpcKeepalive, ...rest }: Config): void {
  if (heartbeatMs === 0) throw new ConfigError(1, "--heartbeat-interval must be >0 (set to 0ms)");
  if (electionMs === 0) throw new ConfigError(1, "--election-timeout must be >0 (set to 0ms)");
  if (5 * heartbeatMs > electionMs) {
    throw new ConfigError(
      1,
      `--election-timeout[${electionMs}ms] should be at least as 5 times as --heartbeat-interval[${heartbeatMs}ms]; ` +
        `raise it to ${5 * heartbeatMs} or more`,
    );
  }
  if (electionMs > MAX_ELECTION_MS) {
    const limit = `should be set less than ${MAX_ELECTION_MS}ms`;
    throw new ConfigError(1, `--election-timeout[${electionMs}ms] is too long, and ${limit}`);
  }
  notNegative("grpc-keepalive-min-time", grpcKeepalive.minTimeMs);
  notNegative("grpc-keepalive-interval", grpcKeepalive.intervalMs);
  notNegative("grpc-keepalive-timeout", grpcKeepalive.timeoutMs);
  notNegative("backend-batch-interval", rest.backendBatchMs);
  notNegative("compaction-sleep-interval", rest.compactionSleepMs);
  notNegative("watch-progress-notify-interval", rest.watchProgressNotifyMs);
  notNegative("warning-apply-duration", rest.warningApplyMs);
  notNegative("warning-unary-request-duration", rest.warningUnaryMs);
}

function notNegative(flag: FlagName, value: number): void {
  if (value < 0) throw new ConfigError(1, `--${flag} must not be below 0`);
}

function checkLimits(settings: Settings): void {
  for (const flag of ["backend-batch-limit", "compaction-batch-limit", "max-learners"] as const) {
    notNegative(flag, settings.get(flag));
  }
  for (const flag of ["corrupt-check-time", "downgrade-check-time"] as const) notNegative(flag, settings.get(flag));
  const token = settings.get("auth-token");
  if (!/^(?:simple|jwt(?:,.*)?)$/s.test(token)) {
    throw new ConfigError(1, `auth: invalid auth options: --auth-token "${token}" is not simple or jwt,OPTIONS`);
  }
  if (settings.get("compact-hash-check-time") <= 0) throw new ConfigError(1, "--compact-hash-check-time must be >0");
  if (settings.get("max-request-bytes") === 0) throw new ConfigError(1, "--max-request-bytes must be >0");
  if (settings.get("max-concurrent-streams") === 0) throw new ConfigError(1, "--max-concurrent-streams must be >0");
}

function checkTls(config: Config): void {
  checkRevocations("client-crl-file", config.tls.crlFile, "trusted-ca-file", config.tls.trustedCaFile);
  checkRevocations("peer-crl-file", config.peerTls.crlFile, "peer-trusted-ca-file", config.peerTls.trustedCaFile);
  const { certFile, keyFile, autoTls } = config.tls;
  if (autoTls || config.peerTls.autoTls) checkValidity(config.selfSignedYears);
  const secure = [...config.clientUrls.listen, ...config.listenClientHttpUrls, ...config.listenMetricsUrls].find(
    isSecure,
  );
  if (secure === undefined) return;
  if (certFile === "" && keyFile === "") {
    if (autoTls) return;
    throw new ConfigError(
      1,
      `TLS key/cert (--cert-file, --key-file) must be provided for client url ${secure.url} with HTTPS scheme; ` +
        "or have one made by --auto-tls",
    );
  }
  if (certFile === "" || keyFile === "") {
    const missing = certFile === "" ? "--cert-file" : "--key-file";
    throw new ConfigError(1, `KeyFile and CertFile must both be present: ${missing} is missing for ${secure.url}`);
  }
}

/** A certificate has room for years of four digits. */
const MAX_VALIDITY_YEARS = 7900;

function checkValidity(years: number): void {
  if (years >= 1 && years <= MAX_VALIDITY_YEARS) return;
  const rule = `it is --self-signed-cert-validity=${years}, and may be 1 to ${MAX_VALIDITY_YEARS} years`;
  throw new ConfigError(1, `selfSignedCertValidity is invalid,it should be greater than 0: ${rule}`);
}

/** A list is only looked at where certificates are: without an authority none is. */
function checkRevocations(flag: FlagName, crlFile: string, caFlag: FlagName, caFile: string): void {
  if (crlFile === "" || caFile !== "") return;
  throw new ConfigError(1, `--${flag} "${crlFile}" needs --${caFlag}: the authority whose certificates it takes back`);
}

function checkGates({ featureGates }: Config): void {
  if (featureGates.LeaseCheckpointPersist && !featureGates.LeaseCheckpoint) {
    throw new ConfigError(
      1,
      "enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint: " +
        "--feature-gates=LeaseCheckpoint=true,LeaseCheckpointPersist=true",
    );
  }
}

/**
 * Whether a cluster can begin with these settings: this member is among the initial ones, under the URLs that it
 * advertises, and no URL is there twice. Only for a data folder that is still empty; a member that has begun knows its
 * cluster. Throws `ConfigError`.
 */
export function checkInitialCluster(config: Config): void {
  const { name, initialCluster, peerUrls } = config;
  const own = initialCluster.get(name);
  if (own === undefined) {
    throw new ConfigError(
      1,
      `couldn't find local name "${name}" in the initial cluster configuration: ` +
        `--initial-cluster "${initialClusterText(initialCluster)}" must contain ${name}=${peerUrls.advertise.join(",")}`,
    );
  }
  const advertised = new Set(peerUrls.advertise.map(comparable));
  const listed = new Set(own.map(comparable));
  const unadvertised = own.filter((url) => !advertised.has(comparable(url))).map((url) => `${name}=${url}`);
  if (unadvertised.length > 0) {
    throw new ConfigError(
      1,
      `--initial-cluster has ${unadvertised.join(",")} but missing from ` +
        `--initial-advertise-peer-urls=${peerUrls.advertise.join(",")}; both must name the same URLs`,
    );
  }
  const unlisted = peerUrls.advertise.filter((url) => !listed.has(comparable(url)));
  if (unlisted.length > 0) {
    throw new ConfigError(
      1,
      `--initial-advertise-peer-urls has ${unlisted.join(",")} but missing from ` +
        `--initial-cluster=${initialClusterText(initialCluster)}; both must name the same URLs`,
    );
  }
  const all = [...initialCluster.values()].flat();
  if (new Set(all).size < all.length) {
    throw new ConfigError(1, `initial cluster ${initialClusterText(initialCluster)} has duplicate url`);
  }
}

/** etcd compares what the names resolve to; the one name that everybody mixes with its address is localhost. */
function comparable(url: string): string {
  return url.replace("//localhost:", "//127.0.0.1:");
}

/** What a person should know though nothing is wrong. */
function remarks(config: Config, settings: Settings): readonly Notice[] {
  const notices: Notice[] = [];
  const warn = (message: string, fields: Notice["fields"] = {}) => notices.push({ level: "warn", message, fields });
  if (settings.get("data-dir") === "") {
    warn("'data-dir' was empty; using default", { "data-dir": config.dataDir });
  }
  if (config.maxRequestBytes > RECOMMENDED_REQUEST_BYTES) {
    warn("exceeded recommended request limit", {
      "max-request-bytes": config.maxRequestBytes,
      "recommended-request-bytes": RECOMMENDED_REQUEST_BYTES,
    });
  }
  if ((config.quotaBytes ?? 0) > RECOMMENDED_QUOTA_BYTES) {
    warn("quota exceeds the maximum value", {
      "quota-size-bytes": config.quotaBytes,
      "quota-maximum-size-bytes": RECOMMENDED_QUOTA_BYTES,
    });
  }
  const progressMs = settings.get("watch-progress-notify-interval");
  if (progressMs > 0 && progressMs < config.watchProgressNotifyMs) {
    warn("adjusting watch progress notify interval to minimum period", {
      "min-watch-progress-notify-interval": formatDuration(config.watchProgressNotifyMs),
    });
  }
  if (config.peerTls.autoTls && config.peerTls.clientCertAuth && config.peerTls.certFile === "") {
    warn(
      "--peer-client-cert-auth has no effect with --peer-auto-tls: nobody can check certificates made by their owner",
    );
  }
  if (config.tls.autoTls && config.tls.certFile !== "") warn("ignoring client auto TLS since certs given");
  if (config.unsafeNoFsync) warn("--unsafe-no-fsync is set: a power cut loses acknowledged writes");
  if (config.featureGates.LeaseCheckpoint && !config.featureGates.LeaseCheckpointPersist) {
    warn("checkpoints of leases are on and will not outlive a restart; see feature gate LeaseCheckpointPersist");
  }
  notices.push(...plainListeners(config));
  return notices;
}

/** TLS settings that an address without TLS does not use. */
function plainListeners(config: Config): Notice[] {
  const { certFile, keyFile, clientCertAuth } = config.tls;
  const notices: Notice[] = [];
  for (const address of [...config.clientUrls.listen, ...config.listenClientHttpUrls]) {
    if (isSecure(address)) continue;
    const fields = { "client-url": address.url };
    if (certFile !== "" || keyFile !== "") {
      const message = "scheme is http or unix while key and cert files are present; ignoring key and cert files";
      notices.push({ level: "warn", message, fields });
    }
    if (clientCertAuth) {
      const message =
        "scheme is http or unix while --client-cert-auth is enabled; ignoring client cert auth for this URL";
      notices.push({ level: "warn", message, fields });
    }
  }
  return notices;
}

/** Lines that tools wait for when these flags are given, in etcd's words. */
const DEPRECATED: Readonly<Record<string, string>> = {
  "max-snapshots": "--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8.",
  "v2-deprecation":
    "--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value is enforced, ignoring user input.",
};

/**
 * What is to be said of flags that were given and do nothing, or nothing yet. Throws `ConfigError` for one that must
 * not be read past.
 */
export function stateNotices(settings: Settings): readonly Notice[] {
  const notices: Notice[] = [];
  const inert: string[] = [];
  const later: string[] = [];
  for (const name of settings.given()) {
    const flag = flagNamed(name);
    if (flag === undefined) continue;
    const deprecated = DEPRECATED[name];
    if (deprecated !== undefined) notices.push({ level: "warn", message: deprecated });
    else if (flag.kind === "ignored") {
      notices.push({ level: "warn", message: "flag is no longer supported - ignoring", fields: { "flag-name": name } });
    } else if (!hasDefault(settings, name as FlagName)) {
      switch (flag.state.kind) {
        case "active":
          break;
        case "inert":
          inert.push(`--${name}: ${flag.state.why}`);
          break;
        case "later":
          if (flag.state.set === "refused") throw notYet(name, flag.state.why);
          later.push(`--${name}: ${flag.state.why}`);
          break;
        default:
          unreachable(flag.state);
      }
    }
  }
  if (inert.length > 0) notices.push({ level: "info", message: "flags without effect here", fields: { flags: inert } });
  if (later.length > 0) notices.push({ level: "warn", message: "flags without effect yet", fields: { flags: later } });
  return notices;
}

function hasDefault(settings: Settings, name: FlagName): boolean {
  return JSON.stringify(plain(settings.get(name))) === JSON.stringify(plain(settings.fallback(name)));
}

function plain(value: unknown): unknown {
  return value instanceof Map ? [...value] : value;
}

function notYet(name: string, why: string): ConfigError {
  return new ConfigError(1, `--${name} is not there yet: ${why}`);
}
