/**
 * One request and its answer. The states of RFC 9113, section 5.1, that a server's stream has, as two ends and a reset:
 *
 *             remoteEnded   localEnded   gone
 *   open          -             -         -
 *   half closed   yes           -         -     (remote)
 *   half closed   -             yes       -     (local)
 *   closed        yes           yes       yes   or by a reset from either side, or with the connection
 */
import { ReceiveWindow } from "./flow-control.ts";
import type { FieldToSend } from "./hpack.ts";
import { STREAM_UNSENT_BYTES, STREAM_WINDOW_BYTES } from "./limits.ts";

/** Hears what comes on a stream. */
export interface StreamOwner {
  /** A part of the body. Its memory is the owner's; `Stream.consumed` lets the peer send more. */
  data(bytes: Uint8Array): void;
  /** The body is complete. */
  end(): void;
  /** There is room again after `send` has answered false. */
  drained(): void;
  /** The stream was reset or has gone with its connection: nothing is sent any more. Not after a proper end. */
  gone(): void;
}

/** A part of an answer whose bytes are made when they leave, front to back. */
export interface BodySource {
  readonly length: number;
  /** Writes the next `count` bytes to `into` at `from`. */
  copyTo(into: Uint8Array, from: number, count: number): void;
}

/** What a stream asks of its connection. */
export interface StreamHost {
  sendHeaders(stream: Stream, fields: readonly FieldToSend[], end: boolean): void;
  sendData(stream: Stream, prefix: Uint8Array, body: Uint8Array, lent: boolean): void;
  sendFrom(stream: Stream, source: BodySource): void;
  /** The last of the stream, once its data have been sent. */
  sendEnd(stream: Stream): void;
  resetStream(stream: Stream, code: number): void;
  consumed(stream: Stream, bytes: number): void;
  /** False: messages in part have become too many. */
  partial(stream: Stream, change: number): boolean;
  /** So much is queued on the connection that no stream should queue more. */
  readonly full: boolean;
  /** What is queued on the connection, and on all. */
  readonly unsentBytes: number;
  readonly unsentOfAllBytes: number;
}

const NO_BYTES = new Uint8Array(0);
/** Most streams never queue anything. Never written to. */
const NO_QUEUE: Uint8Array[] = [];

export class Stream {
  readonly id: number;
  readonly #host: StreamHost;
  /** Set before anything can come. */
  owner: StreamOwner | undefined;

  remoteEnded = false;
  localEnded = false;
  gone = false;

  // ---- in
  readonly receiveWindow: ReceiveWindow = new ReceiveWindow(STREAM_WINDOW_BYTES);
  /** Bytes that have come and that the owner has not dealt with. */
  unconsumed = 0;
  /** Memory of a message that has come in part. */
  partialBytes = 0;
  /** Bytes of the body so far, and as many as were announced. */
  received = 0;
  contentLength: number | undefined;
  /** Parts of the body that wait until the peer has read its answers. */
  held: Uint8Array[] | undefined;
  begun = false;

  // ---- out
  /** What we may still send; may be negative after a change of the peer's settings. */
  sendWindow: number;
  /** In the line of those that have something to send. */
  inTurn = false;
  queue: Uint8Array[] = NO_QUEUE;
  /** Where the rest begins: the piece, and the byte in it. */
  queueAt = 0;
  queueOffset = 0;
  queuedBytes = 0;
  /** Comes before `queue`: how much of it is left is counted in `queuedBytes` too. */
  #source: BodySource | undefined;
  #sourceLeft = 0;
  /** The last headers, when data are still before them; "end": the data are the last. */
  ending: readonly FieldToSend[] | "end" | undefined;
  #heldBack = false;

  constructor(id: number, host: StreamHost, sendWindow: number) {
    this.id = id;
    this.#host = host;
    this.sendWindow = sendWindow;
  }

  /** Sends the head of the answer; with `end` that is all of it. */
  respond(fields: readonly FieldToSend[], end: boolean): void {
    if (this.gone || this.localEnded) return;
    this.#host.sendHeaders(this, fields, end);
  }

  /**
   * Sends a part of the answer: `prefix` and then `body`. `lent`: the body's memory will be used again, so what does not
   * leave now is copied. False: the peer is slow, or its connection is; `drained` is called when it has caught up.
   */
  send(prefix: Uint8Array, body: Uint8Array, lent: boolean): boolean {
    if (this.gone || this.localEnded) return true;
    this.#host.sendData(this, prefix, body, lent);
    return this.#hasRoom();
  }

  /** As `send`, for what is long: its bytes are asked for when there is room for them. */
  sendFrom(source: BodySource): boolean {
    if (this.gone || this.localEnded) return true;
    this.#host.sendFrom(this, source);
    return this.#hasRoom();
  }

  #hasRoom(): boolean {
    if (this.gone || this.queuedBytes === 0) return true;
    if (this.queuedBytes < STREAM_UNSENT_BYTES && !this.#host.full) return true;
    this.#heldBack = true;
    return false;
  }

  /** What the peer has not taken yet, of this connection and of all. */
  get unsentBytes(): number {
    return this.#host.unsentBytes;
  }

  get unsentOfAllBytes(): number {
    return this.#host.unsentOfAllBytes;
  }

  /** Ends the answer, with trailers or without, once everything before it has been sent. */
  finish(trailers: readonly FieldToSend[] | undefined): void {
    if (this.gone || this.localEnded || this.ending !== undefined) return;
    this.ending = trailers ?? "end";
    if (this.queuedBytes === 0) this.#host.sendEnd(this);
  }

  reset(code: number): void {
    if (!this.gone) this.#host.resetStream(this, code);
  }

  /** The owner has dealt with so many bytes of the body. */
  consumed(bytes: number): void {
    this.#host.consumed(this, bytes);
  }

  /** The owner keeps so many bytes (or fewer) of a message that is not whole. False: more than it may; it should let go. */
  partial(change: number): boolean {
    return this.gone || this.#host.partial(this, change);
  }

  /** Keeps bytes to send. */
  enqueue(bytes: Uint8Array): void {
    if (this.queue === NO_QUEUE) this.queue = [bytes];
    else this.queue.push(bytes);
    this.queuedBytes += bytes.length;
  }

  /** Keeps a source of which `left` bytes are still to be sent. Nothing may be queued. */
  enqueueSource(source: BodySource, left: number): void {
    this.#source = source;
    this.#sourceLeft = left;
    this.queuedBytes += left;
  }

  /** Takes `count` queued bytes out, into `into` at `at`. */
  dequeue(count: number, into: Uint8Array, at: number): void {
    const ofSource = this.#source === undefined ? 0 : this.#dequeueSource(this.#source, count, into, at);
    let place = at + ofSource;
    let left = count - ofSource;
    while (left > 0) {
      const piece = this.queue[this.queueAt] as Uint8Array;
      const take = Math.min(left, piece.length - this.queueOffset);
      into.set(piece.subarray(this.queueOffset, this.queueOffset + take), place);
      place += take;
      left -= take;
      this.queueOffset += take;
      if (this.queueOffset < piece.length) continue;
      this.queue[this.queueAt++] = NO_BYTES;
      this.queueOffset = 0;
      if (this.queueAt === this.queue.length) {
        this.queue = NO_QUEUE;
        this.queueAt = 0;
      }
    }
    this.queuedBytes -= count;
  }

  #dequeueSource(source: BodySource, most: number, into: Uint8Array, at: number): number {
    const count = Math.min(most, this.#sourceLeft);
    source.copyTo(into, at, count);
    this.#sourceLeft -= count;
    if (this.#sourceLeft === 0) this.#source = undefined;
    return count;
  }

  /** Throws away what is queued; answers how much it was. */
  dropQueue(): number {
    const dropped = this.queuedBytes;
    this.#source = undefined;
    this.#sourceLeft = 0;
    this.queue = NO_QUEUE;
    this.queueAt = 0;
    this.queueOffset = 0;
    this.queuedBytes = 0;
    return dropped;
  }

  /** Something has been sent from the queue: whether the owner is to hear of room. */
  takeDrained(): boolean {
    if (!this.#heldBack || this.queuedBytes * 2 > STREAM_UNSENT_BYTES) return false;
    this.#heldBack = false;
    return !this.gone && this.ending === undefined;
  }
}
