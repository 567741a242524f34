/**
 * One connection, from its preface to its end: frames in, frames out. Everything that is to be sent in one turn of the
 * loop leaves in one write: what is answered at once at the end of the data event, what comes later when the promise
 * jobs of its turn are done.
 *
 *   socket ─► FrameReader ─► Incoming ─► HPACK ─► ConnectionOwner.request ─► StreamOwner
 *   socket ◄─ Output ◄─ FrameWriter ◄─ Sending ◄─────────────────────────── Stream
 *                                         ▲ pump(): queued data, one frame a stream and turn
 *
 * Here is its life, and who knows whom; streams begin and end in `Streams`, memory for what comes is `Receiving`'s, and
 * what a peer may do too often is counted by `Conduct`.
 */
import type { Socket } from "node:net";
import { Conduct } from "./conduct.ts";
import { ConnectionFailure, Http2Code } from "./errors.ts";
import { DEFAULT_WINDOW } from "./flow-control.ts";
import { FrameReader } from "./frame.ts";
import { FrameWriter } from "./frame-writer.ts";
import type { FieldToSend } from "./hpack.ts";
import { Incoming, type IncomingHost } from "./incoming.ts";
import {
  CONNECTION_WINDOW_BYTES,
  CROWDED_STALL_MS,
  ENGINE_UNSENT_BYTES,
  FLOOD,
  GOODBYE_MS,
  MAX_STREAMS,
  OUTPUT_MAX_BYTES,
  PREFACE_MS,
  STALL_MS,
} from "./limits.ts";
import { Liveness } from "./liveness.ts";
import { ChunkPool, FlushTurn, Output } from "./output.ts";
import { type CutReader, ReadTurns } from "./read-turns.ts";
import { Receiving, type ReceivingHost } from "./receiving.ts";
import type { RequestHead } from "./request-head.ts";
import { SendTurns } from "./send-turns.ts";
import { Sending, type SendingHost } from "./sending.ts";
import { ownSettings } from "./settings.ts";
import type { BodySource, Stream, StreamOwner } from "./stream.ts";
import { Streams, type StreamsHost } from "./streams.ts";

/** Who takes the requests of a connection. */
export interface ConnectionOwner {
  request(stream: Stream, head: RequestHead): StreamOwner;
  /** A ping has come. False: one too many, and the peer is sent away. */
  pinged(): boolean;
  /** The connection has gone. */
  closed(): void;
}

export interface ConnectionOptions {
  /** Requests at a time; `STREAMS_UNBOUNDED`: any number. */
  readonly maxConcurrentStreams: number;
  /** Pings of our own after so long a silence. Infinity: none. */
  readonly pingIntervalMs: number;
  /** How long the answer to one may take. */
  readonly pingTimeoutMs: number;
  readonly monotonicMs: () => number;
}

/** What all connections of one engine share. */
export class Shared {
  readonly pool: ChunkPool = new ChunkPool();
  readonly turn: FlushTurn = new FlushTurn();
  readonly readTurns: ReadTurns = new ReadTurns();
  readonly sendTurns: SendTurns = new SendTurns();
  /** Queued in streams, on all connections. */
  unsentBytes = 0;
  /** Of messages that have come in part, on all connections. */
  partialBytes = 0;
}

const NO_BYTES = new Uint8Array(0);

export class Connection implements IncomingHost, SendingHost, ReceivingHost, StreamsHost, CutReader {
  readonly socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #options: ConnectionOptions;
  readonly #shared: Shared;
  readonly #streamsMax: number;
  readonly #reader: FrameReader;
  readonly #output: Output;
  readonly #frames: FrameWriter;
  readonly #sending: Sending;
  readonly #receiving: Receiving;
  readonly #conduct: Conduct;
  readonly #liveness: Liveness;
  readonly #streams: Streams;
  readonly #incoming: Incoming;
  #closed = false;
  #draining = false;
  #inEvent = false;
  #flushComing = false;
  readonly #bornMs: number;

  constructor(socket: Socket, owner: ConnectionOwner, options: ConnectionOptions, shared: Shared) {
    this.socket = socket;
    this.#owner = owner;
    this.#options = options;
    this.#shared = shared;
    this.#streamsMax = Math.min(options.maxConcurrentStreams, MAX_STREAMS);
    const nowMs = options.monotonicMs();
    this.#bornMs = nowMs;
    this.#output = new Output(socket, shared.pool, () => this.sendOn());
    this.#frames = new FrameWriter(this.#output);
    this.#conduct = new Conduct(options.monotonicMs);
    this.#liveness = new Liveness(options, nowMs);
    this.#streams = new Streams(this, this.#frames, this.#conduct);
    this.#sending = new Sending({
      host: this,
      shared,
      output: this.#output,
      frames: this.#frames,
      conduct: this.#conduct,
    });
    this.#receiving = new Receiving(this, shared, this.#sending);
    this.#incoming = new Incoming({
      host: this,
      streams: this.#streams,
      sending: this.#sending,
      receiving: this.#receiving,
      frames: this.#frames,
      conduct: this.#conduct,
      liveness: this.#liveness,
      monotonicMs: options.monotonicMs,
    });
    this.#reader = new FrameReader(this.#incoming);
  }

  /** Greets the peer and begins to listen to it. */
  start(): void {
    const { socket } = this;
    socket.on("data", (bytes: Buffer) => this.#came(bytes));
    socket.on("end", () => this.destroy());
    socket.on("error", () => this.destroy());
    socket.on("close", () => this.#gone());
    this.#frames.settings(ownSettings(this.#options.maxConcurrentStreams));
    this.sendWindowUpdate(0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW);
    this.#output.flush();
    if (socket.destroyed) this.#gone();
    else socket.resume();
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** Whether headers or data have been sent since this was last asked. */
  takeSent(): boolean {
    const sent = this.#sending.hasSent;
    this.#sending.hasSent = false;
    return sent;
  }

  // ---- life

  /** Looks at the time, about once a second. */
  tick(nowMs: number): void {
    if (this.#closed) return;
    if (!this.#incoming.isSettled) {
      if (nowMs - this.#bornMs > PREFACE_MS) this.destroy();
      return;
    }
    if (this.#incoming.isOverdue(nowMs)) this.#fail(FLOOD, "a header block without an end");
    this.#watchProgress(nowMs);
    this.#keepAlive(nowMs);
    this.#streams.resetEarly();
  }

  #watchProgress(nowMs: number): void {
    const waiting = this.#output.waitingBytes + this.#sending.unsentBytes;
    const patienceMs = this.#shared.unsentBytes > ENGINE_UNSENT_BYTES ? CROWDED_STALL_MS : STALL_MS;
    const stalledMs = this.#liveness.stalledMs(nowMs, waiting, this.#sending.framedBytes);
    if (stalledMs > patienceMs) this.#fail(FLOOD, "answers are not read");
  }

  #keepAlive(nowMs: number): void {
    const toDo = this.#liveness.silence(nowMs);
    if (toDo === "leave") this.destroy();
    if (toDo !== "ping") return;
    this.#frames.ping(NO_BYTES, 0);
    this.flush();
  }

  /** Takes no new requests; closes when those under way have been answered. */
  drain(): void {
    if (this.#closed || this.#draining || this.#incoming.deaf) return;
    this.#draining = true;
    this.#frames.goAway(this.#streams.lastId, Http2Code.NO_ERROR, "");
    this.flush();
    this.#endIfDrained();
  }

  destroy(): void {
    this.#incoming.deaf = true;
    this.socket.destroy();
    this.#gone();
  }

  /** Says why, and ends the connection. */
  #fail(code: number, why: string): void {
    if (this.#closed || this.#incoming.deaf) return;
    this.#incoming.deaf = true;
    this.#frames.goAway(this.#streams.lastId, code, why);
    this.#goodbye();
  }

  #goodbye(): void {
    const { socket } = this;
    this.#output.flush();
    this.#leaveStreams();
    socket.end();
    // Until then what comes is thrown away: closed at once, the system would throw away our last words over there.
    setTimeout(() => socket.destroy(), GOODBYE_MS).unref();
  }

  #endIfDrained(): void {
    if (!this.#draining || this.#streams.size > 0 || this.#incoming.deaf || this.#closed) return;
    this.#incoming.deaf = true;
    this.#goodbye();
  }

  #gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#incoming.deaf = true;
    this.#output.close();
    this.#leaveStreams();
    this.#owner.closed();
  }

  #leaveStreams(): void {
    for (const stream of this.#streams.list()) {
      this.#streams.remove(stream);
      if (!stream.localEnded || !stream.remoteEnded) stream.owner?.gone();
    }
  }

  #came(bytes: Buffer): void {
    if (this.#incoming.deaf) return;
    this.#liveness.heard(this.#options.monotonicMs());
    if (!this.#read(bytes)) this.socket.pause();
  }

  /** It is this connection's turn again to have the rest of what it brought taken in. */
  readOn(): void {
    if (!this.#incoming.deaf && this.#read(undefined)) this.socket.resume();
  }

  /** Takes in what has come, or what was left of it, for as long as it may in this turn. False: there is more. */
  #read(bytes: Buffer | undefined): boolean {
    const { readTurns } = this.#shared;
    const startedMs = this.#options.monotonicMs();
    this.#incoming.readUntilMs = startedMs + readTurns.allowanceMs;
    let all = true;
    this.#inEvent = true;
    try {
      all = bytes === undefined ? this.#reader.readOn() : this.#reader.read(bytes);
    } catch (error) {
      if (!(error instanceof ConnectionFailure)) throw error;
      this.#fail(error.code, error.message);
    } finally {
      this.#inEvent = false;
    }
    readTurns.spend(this.#options.monotonicMs() - startedMs);
    if (!all) readTurns.join(this);
    this.flush();
    return all;
  }

  /** What waits to be sent goes now. */
  flush(): void {
    this.#flushComing = false;
    if (this.#closed) return;
    if (this.#streams.hasManyEarly) this.#streams.resetEarly();
    this.#receiving.release();
    if (this.#output.waitingBytes > OUTPUT_MAX_BYTES) {
      this.destroy(); // it asks and asks and reads no answer: a GOAWAY would not be read either
      return;
    }
    this.#output.flush();
  }

  /** Once, at the end of this turn. */
  flushSoon(): void {
    if (this.#inEvent || this.#flushComing) return;
    this.#flushComing = true;
    this.#shared.turn.join(this);
  }

  /** A write has returned, or it is this connection's turn: more may go. */
  sendOn(): void {
    if (this.#closed) return;
    if (this.#sending.hasMore) this.pump();
    this.flush();
  }

  pump(): void {
    this.#sending.pump();
    this.flushSoon();
  }

  // ---- IncomingHost

  get takesRequests(): boolean {
    return !this.#draining && this.#streams.size < this.#streamsMax;
  }

  request(stream: Stream, head: RequestHead): StreamOwner {
    return this.#owner.request(stream, head);
  }

  pinged(): boolean {
    return this.#owner.pinged();
  }

  bodyEnded(stream: Stream): void {
    this.#streams.remoteEnded(stream);
  }

  // ---- StreamsHost

  streamGone(stream: Stream): void {
    this.#sending.drop(stream);
    this.#receiving.drop(stream);
    if (this.#draining) this.#endIfDrained();
  }

  // ---- StreamHost

  sendHeaders(stream: Stream, fields: readonly FieldToSend[], end: boolean): void {
    this.#sending.headers(stream, fields, end);
    this.flushSoon();
  }

  sendData(stream: Stream, prefix: Uint8Array, body: Uint8Array, lent: boolean): void {
    this.#sending.data(stream, prefix, body, lent);
    this.flushSoon();
  }

  sendFrom(stream: Stream, source: BodySource): void {
    this.#sending.from(stream, source);
    this.flushSoon();
  }

  sendEnd(stream: Stream): void {
    this.#sending.end(stream);
    this.flushSoon();
  }

  resetStream(stream: Stream, code: number): void {
    this.#streams.reset(stream, code);
  }

  consumed(stream: Stream, bytes: number): void {
    if (stream.gone) return; // given back when it went
    stream.unconsumed -= bytes;
    this.#receiving.give(stream, bytes);
  }

  partial(stream: Stream, change: number): boolean {
    return this.#receiving.partial(stream, change);
  }

  /** So much is queued that streams with anything in their queues are to wait. */
  get full(): boolean {
    return this.#sending.isCrowded;
  }

  get unsentBytes(): number {
    return this.#sending.unsentBytes;
  }

  get unsentOfAllBytes(): number {
    return this.#shared.unsentBytes;
  }

  // ---- SendingHost, with `sendOn` above

  localEnded(stream: Stream): void {
    this.#streams.localEnded(stream);
  }

  refused(stream: Stream): void {
    this.#streams.reset(stream, FLOOD);
    process.nextTick(() => stream.owner?.gone());
  }

  // ---- ReceivingHost, with `bodyEnded` above

  sendWindowUpdate(id: number, more: number): void {
    this.#frames.windowUpdate(id, more);
    this.flushSoon();
  }
}
