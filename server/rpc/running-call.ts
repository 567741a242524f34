/**
 * One call under way, of each kind: bytes become a request, the service answers, the answer becomes bytes. A call ends
 * once, by whoever ends it first: the service, its deadline, the peer, the engine or the server's stop.
 */
import { EtcdError } from "../base/error.ts";
import type { BidiHandler, Call, Inlet, Outlet, ServerStreamHandler, UnaryHandler } from "../services/call.ts";
import type { CallFacts } from "./call-facts.ts";
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
import { GrpcCode, OK, type Status, statusOf } from "./status.ts";

/** One call as the engine carries it. After `finish` nothing more is asked of it. */
export interface Wire {
  /** The next message, or the end of them, is wanted. */
  read(): void;
  /** One message. False: the peer reads slowly; `Running.drained` is called when it has caught up. */
  send(bytes: Uint8Array): boolean;
  finish(status: Status): void;
}

/** One call as the engine sees it. */
export interface Running {
  /** The answer to a `read`. */
  message(bytes: Uint8Array): void;
  /** The answer to a `read`: no message will come. */
  halfClose(): void;
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

/** The longest delay that a timer of Node takes. */
const TIMER_MAX_MS = 2 ** 31 - 1;

const NO_MESSAGE: Status = { grpc: GrpcCode.UNKNOWN, text: "EOF" };
const PEER_GONE: Status = { grpc: GrpcCode.CANCELED, text: "context canceled" };
const BROKEN: Status = { grpc: GrpcCode.INTERNAL, text: "internal error" };

/** What the kinds of call have in common: who calls, how long they wait, and the end. */
export abstract class RunningCall implements Running, Call {
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

  abstract message(bytes: Uint8Array): void;
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

  onCanceled(action: () => void): void {
    if (this.#canceled) action();
    else {
      this.#cancelActions ??= [];
      this.#cancelActions.push(action);
    }
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
    this.counters.sent.inc();
    this.context.metrics.bytesSent(bytes.length);
    return this.wire.send(bytes);
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

/** One request, one answer. It is handled when its message has come; what follows is not looked at, as in grpc-go. */
export class UnaryCall extends RunningCall {
  readonly #handler: UnaryHandler<unknown, unknown>;
  #request: { readonly message: unknown; readonly bytes: number } | undefined;

  constructor(
    context: CallContext,
    method: CountedMethod,
    facts: CallFacts,
    wire: Wire,
    handler: UnaryHandler<unknown, unknown>,
  ) {
    super(context, method, facts, wire);
    this.#handler = handler;
  }

  protected override opened(): void {
    this.wire.read();
  }

  override message(bytes: Uint8Array): void {
    if (this.over || this.#request !== undefined) return;
    this.context.metrics.bytesReceived(bytes.length);
    let request: unknown;
    try {
      request = this.method.request.decode(bytes);
    } catch (error) {
      this.refuse(unreadable("error unmarshalling request", error));
      return;
    }
    this.#request = { message: request, bytes: bytes.length };
    this.counters.received.inc();
    if (!this.admit(request)) return;
    try {
      const response = this.#handler(request, this);
      if (response instanceof Promise) response.then(this.#respond, this.#refused);
      else this.#respond(response);
    } catch (error) {
      this.#refused(error);
    }
  }

  override halfClose(): void {
    if (this.#request === undefined) this.refuse(NO_MESSAGE);
  }

  override drained(): void {}

  readonly #respond = (response: unknown): void => {
    if (this.over) return;
    const bytes = this.method.response.encode(response);
    this.sendMessage(bytes);
    this.finish(OK);
    this.#report(response, bytes.length);
  };

  readonly #refused = (error: unknown): void => {
    this.threw(error);
    this.#report(undefined, 0);
  };

  #report(response: unknown, responseBytes: number): void {
    const { observer } = this.context;
    if (observer === undefined || this.#request === undefined) return;
    const tookMs = this.context.monotonicMs() - this.startedMs;
    if (tookMs < observer.slowerThanMs) return;
    observer.observe({
      method: this.method,
      remoteAddress: this.remoteAddress,
      tookMs,
      request: this.#request.message,
      requestBytes: this.#request.bytes,
      response,
      responseBytes,
    });
  }
}

/** What both kinds of stream do with answers. */
abstract class StreamCall extends RunningCall implements Outlet<unknown> {
  #onDrain: (() => void) | undefined;

  protected override opened(): void {
    if (!this.admit(undefined)) return;
    if (this.requiresLeader) this.context.leaderWatch.add(this);
    this.admitted();
  }

  protected abstract admitted(): void;

  protected override closed(): void {
    this.#onDrain = undefined;
    if (this.requiresLeader) this.context.leaderWatch.delete(this);
  }

  write(message: unknown): boolean {
    return !this.over && this.sendMessage(this.method.response.encode(message));
  }

  writeEncoded(bytes: Uint8Array): boolean {
    return !this.over && this.sendMessage(bytes);
  }

  onDrain(action: () => void): void {
    this.#onDrain = action;
  }

  override drained(): void {
    this.#onDrain?.();
  }

  end(): void {
    this.finish(OK);
  }

  /** The request in a message; undefined when it was not readable: the call is over then. */
  protected read(bytes: Uint8Array): unknown {
    this.context.metrics.bytesReceived(bytes.length);
    try {
      const request = this.method.request.decode(bytes);
      this.counters.received.inc();
      return request;
    } catch (error) {
      this.refuse(unreadable("failed to unmarshal the received message", error));
      return undefined;
    }
  }
}

export class ServerStreamCall extends StreamCall {
  readonly #handler: ServerStreamHandler<unknown, unknown>;
  #begun = false;

  constructor(
    context: CallContext,
    method: CountedMethod,
    facts: CallFacts,
    wire: Wire,
    handler: ServerStreamHandler<unknown, unknown>,
  ) {
    super(context, method, facts, wire);
    this.#handler = handler;
  }

  protected override admitted(): void {
    this.wire.read();
  }

  override message(bytes: Uint8Array): void {
    if (this.over || this.#begun) return;
    const request = this.read(bytes);
    if (request === undefined) return;
    this.#begun = true;
    try {
      this.#handler(request, this, this);
    } catch (error) {
      this.threw(error);
    }
  }

  override halfClose(): void {
    if (!this.#begun) this.refuse(NO_MESSAGE);
  }
}

export class BidiCall extends StreamCall {
  readonly #handler: BidiHandler<unknown, unknown>;
  #inlet: Inlet<unknown> | undefined;

  constructor(
    context: CallContext,
    method: CountedMethod,
    facts: CallFacts,
    wire: Wire,
    handler: BidiHandler<unknown, unknown>,
  ) {
    super(context, method, facts, wire);
    this.#handler = handler;
  }

  protected override admitted(): void {
    try {
      this.#inlet = this.#handler(this, this);
    } catch (error) {
      this.threw(error);
      return;
    }
    if (this.over) this.#inlet.canceled();
    else this.wire.read();
  }

  protected override closed(): void {
    super.closed();
    this.#inlet?.canceled();
  }

  override message(bytes: Uint8Array): void {
    if (this.over) return;
    const request = this.read(bytes);
    if (request === undefined) return;
    try {
      const dealtWith = (this.#inlet as Inlet<unknown>).message(request);
      if (dealtWith instanceof Promise) dealtWith.then(this.#readOn, this.#refused);
      else this.#readOn();
    } catch (error) {
      this.threw(error);
    }
  }

  override halfClose(): void {
    if (!this.over) this.#inlet?.halfClose();
  }

  readonly #readOn = (): void => {
    if (!this.over) this.wire.read();
  };

  readonly #refused = (error: unknown): void => this.threw(error);
}

const INVALID_UTF8 = "string field contains invalid UTF-8";
const INVALID_WIRE_FORMAT = "proto: cannot parse invalid wire-format data";

/** grpc-go's answer to bytes that are no message; it names the kind of fault, not the place. */
function unreadable(what: string, error: unknown): Status {
  const fault = error instanceof EtcdError && error.message.includes("UTF-8") ? INVALID_UTF8 : INVALID_WIRE_FORMAT;
  return { grpc: GrpcCode.INTERNAL, text: `grpc: ${what}: ${fault}` };
}
