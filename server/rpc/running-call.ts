/**
 * One call under way: who calls, how long they wait, and the end. A call ends once, by whoever ends it first: the
 * service, its deadline, the peer, the engine or the server's stop. What is between is in unary-call.ts and
 * stream-calls.ts.
 */
import { EtcdError } from "../base/error.ts";
import { RangeParts, RangeResponse } from "../proto/etcdserverpb.ts";
import { Writer } from "../proto/wire.ts";
import type { Call } from "../services/call.ts";
import type { CallFacts } from "./call-facts.ts";
import type { Listed } from "./call-list.ts";
import {
  type GateFacts,
  type MethodCounters,
  type RpcMethod,
  type RpcMetrics,
  refusalOf,
  type UnaryObserver,
  versionLabel,
} from "./interceptors.ts";
import type { LeaderWatch } from "./leader-watch.ts";
import { GrpcCode, type Status, statusOf } from "./status.ts";

/** One call as the engine carries it. After `finish` nothing more is asked of it. */
export interface Wire {
  /** The next message, or the end of them, is wanted. */
  read(): void;
  /** One message. False: the peer reads slowly; `Running.drained` is called when it has caught up. */
  send(bytes: Uint8Array): boolean;
  /** The same for bytes whose memory is used again at once, where an engine copies them anyway. */
  sendLent?(bytes: Uint8Array): boolean;
  /** The same for a long message, whose bytes are asked for when they can leave. An engine without it sends it whole. */
  sendParts?(parts: MessageParts): boolean;
  /** What the peer has not taken yet, on this connection, and all peers on all. */
  readonly unsentBytes?: number;
  readonly unsentOfAllBytes?: number;
  finish(status: Status): void;
}

/** An encoded message that is written out front to back, each byte once. */
export interface MessageParts {
  readonly length: number;
  /** Writes the next `count` bytes to `into` at `from`. */
  copyTo(into: Uint8Array, from: number, count: number): void;
}

/** One call as the engine sees it. */
export interface Running {
  /** The answer to a `read`: the message are the bytes from `from` (default 0) on. */
  message(bytes: Uint8Array, from?: number): void;
  /** The answer to a `read`: no message will come. */
  halfClose(): void;
  /** The answer to a `read`: the peer has ended in the middle of a message. */
  cutShort(): void;
  drained(): void;
  /** The peer has gone or reset the call: nothing can be sent any more. */
  peerGone(): void;
  /** The engine cannot go on, for example as a message was too large. */
  refuse(status: Status): void;
}

/** What all calls of one server share. */
export interface CallContext {
  /** The member. */
  readonly facts: GateFacts;
  readonly metrics: RpcMetrics;
  readonly observer: UnaryObserver | undefined;
  readonly leaderWatch: LeaderWatch;
  /** The clock that `Call.deadlineMs` is in. */
  readonly monotonicMs: () => number;
  /** Something other than a refusal came out of a handler: our own mistake. */
  readonly broken: (error: unknown) => void;
  readonly ended: (call: RunningCall) => void;
}

/** A method with what counts it. */
export interface CountedMethod {
  readonly method: RpcMethod;
  readonly counters: MethodCounters;
}

/** Where answers are encoded that an engine copies at once. Sending is never interrupted, so one is enough. */
const SCRATCH_BYTES = 64 * 1024;
const SCRATCH_MAX_BYTES = 4 * 1024 * 1024;
let scratch = new Writer(SCRATCH_BYTES);

/** From so much on an answer goes in parts. Below, two copies in a row cost less than the state between parts. */
const LONG_BYTES = 128 * 1024;

/** The longest delay that a timer of Node takes. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** For a call that is half-closed without a message. */
export const NO_MESSAGE: Status = { grpc: GrpcCode.UNKNOWN, text: "EOF" };
const PEER_GONE: Status = { grpc: GrpcCode.CANCELED, text: "context canceled" };
const BROKEN: Status = { grpc: GrpcCode.INTERNAL, text: "internal error" };

/** What the kinds of call have in common: who calls, how long they wait, and the end. */
export abstract class RunningCall implements Running, Call, Listed<RunningCall> {
  before: RunningCall | undefined;
  after: RunningCall | undefined;
  readonly method: RpcMethod;
  readonly token: string | undefined;
  readonly commonName: string | undefined;
  readonly remoteAddress: string;
  readonly requiresLeader: boolean;
  readonly clientApiVersion: string;
  readonly deadlineMs: number | undefined;
  protected readonly context: CallContext;
  protected readonly counters: MethodCounters;
  protected readonly wire: Wire;
  protected readonly startedMs: number;
  readonly #versionIsText: boolean;
  #started = false;
  #over = false;
  #canceled = false;
  #cancelActions: (() => void)[] | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(context: CallContext, { method, counters }: CountedMethod, facts: CallFacts, wire: Wire) {
    this.context = context;
    this.method = method;
    this.counters = counters;
    this.wire = wire;
    this.token = facts.token;
    this.commonName = facts.commonName;
    this.remoteAddress = facts.remoteAddress;
    this.requiresLeader = facts.requiresLeader;
    this.clientApiVersion = facts.clientApiVersion ?? "unknown";
    this.#versionIsText = facts.clientApiVersion !== undefined;
    this.startedMs = context.monotonicMs();
    this.deadlineMs = facts.timeoutMs === undefined ? undefined : this.startedMs + facts.timeoutMs;
  }

  /** Before anything else. The call may be over afterwards. */
  begin(): void {
    if (this.deadlineMs !== undefined) this.#watchDeadline(this.deadlineMs);
    if (!this.#over) this.opened();
  }

  abstract message(bytes: Uint8Array, from?: number): void;
  abstract halfClose(): void;
  abstract drained(): void;
  protected abstract opened(): void;

  /** The call has ended; what it holds may go. */
  protected closed(): void {}

  get over(): boolean {
    return this.#over;
  }

  get canceled(): boolean {
    return this.#canceled;
  }

  get unsentBytes(): number {
    return this.wire.unsentBytes ?? 0;
  }

  get unsentOfAllBytes(): number {
    return this.wire.unsentOfAllBytes ?? 0;
  }

  onCanceled(action: () => void): void {
    if (this.#canceled) action();
    else {
      this.#cancelActions ??= [];
      this.#cancelActions.push(action);
    }
  }

  cutShort(): void {
    // grpc-go gives the error of a stream a code, and that of a unary call none.
    const grpc = this.method.kind === "unary" ? GrpcCode.UNKNOWN : GrpcCode.INTERNAL;
    this.refuse({ grpc, text: "unexpected EOF" });
  }

  peerGone(): void {
    this.#cancel(PEER_GONE, false);
  }

  refuse(status: Status): void {
    this.#cancel(status, true);
  }

  /** Ends the call from outside: it has no leader, the server stops. */
  abort(error: EtcdError): void {
    this.#cancel(statusOf(error), true);
  }

  /** The service's own refusal. */
  fail(error: EtcdError): void {
    this.finish(statusOf(error));
  }

  /** Whatever a handler threw or rejected with. */
  protected threw(error: unknown): void {
    if (error instanceof EtcdError) this.fail(error);
    else {
      this.finish(BROKEN);
      this.context.broken(error);
    }
  }

  /** Counts it, and lets it pass or ends it. `request` is known for unary calls alone. */
  protected admit(request: unknown): boolean {
    this.#started = true;
    this.counters.started.inc();
    const type = this.method.kind === "unary" ? "unary" : "stream";
    this.context.metrics.clientRequest(type, versionLabel(this.clientApiVersion));
    const caller = {
      clientApiVersion: this.#versionIsText ? this.clientApiVersion : undefined,
      requiresLeader: this.requiresLeader,
    };
    const refusal = refusalOf(this.context.facts, this.method, caller, request);
    if (refusal !== undefined) this.fail(refusal);
    return refusal === undefined;
  }

  protected sendMessage(bytes: Uint8Array): boolean {
    this.#countSent(bytes.length);
    return this.wire.send(bytes);
  }

  /** Encodes and sends an answer: how many bytes it had, and what `Wire.send` says. */
  protected sendAnswer(answer: unknown): { readonly bytes: number; readonly room: boolean } {
    const { wire } = this;
    if (wire.sendLent === undefined) {
      const bytes = this.method.response.encode(answer);
      return { bytes: bytes.length, room: this.sendMessage(bytes) };
    }
    if (wire.sendParts !== undefined && this.method.response === RangeResponse && isLong(answer as RangeResponse)) {
      const parts = new RangeParts(answer as RangeResponse);
      this.#countSent(parts.length);
      return { bytes: parts.length, room: wire.sendParts(parts) };
    }
    if (scratch.bytes.length > SCRATCH_MAX_BYTES) scratch = new Writer(SCRATCH_BYTES);
    scratch.reset(); // an assertion may have cut the last one short
    this.method.response.encodeTo(scratch, answer);
    const { length } = scratch;
    const bytes = scratch.bytes.subarray(scratch.at - length, scratch.at);
    scratch.reset();
    this.#countSent(length);
    return { bytes: length, room: wire.sendLent(bytes) };
  }

  #countSent(bytes: number): void {
    this.counters.sent.inc();
    this.context.metrics.bytesSent(bytes);
  }

  protected finish(status: Status): void {
    this.#end(status, true);
  }

  #cancel(status: Status, tell: boolean): void {
    if (this.#over) return;
    this.#canceled = true;
    this.#end(status, tell);
    const actions = this.#cancelActions;
    this.#cancelActions = undefined;
    for (const action of actions ?? []) action();
  }

  #end(status: Status, tell: boolean): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#deadline);
    if (tell) this.wire.finish(status);
    if (this.#started) this.counters.handled(status.grpc, (this.context.monotonicMs() - this.startedMs) / 1000);
    this.context.ended(this);
    this.closed();
  }

  #watchDeadline(deadlineMs: number): void {
    const leftMs = deadlineMs - this.context.monotonicMs();
    if (leftMs <= 0) this.abort(new EtcdError("DeadlineExceeded"));
    else {
      const delayMs = Math.min(Math.ceil(leftMs), TIMER_MAX_MS);
      this.#deadline = setTimeout(() => this.#watchDeadline(deadlineMs), delayMs);
    }
  }
}

function isLong({ kvs }: RangeResponse): boolean {
  let bytes = 0;
  for (const kv of kvs) {
    bytes += kv.length;
    if (bytes >= LONG_BYTES) return true;
  }
  return false;
}

const INVALID_UTF8 = "string field contains invalid UTF-8";
const INVALID_WIRE_FORMAT = "proto: cannot parse invalid wire-format data";

/** grpc-go's answer to bytes that are no message; it names the kind of fault, not the place. */
export function unreadable(what: string, error: unknown): Status {
  const fault = error instanceof EtcdError && error.message.includes("UTF-8") ? INVALID_UTF8 : INVALID_WIRE_FORMAT;
  return { grpc: GrpcCode.INTERNAL, text: `grpc: ${what}: ${fault}` };
}
