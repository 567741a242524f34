/** Calls by method, under the names that grpc-ecosystem's Go middleware gives them and every gRPC dashboard asks for. */
import { assert } from "../base/assert.ts";
import type { Registry } from "./registry.ts";
import type { Counter, Histogram } from "./series-types.ts";

/** A method to count. */
export interface GrpcMethod {
  /** "etcdserverpb.KV" */
  readonly service: string;
  /** "Range" */
  readonly name: string;
  readonly kind: "unary" | "clientStream" | "serverStream" | "bidi";
}

/** What one method counts with; keep it, one for each method. */
export interface GrpcMethodSeries {
  readonly started: Counter;
  /** Messages, not bytes. */
  readonly received: Counter;
  readonly sent: Counter;
  /** The call has ended with `code` (0 to 16; what is beyond counts as Unknown) after `seconds`. */
  handled(code: number, seconds: number): void;
}

/** By number. */
const CODES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
] as const;

const KINDS = {
  unary: "unary",
  clientStream: "client_stream",
  serverStream: "server_stream",
  bidi: "bidi_stream",
} as const;

const LABELS = ["grpc_type", "grpc_service", "grpc_method"];

/** Seconds; Prometheus' own default. */
const HANDLING_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Registers the series and sets every one of every method to 0, so that rates are right from the first call on.
 * `extensive`: also how long calls take (`--metrics=extensive`). Answers what to count with, by "/service/method".
 */
export function createGrpcSeries(
  registry: Registry,
  methods: readonly GrpcMethod[],
  extensive: boolean,
): ReadonlyMap<string, GrpcMethodSeries> {
  const started = registry.counters("grpc_server_started_total", "Calls begun.", LABELS);
  const received = registry.counters("grpc_server_msg_received_total", "Messages received from clients.", LABELS);
  const sent = registry.counters("grpc_server_msg_sent_total", "Messages sent to clients.", LABELS);
  const handled = registry.counters("grpc_server_handled_total", "Calls ended, by code.", [...LABELS, "grpc_code"]);
  const handling = extensive
    ? registry.histograms("grpc_server_handling_seconds", "How long calls took.", LABELS, HANDLING_BOUNDS)
    : undefined;
  const byPath = new Map<string, GrpcMethodSeries>();
  for (const { service, name, kind } of methods) {
    const labels = [KINDS[kind], service, name];
    const byCode = CODES.map((code) => handled.with(...labels, code));
    const time = handling?.with(...labels);
    const series = {
      started: started.with(...labels),
      received: received.with(...labels),
      sent: sent.with(...labels),
      handled: (code: number, seconds: number) => countHandled(byCode, time, code, seconds),
    };
    assert(!byPath.has(`/${service}/${name}`), `${service}/${name} is there once`);
    byPath.set(`/${service}/${name}`, series);
  }
  return byPath;
}

const UNKNOWN = 2;

function countHandled(byCode: readonly Counter[], time: Histogram | undefined, code: number, seconds: number): void {
  (byCode[code] ?? (byCode[UNKNOWN] as Counter)).inc();
  time?.observe(seconds);
}
