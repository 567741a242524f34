/**
 * etcd's log line for a unary call that took long: "request stats", with what was asked for in words. Values never
 * appear, only their sizes.
 */
import { formatDuration } from "../base/duration.ts";
import type {
  Compare,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  RangeRequest,
  RangeResponse,
  RequestOp,
  TxnRequest,
  TxnResponse,
} from "../proto/etcdserverpb.ts";
import type { UnaryObserver, UnaryReport } from "./interceptors.ts";

/** Of the words, at most: a transaction may hold thousands of keys. */
const CONTENT_MAX = 4096;

export interface StatsLog {
  debug(message: string, fields: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** Warns of calls that took longer than `warnAfterMs`; with `all`, tells of the others on the debug level. */
export class RequestStats implements UnaryObserver {
  readonly slowerThanMs: number;
  readonly #log: StatsLog;
  readonly #warnAfterMs: number;
  readonly #wallMs: () => number;

  constructor(options: { log: StatsLog; warnAfterMs: number; all: boolean; wallMs: () => number }) {
    this.slowerThanMs = options.all ? 0 : options.warnAfterMs;
    this.#log = options.log;
    this.#warnAfterMs = options.warnAfterMs;
    this.#wallMs = options.wallMs;
  }

  observe(report: UnaryReport): void {
    const fields = { "start time": new Date(this.#wallMs() - report.tookMs).toISOString(), ...statsOf(report) };
    if (report.tookMs > this.#warnAfterMs) this.#log.warn("request stats", fields);
    else this.#log.debug("request stats", fields);
  }
}

function statsOf(report: UnaryReport): Record<string, unknown> {
  const { requestCount, responseCount, content } = contentOf(report);
  const counted = requestCount >= 0;
  return {
    "time spent": formatDuration(report.tookMs),
    remote: report.remoteAddress,
    "response type": report.method.path,
    "request count": requestCount,
    "request size": counted ? report.requestBytes : -1,
    "response count": responseCount,
    "response size": counted ? report.responseBytes : -1,
    "request content": content.length > CONTENT_MAX ? `${content.slice(0, CONTENT_MAX)}...` : content,
  };
}

interface Content {
  /** Keys written, as etcd counts them; -1 where nothing is counted. */
  readonly requestCount: number;
  /** Keys found or deleted. */
  readonly responseCount: number;
  readonly content: string;
}

function contentOf({ method, request, response }: UnaryReport): Content {
  switch (method.path) {
    case "/etcdserverpb.KV/Range": {
      const responseCount = (response as RangeResponse | undefined)?.count ?? 0;
      return { requestCount: 0, responseCount, content: rangeText(request as RangeRequest) };
    }
    case "/etcdserverpb.KV/Put":
      return { requestCount: 1, responseCount: 0, content: putText(request as PutRequest) };
    case "/etcdserverpb.KV/DeleteRange": {
      const responseCount = (response as DeleteRangeResponse | undefined)?.deleted ?? 0;
      return { requestCount: 0, responseCount, content: deleteText(request as DeleteRangeRequest) };
    }
    case "/etcdserverpb.KV/Txn": {
      const { success, failure } = request as TxnRequest;
      const taken = (response as TxnResponse | undefined)?.succeeded ? success : failure;
      const requestCount = response === undefined ? 0 : taken.length;
      return { requestCount, responseCount: 0, content: txnText(request as TxnRequest) };
    }
    default:
      return { requestCount: -1, responseCount: -1, content: "" };
  }
}

const ORDERS = ["NONE", "ASCEND", "DESCEND"];
const TARGETS = ["KEY", "VERSION", "CREATE", "MOD", "VALUE"];
const COMPARE_RESULTS = ["EQUAL", "GREATER", "LESS", "NOT_EQUAL"];
const COMPARE_TARGETS = ["VERSION", "CREATE", "MOD", "VALUE", "LEASE"];

/** Fields that are not at their default, in protobuf's text form. */
function fieldsText(fields: Readonly<Record<string, unknown>>): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Uint8Array) {
      if (value.length > 0) parts.push(`${name}:${quoted(value)}`);
    } else if (value) parts.push(`${name}:${value}`);
  }
  return parts.join(" ");
}

function quoted(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    if (byte === 0x22 || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`;
    else if (byte >= 0x20 && byte < 0x7f) text += String.fromCharCode(byte);
    else text += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return `"${text}"`;
}

function rangeText(request: RangeRequest): string {
  return fieldsText({
    key: request.key,
    range_end: request.rangeEnd,
    limit: request.limit,
    revision: request.revision,
    sort_order: request.sortOrder === 0 ? "" : (ORDERS[request.sortOrder] ?? request.sortOrder),
    sort_target: request.sortTarget === 0 ? "" : (TARGETS[request.sortTarget] ?? request.sortTarget),
    serializable: request.serializable,
    keys_only: request.keysOnly,
    count_only: request.countOnly,
    min_mod_revision: request.minModRevision,
    max_mod_revision: request.maxModRevision,
    min_create_revision: request.minCreateRevision,
    max_create_revision: request.maxCreateRevision,
  });
}

function putText(request: PutRequest): string {
  return fieldsText({
    key: request.key,
    value_size: request.value.length,
    lease: request.lease,
    prev_kv: request.prevKv,
    ignore_value: request.ignoreValue,
    ignore_lease: request.ignoreLease,
  });
}

function deleteText({ key, rangeEnd, prevKv }: DeleteRangeRequest): string {
  return fieldsText({ key, range_end: rangeEnd, prev_kv: prevKv });
}

function txnText({ compare, success, failure }: TxnRequest): string {
  const compares = compare.map((one) => `compare:<${compareText(one)}>`);
  const branches = [success, failure].map((operations) => operations.map(operationText).join(" "));
  return [...compares, `success:<${branches[0]}>`, `failure:<${branches[1]}>`].join(" ");
}

function operationText({ request }: RequestOp): string {
  switch (request?.kind) {
    case "range":
      return `request_range:<${rangeText(request.value)}>`;
    case "put":
      return `request_put:<${putText(request.value)}>`;
    case "deleteRange":
      return `request_delete_range:<${deleteText(request.value)}>`;
    case "txn":
      return `request_txn:<${txnText(request.value)}>`;
    default:
      return "";
  }
}

/** The target's field comes even when it is zero: it is one of several, and says which. */
function compareText({ result, target, key, rangeEnd, targetUnion }: Compare): string {
  const asked = targetUnion === undefined ? "" : `${snakeCase(targetUnion.kind)}:${targetText(targetUnion)}`;
  const before = fieldsText({
    result: result === 0 ? "" : (COMPARE_RESULTS[result] ?? result),
    target: target === 0 ? "" : (COMPARE_TARGETS[target] ?? target),
    key,
  });
  return [before, asked, fieldsText({ range_end: rangeEnd })].filter((part) => part !== "").join(" ");
}

function targetText(asked: NonNullable<Compare["targetUnion"]>): string {
  return asked.kind === "value" ? String(asked.value.length) : String(asked.value);
}

function snakeCase(kind: string): string {
  return kind === "value" ? "value_size" : kind.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
