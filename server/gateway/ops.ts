/**
 * What operators and probes ask over HTTP: /health, /livez, /readyz, /version, /metrics, with the texts, codes and
 * headers of etcd. Knows no socket: an adapter brings requests and takes answers. Checks come in one order here; etcd
 * takes them as they fall out of a map. One parameter is ours: `/readyz?linearizable=false` asks whether a leader is
 * known instead of asking a majority, so that members which live can still be told from those which do not when a
 * majority is gone.
 */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Series } from "../metrics/series.ts";

export interface OpsRequest {
  readonly method: string;
  /** Decoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The header Accept-Encoding, "" without one. */
  readonly acceptEncoding: string;
}

export interface OpsAnswer {
  readonly status: number;
  /** In the order in which Go writes them; without Date and Content-Length. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string | Uint8Array;
}

/** Where a request came in: a listener for metrics has no /version. */
export type OpsPlace = "client" | "metrics";

/** What the member knows of itself; the composer answers. */
export interface OpsFacts {
  /** `alarm` by etcd's name: "NOSPACE", "CORRUPT". */
  alarms(): readonly { readonly alarm: string; readonly memberId: bigint }[];
  /** 0n: there is no leader. */
  leaderId(): bigint;
  isLearner(): boolean;
  /** Reads a key of this member's own store, whoever may; rejects when that fails. */
  serializableRead(): Promise<void>;
  /** Agrees with a majority first; rejects when that fails or takes longer than a request may. */
  linearizableRead(): Promise<void>;
  /** The text that a client would be given for an error of those reads: "etcdserver: request timed out". */
  errorText(error: unknown): string;
  versions(): {
    /** Of the etcd that we speak: "3.7.3". */
    readonly server: string;
    /** "3.7.0"; undefined while it is not agreed. */
    readonly cluster: string | undefined;
    readonly storage: string | undefined;
    /** Our own. */
    readonly kvorum: string;
  };
  metricsText(): Promise<{ readonly contentType: string; readonly body: string }>;
  readonly series: Pick<Series, "server" | "scrape">;
  readonly log: OpsLog;
}

/** The log, as far as it is needed here. */
export interface OpsLog {
  debug(message: string, fields: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  error(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** Answers one request. Never rejects but for a mistake of ours. */
export async function handleOps(request: OpsRequest, facts: OpsFacts, place: OpsPlace): Promise<OpsAnswer> {
  const clean = cleanPath(request.path);
  if (clean !== request.path) return redirect(request, clean);
  const { path } = request;
  if (path === "/health") return onlyGet(request, facts, () => health(request, facts));
  if (path === "/metrics") return metrics(request, facts);
  if (path === "/version" && place === "client") return onlyGet(request, facts, async () => version(facts));
  for (const probe of PROBES) {
    if (path === `/${probe.name}`) return onlyGet(request, facts, () => checkAll(probe, request, facts));
    const check = probe.checks.find((known) => path === `/${probe.name}/${known.name}`);
    if (check !== undefined) return onlyGet(request, facts, () => answerChecks(probe, [check], request, facts));
  }
  return textError(404, "404 page not found");
}

const TEXT = ["Content-Type", "text/plain; charset=utf-8"] as const;
const NO_SNIFF = ["X-Content-Type-Options", "nosniff"] as const;

/** As Go's http.Error: with a line feed. */
function textError(status: number, text: string, before: OpsAnswer["headers"] = []): OpsAnswer {
  return { status, headers: [...before, TEXT, NO_SNIFF], body: `${text}\n` };
}

async function onlyGet(request: OpsRequest, facts: OpsFacts, answer: () => Promise<OpsAnswer>): Promise<OpsAnswer> {
  if (request.method === "GET") return answer();
  facts.log.debug("request with a method other than GET", { path: request.path, "status-code": 405 });
  return textError(405, "Method Not Allowed", [["Allow", "GET"]]);
}

/** A path with "//", "." or ".." is sent where it leads, as Go's mux does. */
function redirect({ method, query }: OpsRequest, clean: string): OpsAnswer {
  const search = query.size > 0 ? `?${query}` : "";
  const location = encodeURI(clean) + search;
  const headers = [["Location", location]] as const;
  if (method !== "GET" && method !== "HEAD") return { status: 307, headers, body: "" };
  const href = location.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&#34;");
  return {
    status: 307,
    headers: [["Content-Type", "text/html; charset=utf-8"], ...headers],
    body: method === "GET" ? `<a href="${href}">Temporary Redirect</a>.\n\n` : "",
  };
}

function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  const clean = `/${parts.join("/")}`;
  return clean !== "/" && path.endsWith("/") ? `${clean}/` : clean;
}

// ---- /health

/** The words after `name=` in the query, empty ones left out. */
function wordsOf(query: URLSearchParams, name: string): ReadonlySet<string> {
  return new Set(query.getAll(name).filter((word) => word !== ""));
}

async function health(request: OpsRequest, facts: OpsFacts): Promise<OpsAnswer> {
  const reason = await whyUnhealthy(request.query, facts);
  if (reason === undefined) {
    facts.series.server.healthSuccess.inc();
    return { status: 200, headers: [TEXT], body: '{"health":"true","reason":""}' };
  }
  facts.series.server.healthFailures.inc();
  const output = `{"health":"false","reason":${goJson(reason)}}`;
  facts.log.warn("/health error", { output, "status-code": 503 });
  return textError(503, output);
}

async function whyUnhealthy(query: URLSearchParams, facts: OpsFacts): Promise<string | undefined> {
  const excluded = wordsOf(query, "exclude");
  const serializable = query.get("serializable") === "true";
  const raised = facts.alarms().find(({ alarm }) => !excluded.has(alarm));
  if (raised !== undefined) {
    return raised.alarm === "NOSPACE" || raised.alarm === "CORRUPT" ? `ALARM ${raised.alarm}` : "ALARM UNKNOWN";
  }
  if (!serializable && facts.leaderId() === 0n) return "RAFT NO LEADER";
  const failure = await failureOf(() => (serializable ? facts.serializableRead() : facts.linearizableRead()), facts);
  return failure === undefined ? undefined : `RANGE ERROR:${failure}`;
}

/** Go writes <, > and & in JSON as escapes. */
function goJson(text: string): string {
  return JSON.stringify(text).replace(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`);
}

async function failureOf(read: () => Promise<void>, facts: OpsFacts): Promise<string | undefined> {
  try {
    await read();
    return undefined;
  } catch (error) {
    return facts.errorText(error);
  }
}

// ---- /livez, /readyz

interface Check {
  readonly name: string;
  /** What is wrong, undefined when nothing is. */
  run(facts: OpsFacts): Promise<string | undefined>;
}

interface Probe {
  readonly name: "livez" | "readyz";
  readonly checks: readonly Check[];
  /** What is checked instead with `linearizable=false`. */
  readonly alone?: ReadonlyMap<Check, Check>;
}

const SERIALIZABLE_READ: Check = {
  name: "serializable_read",
  run: (facts) => failureOf(() => facts.serializableRead(), facts),
};

const LINEARIZABLE_READ: Check = {
  name: "linearizable_read",
  run: (facts) => failureOf(() => facts.linearizableRead(), facts),
};

/** That of etcd's /health; it costs no message. */
const LEADER: Check = {
  name: "leader",
  run: async (facts) => (facts.leaderId() === 0n ? "RAFT NO LEADER" : undefined),
};

const PROBES: readonly Probe[] = [
  { name: "livez", checks: [SERIALIZABLE_READ] },
  {
    name: "readyz",
    checks: [
      {
        name: "data_corruption",
        run: async (facts) =>
          facts.alarms().some(({ alarm }) => alarm === "CORRUPT") ? "alarm activated: CORRUPT" : undefined,
      },
      SERIALIZABLE_READ,
      LINEARIZABLE_READ,
      { name: "non_learner", run: async (facts) => (facts.isLearner() ? "not supported for learner" : undefined) },
    ],
    alone: new Map([[LINEARIZABLE_READ, LEADER]]),
  },
];

function checkAll(probe: Probe, request: OpsRequest, facts: OpsFacts): Promise<OpsAnswer> {
  const excluded = wordsOf(request.query, "exclude");
  const isAlone = request.query.get("linearizable") === "false";
  const wanted = probe.checks.map((check) => (isAlone ? (probe.alone?.get(check) ?? check) : check));
  const checks = wanted.filter(({ name }) => !excluded.has(name));
  const unknown = [...excluded].filter((word) => !wanted.some(({ name }) => name === word));
  if (unknown.length > 0) {
    const missing = unknown.map((word) => JSON.stringify(word)).join(",");
    facts.log.warn("some health checks cannot be excluded", { "missing-health-checks": missing });
  }
  return answerChecks(probe, checks, request, facts);
}

async function answerChecks(
  probe: Probe,
  checks: readonly Check[],
  request: OpsRequest,
  facts: OpsFacts,
): Promise<OpsAnswer> {
  let lines = "";
  let failed = false;
  for (const check of checks) {
    const wrong = await check.run(facts);
    lines += wrong === undefined ? `[+]${check.name} ok\n` : `[-]${check.name} failed: ${wrong}\n`;
    failed ||= wrong !== undefined;
    const { healthCheck, healthChecks } = facts.series.server;
    healthCheck.with(probe.name, check.name).set(wrong === undefined ? 1 : 0);
    healthChecks.with(probe.name, check.name, wrong === undefined ? "success" : "error").inc();
  }
  if (failed) {
    facts.log.warn("Health check error", { path: request.path, reason: lines, "status-code": 503 });
    return textError(503, lines);
  }
  return { status: 200, headers: [TEXT, NO_SNIFF], body: `${request.query.has("verbose") ? lines : ""}ok\n` };
}

// ---- /version, /metrics

function version(facts: OpsFacts): OpsAnswer {
  const { server, cluster, storage, kvorum } = facts.versions();
  const body = JSON.stringify({
    etcdserver: server,
    etcdcluster: cluster ?? "not_decided",
    storage: storage ?? "unknown",
    kvorum,
  });
  return { status: 200, headers: [["Content-Type", "application/json"]], body };
}

const compress = promisify(gzip);

/** Whatever the method, as etcd. */
async function metrics(request: OpsRequest, facts: OpsFacts): Promise<OpsAnswer> {
  const { inFlight, requests } = facts.series.scrape;
  inFlight.inc();
  try {
    const { contentType, body } = await facts.metricsText();
    const zipped = acceptsGzip(request.acceptEncoding) ? await compress(body) : undefined;
    requests.with("200").inc();
    return {
      status: 200,
      headers: [...(zipped ? [["Content-Encoding", "gzip"] as const] : []), ["Content-Type", contentType]],
      body: zipped ?? body,
    };
  } finally {
    inFlight.dec();
  }
}

function acceptsGzip(acceptEncoding: string): boolean {
  return acceptEncoding.split(",").some((part) => /^\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/i.test(part));
}
