/** The streams of a connection from their beginning to their end: those that are open, and what is known of those that are not. */
import type { Conduct } from "./conduct.ts";
import { Http2Code } from "./errors.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { EARLY_STREAMS, RESET_MEMORY } from "./limits.ts";
import type { Stream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

export interface StreamsHost {
  /** It is over, for whatever reason: nothing is to be kept for it. */
  streamGone(stream: Stream): void;
  flushSoon(): void;
}

export class Streams {
  /** The highest number that the peer has used. */
  lastId = 0;
  readonly #host: StreamsHost;
  readonly #frames: FrameWriter;
  readonly #conduct: Conduct;
  readonly #table = new StreamTable();
  readonly #resets = new Set<number>();
  /** Streams that we have ended before the peer has, since the last tick and before it. */
  #early: Stream[] = [];
  #earlier: Stream[] = [];

  constructor(host: StreamsHost, frames: FrameWriter, conduct: Conduct) {
    this.#host = host;
    this.#frames = frames;
    this.#conduct = conduct;
  }

  get size(): number {
    return this.#table.size;
  }

  get(id: number): Stream | undefined {
    return this.#table.get(id);
  }

  list(): Stream[] {
    return this.#table.list();
  }

  add(stream: Stream): void {
    this.#table.add(stream);
  }

  /** Whether we have reset it, not too long ago: what was on its way then is no fault. */
  wasReset(id: number): boolean {
    return this.#resets.has(id);
  }

  /** The peer made us reset it. */
  fault(stream: Stream, code: number): void {
    this.#conduct.spend("faults");
    this.reset(stream, code);
    stream.owner?.gone();
  }

  reset(stream: Stream, code: number): void {
    this.remove(stream);
    this.remember(stream.id);
    this.refuse(stream.id, code);
  }

  /** Says RST_STREAM of a stream that is not open. */
  refuse(id: number, code: number): void {
    this.#frames.reset(id, code);
    this.#host.flushSoon();
  }

  /** What still comes for it is ignored. */
  remember(id: number): void {
    this.#resets.add(id);
    if (this.#resets.size <= RESET_MEMORY) return;
    for (const oldest of this.#resets) {
      this.#resets.delete(oldest);
      return;
    }
  }

  remove(stream: Stream): void {
    if (stream.gone) return;
    stream.gone = true;
    this.#table.delete(stream);
    this.#host.streamGone(stream);
  }

  /** All of the request has been handed on. */
  remoteEnded(stream: Stream): void {
    if (!stream.gone) stream.owner?.end();
    if (stream.localEnded) this.remove(stream);
  }

  /** All of the answer has been written. */
  localEnded(stream: Stream): void {
    stream.localEnded = true;
    if (stream.remoteEnded && stream.held === undefined) this.remove(stream);
    else this.#early.push(stream);
  }

  /** Too many answers were complete before their requests to wait with them for the next tick. */
  get hasManyEarly(): boolean {
    return this.#early.length > EARLY_STREAMS;
  }

  /**
   * Answers that were complete before their requests: the rest of those is not wanted (RFC 9113, section 8.1). Most
   * clients end such a stream by themselves, and some take a reset right behind the answer for a failure of it.
   */
  resetEarly(): void {
    const earlier = this.#earlier;
    this.#earlier = this.#early;
    this.#early = [];
    for (const stream of earlier) if (!stream.gone) this.reset(stream, Http2Code.NO_ERROR);
  }
}
