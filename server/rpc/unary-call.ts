/** A call with one request and one answer. */
import type { UnaryHandler } from "../services/call.ts";
import type { CallFacts } from "./call-facts.ts";
import {
  type CallContext,
  type CountedMethod,
  NO_MESSAGE,
  RunningCall,
  unreadable,
  type Wire,
} from "./running-call.ts";
import { OK } from "./status.ts";

/** It is handled when its message has come; what follows is not looked at, as in grpc-go. */
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

  override message(bytes: Uint8Array, from = 0): void {
    if (this.over || this.#request !== undefined) return;
    const length = bytes.length - from;
    this.context.metrics.bytesReceived(length);
    let request: unknown;
    try {
      request = this.method.request.decodeFrom(bytes, from);
    } catch (error) {
      this.refuse(unreadable("error unmarshalling request", error));
      return;
    }
    this.#request = { message: request, bytes: length };
    this.counters.received.inc();
    if (!this.admit(request)) return;
    try {
      const response = this.#handler(request, this);
      if (!(response instanceof Promise)) this.#respond(response);
      else
        response.then(
          (answer: unknown) => this.#respond(answer),
          (error: unknown) => this.#refused(error),
        );
    } catch (error) {
      this.#refused(error);
    }
  }

  override halfClose(): void {
    if (this.#request === undefined) this.refuse(NO_MESSAGE);
  }

  override drained(): void {}

  #respond(response: unknown): void {
    if (this.over) return;
    const { bytes } = this.sendAnswer(response);
    this.finish(OK);
    this.#report(response, bytes);
  }

  #refused(error: unknown): void {
    this.threw(error);
    this.#report(undefined, 0);
  }

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
