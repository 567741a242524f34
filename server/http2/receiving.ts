/**
 * What comes from the peer on one connection, as far as memory is concerned: the window that all streams share, bodies
 * that are held until the peer has read its answers, and messages that have come in part.
 */
import { ConnectionFailure, Http2Code } from "./errors.ts";
import { ReceiveWindow } from "./flow-control.ts";
import {
  CONNECTION_PARTIAL_BYTES,
  CONNECTION_WINDOW_BYTES,
  ENGINE_PARTIAL_BYTES,
  SHARE_PARTIAL_BYTES,
} from "./limits.ts";
import type { Sending } from "./sending.ts";
import type { Stream } from "./stream.ts";

/** What connections of one engine share on the way in. */
export interface SharedReceiving {
  /** Of messages that have come in part, on all connections. */
  partialBytes: number;
}

export interface ReceivingHost {
  /** The peer may send so much more on a stream; 0: on the connection. */
  sendWindowUpdate(id: number, more: number): void;
  /** All of the stream's body has been handed on. */
  bodyEnded(stream: Stream): void;
}

export class Receiving {
  readonly #host: ReceivingHost;
  readonly #shared: SharedReceiving;
  readonly #sending: Sending;
  readonly #window = new ReceiveWindow(CONNECTION_WINDOW_BYTES);
  /** Streams whose body waits until the peer has read its answers. */
  #waiting: Stream[] = [];
  #partialBytes = 0;

  constructor(host: ReceivingHost, shared: SharedReceiving, sending: Sending) {
    this.#host = host;
    this.#shared = shared;
    this.#sending = sending;
  }

  /** So much has come, padding and all. Throws ConnectionFailure when it was not allowed. */
  take(bytes: number): void {
    if (this.#window.take(bytes)) return;
    throw new ConnectionFailure(Http2Code.FLOW_CONTROL_ERROR, "more than the window");
  }

  /** So much of a stream has been dealt with. */
  give(stream: Stream, bytes: number): void {
    this.giveConnection(bytes);
    if (stream.remoteEnded) return;
    const more = stream.receiveWindow.give(bytes);
    if (more > 0) this.#host.sendWindowUpdate(stream.id, more);
  }

  /** The same of a stream whose own window is of no use any more. */
  giveConnection(bytes: number): void {
    const more = this.#window.give(bytes);
    if (more > 0) this.#host.sendWindowUpdate(0, more);
  }

  /** Whether its body is to wait: the peer asks for more and has much to read. */
  holds(stream: Stream): boolean {
    return stream.held !== undefined || (!stream.begun && this.#sending.isCrowded);
  }

  hold(stream: Stream, bytes: Uint8Array): void {
    if (stream.held === undefined) {
      stream.held = [];
      this.#waiting.push(stream);
    }
    if (bytes.length > 0) stream.held.push(Uint8Array.from(bytes)); // few bytes must not hold on to all that came with them
  }

  /** Hands on what waits, as far as the peer has read. */
  release(): void {
    if (this.#waiting.length === 0 || this.#sending.isCrowded) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [index, stream] of waiting.entries()) {
      if (stream.gone) continue;
      if (this.#sending.isCrowded) {
        this.#waiting.push(...waiting.slice(index));
        return;
      }
      const held = stream.held ?? [];
      stream.held = undefined;
      stream.begun = true;
      for (const bytes of held) if (!stream.gone) stream.owner?.data(bytes);
      if (stream.remoteEnded && !stream.gone) this.#host.bodyEnded(stream);
    }
  }

  /** See `Stream.partial`. */
  partial(stream: Stream, change: number): boolean {
    stream.partialBytes += change;
    this.#partialBytes += change;
    this.#shared.partialBytes += change;
    if (change <= 0 || this.#partialBytes <= SHARE_PARTIAL_BYTES) return true;
    return this.#partialBytes <= CONNECTION_PARTIAL_BYTES && this.#shared.partialBytes <= ENGINE_PARTIAL_BYTES;
  }

  /** The stream is over: what it kept is given back. */
  drop(stream: Stream): void {
    stream.held = undefined;
    if (stream.partialBytes > 0) this.partial(stream, -stream.partialBytes);
    if (stream.unconsumed > 0) this.giveConnection(stream.unconsumed);
    stream.unconsumed = 0;
  }
}
