/**
 * What stands around every call, whatever it means: may this member take it now, who counts it, and the log line for one
 * that took long. No engine is known here.
 */
import { EtcdError } from "../base/error.ts";
import type { AnyMethod } from "../proto/services.ts";

/** A method as counters and log lines know it. */
export interface RpcMethod extends AnyMethod {
  /** "etcdserverpb.KV" */
  readonly service: string;
}

/** What one method counts with. */
export interface MethodCounters {
  readonly started: { inc(): void };
  /** Messages. */
  readonly received: { inc(): void };
  readonly sent: { inc(): void };
  /** By gRPC's code. */
  handled(code: number, seconds: number): void;
}

/** Where calls are counted. */
export interface RpcMetrics {
  /** Asked once for each method. */
  counters(method: RpcMethod): MethodCounters;
  /** `clientApiVersion` is one of few: see `versionLabel`. */
  clientRequest(type: "unary" | "stream", clientApiVersion: string): void;
  /** Of messages, without their frames. */
  bytesReceived(bytes: number): void;
  bytesSent(bytes: number): void;
}

const NO_COUNTER = { inc: () => undefined };
const NO_COUNTERS: MethodCounters = {
  started: NO_COUNTER,
  received: NO_COUNTER,
  sent: NO_COUNTER,
  handled: () => undefined,
};

/** Counts nothing: for tests and tools. */
export const NO_RPC_METRICS: RpcMetrics = {
  counters: () => NO_COUNTERS,
  clientRequest: () => undefined,
  bytesReceived: () => undefined,
  bytesSent: () => undefined,
};

/**
 * The client's version as a label. Versions that etcd's clients have stay; anything else a caller may make up counts
 * as "other", for each label lives as long as the process.
 */
export function versionLabel(version: string): string {
  return version === "unknown" || /^3\.\d{1,2}$/.test(version) ? version : "other";
}

/** What the gate asks of the member. */
export interface GateFacts {
  /** 0n: none. */
  readonly leaderId: bigint;
  readonly isLearner: boolean;
}

/** Why the member does not take this call now; undefined: it does. Asked in etcd's order. */
export function refusalOf(
  facts: GateFacts,
  method: RpcMethod,
  caller: { readonly clientApiVersion: string | undefined; readonly requiresLeader: boolean },
  request: unknown,
): EtcdError | undefined {
  if (facts.isLearner && !isForLearners(method, request)) return new EtcdError("NotSupportedForLearner");
  if (caller.clientApiVersion === undefined) return new EtcdError("InvalidClientApiVersion");
  if (caller.requiresLeader && facts.leaderId === 0n) return new EtcdError("NoLeader");
  return undefined;
}

/** A learner answers for itself only: its status, a read that may be stale, a copy of its data. */
function isForLearners(method: RpcMethod, request: unknown): boolean {
  if (method.kind !== "unary") return method.path === "/etcdserverpb.Maintenance/Snapshot";
  if (method.path === "/etcdserverpb.Maintenance/Status") return true;
  return method.path === "/etcdserverpb.KV/Range" && (request as { serializable: boolean }).serializable;
}

/** One unary call that is over, for the log. */
export interface UnaryReport {
  readonly method: RpcMethod;
  readonly remoteAddress: string;
  readonly tookMs: number;
  readonly request: unknown;
  readonly requestBytes: number;
  /** Undefined when it was refused. */
  readonly response: unknown;
  readonly responseBytes: number;
}

/** Hears of unary calls that took longer than `slowerThanMs`; 0: of all. */
export interface UnaryObserver {
  readonly slowerThanMs: number;
  observe(report: UnaryReport): void;
}
