/** Calls with a stream of answers, to one request or to a stream of them. */
import type { BidiHandler, Inlet, Outlet, ServerStreamHandler } from "../services/call.ts";
import type { CallFacts } from "./call-facts.ts";
import { type CallContext, type CountedMethod, RunningCall, unreadable, type Wire } from "./running-call.ts";
import { GrpcCode, OK, type Status } from "./status.ts";

/** For a stream of answers that is half-closed without a request: grpc-go's words, which are not those of a unary call. */
const NO_REQUEST: Status = {
  grpc: GrpcCode.INTERNAL,
  text: "cardinality violation: received no request message from non-client-streaming RPC",
};

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
    return !this.over && this.sendAnswer(message).room;
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

  /** The request in a message, the bytes from `from` on; undefined when it was not readable: the call is over then. */
  protected read(bytes: Uint8Array, from: number): unknown {
    this.context.metrics.bytesReceived(bytes.length - from);
    try {
      const request = this.method.request.decodeFrom(bytes, from);
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

  override message(bytes: Uint8Array, from = 0): void {
    if (this.over || this.#begun) return;
    const request = this.read(bytes, from);
    if (request === undefined) return;
    this.#begun = true;
    try {
      this.#handler(request, this, this);
    } catch (error) {
      this.threw(error);
    }
  }

  override halfClose(): void {
    if (!this.#begun) this.refuse(NO_REQUEST);
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

  override message(bytes: Uint8Array, from = 0): void {
    if (this.over) return;
    const request = this.read(bytes, from);
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
