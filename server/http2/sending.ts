/**
 * What goes to the peer on one connection: data as far as windows, turns and the socket allow, and the rest in the queues
 * of their streams. Nothing is flushed here: whoever calls does that, once for all that its turn has brought.
 */
import type { Conduct } from "./conduct.ts";
import { DEFAULT_WINDOW, FairTurns, MAX_WINDOW } from "./flow-control.ts";
import { Flag, FrameType } from "./frame.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { FieldToSend } from "./hpack.ts";
import {
  CONNECTION_QUEUE_BYTES,
  CONNECTION_UNSENT_BYTES,
  ENGINE_QUEUE_BYTES,
  ENGINE_UNSENT_BYTES,
  MAX_FRAME_BYTES,
  OUTPUT_AHEAD_BYTES,
  SHARE_UNSENT_BYTES,
  SHORT_FRAME_BYTES,
} from "./limits.ts";
import type { Output } from "./output.ts";
import { SendShare, type SendTurns } from "./send-turns.ts";
import type { BodySource, Stream } from "./stream.ts";

const NO_BYTES = new Uint8Array(0);

/** What connections of one engine share on the way out. */
export interface SharedSending {
  readonly sendTurns: SendTurns;
  /** Queued in streams, on all connections. */
  unsentBytes: number;
}

/** Who hears what comes of sending. */
export interface SendingHost {
  /** The last frame of the stream has been written. */
  localEnded(stream: Stream): void;
  /** More is asked for than is read: it is to end, and its owner to hear of that later, being in the middle of sending. */
  refused(stream: Stream): void;
  /** It is this connection's turn again. */
  sendOn(): void;
}

export class Sending {
  /** Headers or data have been sent since somebody last looked. */
  hasSent = false;
  /** Bytes of data that have been framed. */
  framedBytes = 0;
  /** Queued in the streams of this connection. */
  unsentBytes = 0;
  readonly #host: SendingHost;
  readonly #shared: SharedSending;
  readonly #output: Output;
  readonly #frames: FrameWriter;
  readonly #conduct: Conduct;
  readonly #turns = new FairTurns<Stream>();
  readonly #share: SendShare;
  #window = DEFAULT_WINDOW;
  /** The stream with the longest answer in parts. */
  #longest: Stream | undefined;

  constructor(parts: {
    host: SendingHost;
    shared: SharedSending;
    output: Output;
    frames: FrameWriter;
    conduct: Conduct;
  }) {
    this.#host = parts.host;
    this.#shared = parts.shared;
    this.#output = parts.output;
    this.#frames = parts.frames;
    this.#conduct = parts.conduct;
    this.#share = new SendShare(() => parts.host.sendOn());
  }

  /** Somebody has something queued that the windows allow. */
  get hasMore(): boolean {
    return this.#turns.count > 0;
  }

  /** The peer has much to read before anything more is begun for it; a single answer of any length is not much. */
  get isCrowded(): boolean {
    const own = this.#unsentBesideLongest;
    if (own <= SHARE_UNSENT_BYTES) return false;
    return own > CONNECTION_UNSENT_BYTES || this.#shared.unsentBytes > ENGINE_UNSENT_BYTES;
  }

  get #unsentBesideLongest(): number {
    return this.unsentBytes - (this.#longest?.queuedBytes ?? 0);
  }

  /** The peer takes so much more, of all streams together. False: that is more than a window can be. */
  widen(more: number): boolean {
    this.#window += more;
    return this.#window <= MAX_WINDOW;
  }

  /** The stream's own window has become wider: it takes part again, if it has anything to send. */
  rejoin(stream: Stream): boolean {
    if (stream.queuedBytes === 0 || stream.sendWindow <= 0) return false;
    this.#turns.join(stream);
    return true;
  }

  /** It is over: nothing of its queue is sent any more. */
  drop(stream: Stream): void {
    if (stream.queuedBytes > 0) this.#unsent(-stream.dropQueue());
    if (this.#longest === stream) this.#longest = undefined;
  }

  headers(stream: Stream, fields: readonly FieldToSend[], end: boolean): void {
    this.hasSent = true;
    this.#conduct.sentHeaders();
    this.#frames.headers(stream.id, fields, end);
    if (end) this.#host.localEnded(stream);
  }

  /** See `Stream.send`. */
  data(stream: Stream, prefix: Uint8Array, body: Uint8Array, lent: boolean): void {
    const total = prefix.length + body.length;
    let done = 0;
    if (stream.queuedBytes === 0) {
      while (done < total) {
        const length = Math.min(total - done, this.#allowance(stream));
        if (length <= 0) break;
        const at = this.#dataFrame(stream, length, 0);
        const bytes = this.#output.bytes;
        if (done >= prefix.length) bytes.set(part(body, done - prefix.length, length), at);
        else {
          const ofPrefix = Math.min(length, prefix.length - done);
          for (let index = 0; index < ofPrefix; index++) bytes[at + index] = prefix[done + index] as number;
          bytes.set(part(body, 0, length - ofPrefix), at + ofPrefix);
        }
        done += length;
      }
    }
    if (done === total) return;
    if (this.#isFull(total - done)) this.#host.refused(stream);
    else this.#queue(stream, prefix, body, done, lent);
  }

  /** See `Stream.sendFrom`. */
  from(stream: Stream, source: BodySource): void {
    const { length } = source;
    if (stream.queuedBytes > 0) {
      const bytes = Buffer.allocUnsafeSlow(length); // an answer behind another one of its stream
      source.copyTo(bytes, 0, length);
      this.data(stream, NO_BYTES, bytes, false);
      return;
    }
    let done = 0;
    // Others that wait have come before.
    while (done < length && this.#turns.count === 0 && this.#shared.sendTurns.allows(this.#share)) {
      const count = Math.min(length - done, this.#allowance(stream));
      if (count <= 0) break;
      const at = this.#dataFrame(stream, count, 0); // may begin another chunk
      source.copyTo(this.#output.bytes, at, count);
      this.#shared.sendTurns.spend(this.#share, count);
      done += count;
    }
    if (done === length) return;
    if (this.#isFull(length - done)) this.#host.refused(stream);
    else this.#queueSource(stream, source, length - done);
  }

  /** The last of a stream whose data have been sent. */
  end(stream: Stream): void {
    const { ending } = stream;
    if (ending === undefined || stream.localEnded) return;
    if (ending !== "end") {
      this.headers(stream, ending, true);
      return;
    }
    this.#dataFrame(stream, 0, Flag.END_STREAM);
    this.#host.localEnded(stream);
  }

  /** Sends queued data, one frame of each stream in turn, as far as windows and the socket allow. */
  pump(): void {
    const { sendTurns } = this.#shared;
    while (this.#turns.count > 0 && this.#window > 0 && this.#output.waitingBytes < OUTPUT_AHEAD_BYTES) {
      if (!sendTurns.allows(this.#share)) break;
      const stream = this.#turns.next() as Stream;
      if (stream.gone || stream.queuedBytes === 0) continue;
      const length = Math.min(stream.queuedBytes, this.#allowance(stream));
      if (length <= 0) continue; // its own window is used up: an update of that brings it back
      if (length < SHORT_FRAME_BYTES && length < stream.queuedBytes) this.#conduct.sentShort();
      const last = length === stream.queuedBytes && stream.ending === "end";
      const at = this.#dataFrame(stream, length, last ? Flag.END_STREAM : 0);
      stream.dequeue(length, this.#output.bytes, at);
      sendTurns.spend(this.#share, length);
      this.#unsent(-length);
      if (last) this.#host.localEnded(stream);
      else if (stream.queuedBytes > 0) this.rejoin(stream);
      else if (stream.ending !== undefined) this.end(stream);
      if (stream.takeDrained()) stream.owner?.drained();
    }
  }

  /** Whether so many bytes more are too many; a single answer of any size is not. */
  #isFull(more: number): boolean {
    const own = this.#unsentBesideLongest;
    if (own <= SHARE_UNSENT_BYTES) return false;
    return own + more > CONNECTION_QUEUE_BYTES || this.#shared.unsentBytes + more > ENGINE_QUEUE_BYTES;
  }

  /** How many bytes of data the stream may send in its next frame. */
  #allowance(stream: Stream): number {
    if (this.#output.waitingBytes >= OUTPUT_AHEAD_BYTES) return 0;
    return Math.min(MAX_FRAME_BYTES, stream.sendWindow, this.#window);
  }

  /** Keeps what may not go yet, from byte `done` of prefix and body on. */
  #queue(stream: Stream, prefix: Uint8Array, body: Uint8Array, done: number, lent: boolean): void {
    const ofPrefix = Math.max(0, prefix.length - done);
    const rest = part(body, Math.max(0, done - prefix.length), body.length - Math.max(0, done - prefix.length));
    if (ofPrefix > 0) stream.enqueue(prefix.slice(done));
    if (rest.length > 0) stream.enqueue(lent ? Uint8Array.prototype.slice.call(rest) : rest);
    this.#unsent(ofPrefix + rest.length);
    this.rejoin(stream);
  }

  #queueSource(stream: Stream, source: BodySource, left: number): void {
    stream.enqueueSource(source, left);
    if (left > (this.#longest?.queuedBytes ?? 0)) this.#longest = stream;
    this.#unsent(left);
    this.rejoin(stream);
  }

  #unsent(bytes: number): void {
    this.unsentBytes += bytes;
    this.#shared.unsentBytes += bytes;
  }

  #dataFrame(stream: Stream, length: number, flags: number): number {
    this.hasSent = true;
    stream.sendWindow -= length;
    this.#window -= length;
    this.framedBytes += length;
    this.#conduct.sentData(length);
    return this.#frames.begin(FrameType.DATA, flags, stream.id, length);
  }
}

function part(bytes: Uint8Array, from: number, length: number): Uint8Array {
  return from === 0 && length === bytes.length ? bytes : bytes.subarray(from, from + length);
}
