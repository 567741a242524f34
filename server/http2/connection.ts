/**
 * One connection, from its preface to its end: frames in, frames out. Everything that is to be sent in one turn of the
 * loop leaves in one write: what is answered at once at the end of the data event, what comes later when the promise
 * jobs of its turn are done.
 *
 *   socket ─► FrameReader ─► frame() ─► HPACK ─► ConnectionOwner.request ─► StreamOwner
 *   socket ◄─ Output ◄───── sendHeaders, sendData ◄──────────────────────── Stream
 *                 ▲ pump(): queued data, one frame a stream and turn
 */
import type { Socket } from "node:net";
import { ConnectionFailure, Http2Code } from "./errors.ts";
import { DEFAULT_WINDOW, FairTurns, MAX_WINDOW, ReceiveWindow } from "./flow-control.ts";
import { Flag, FRAME_HEAD_BYTES, FrameReader, type FrameSink, FrameType, writeFrameHead } from "./frame.ts";
import { BLOCK_OVERHEAD, encodedMax, type FieldToSend, HpackDecoder, HpackEncoder } from "./hpack.ts";
import {
  Bucket,
  CONNECTION_PARTIAL_BYTES,
  CONNECTION_QUEUE_BYTES,
  CONNECTION_UNSENT_BYTES,
  CONNECTION_WINDOW_BYTES,
  CROWDED_STALL_MS,
  EARLY_STREAMS,
  ENGINE_PARTIAL_BYTES,
  ENGINE_QUEUE_BYTES,
  ENGINE_UNSENT_BYTES,
  FLOOD,
  GOODBYE_MS,
  HEADER_BLOCK_MS,
  MAX_CONTINUATIONS,
  MAX_CREDIT,
  MAX_FRAME_BYTES,
  MAX_HEADER_BLOCK_BYTES,
  MAX_HEADER_LIST_BYTES,
  MAX_SETTINGS,
  MAX_STREAMS,
  OUTPUT_AHEAD_BYTES,
  OUTPUT_MAX_BYTES,
  PREFACE_MS,
  RATES,
  RESET_MEMORY,
  SHARE_PARTIAL_BYTES,
  SHARE_UNSENT_BYTES,
  SHORT_FRAME_BYTES,
  STALL_BYTES,
  STALL_MS,
  STALL_PROGRESS_BYTES,
  STREAM_WINDOW_BYTES,
} from "./limits.ts";
import { ChunkPool, FlushTurn, Output } from "./output.ts";
import { RequestHead } from "./request-head.ts";
import { SendShare, SendTurns } from "./send-turns.ts";
import { type BodySource, Stream, type StreamHost, type StreamOwner } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

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

/** The largest number that the setting can say: no bound. */
export const STREAMS_UNBOUNDED = 0xffff_ffff;

/** What all connections of one engine share. */
export class Shared {
  readonly pool: ChunkPool = new ChunkPool();
  readonly turn: FlushTurn = new FlushTurn();
  readonly sendTurns: SendTurns = new SendTurns();
  /** Queued in streams, on all connections. */
  unsentBytes = 0;
  /** Of messages that have come in part, on all connections. */
  partialBytes = 0;
}

const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

const NO_BYTES = new Uint8Array(0);
const { PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, NO_ERROR } = Http2Code;

/** A header block that is not complete. */
interface OpenBlock {
  readonly streamId: number;
  readonly end: boolean;
  readonly begunMs: number;
  readonly parts: Buffer[];
  bytes: number;
  continuations: number;
}

export class Connection implements FrameSink, StreamHost {
  readonly socket: Socket;
  /** Nothing more is taken from the peer. */
  deaf = false;
  /** Headers or data have been sent since somebody last looked (`takeSent`). */
  #sent = false;
  #sentSincePing = false;
  readonly #owner: ConnectionOwner;
  readonly #options: ConnectionOptions;
  readonly #shared: Shared;
  readonly #streamsMax: number;
  readonly #reader: FrameReader;
  readonly #output: Output;
  readonly #decoder = new HpackDecoder((list) => new RequestHead(list));
  readonly #encoder = new HpackEncoder();
  readonly #streams = new StreamTable();
  #lastId = 0;
  #block: OpenBlock | undefined;
  #settled = false;
  #closed = false;
  #draining = false;
  readonly #resets = new Set<number>();

  readonly #receiveWindow = new ReceiveWindow(CONNECTION_WINDOW_BYTES);
  #sendWindow = DEFAULT_WINDOW;
  #peerStreamWindow = DEFAULT_WINDOW;
  readonly #turns = new FairTurns<Stream>();
  readonly #share = new SendShare(() => this.#written());
  #unsentBytes = 0;
  /** The stream with the longest answer in parts. */
  #longest: Stream | undefined;
  #partialBytes = 0;
  /** Bytes of data that have been framed, and how many there were when somebody last saw that enough had been. */
  #framedBytes = 0;
  #progressAtBytes = 0;
  /** Window updates, and short frames, that may still come without being counted. */
  #updateCredit = 0;
  #shortCredit = 0;
  /** Short frames that are still to be counted. */
  #shortFrames = 0;
  /** We have said SETTINGS, and the peer has not yet said that it knows. */
  #settingsUnread = true;
  /** Streams whose body waits until the peer has read its answers. */
  #waiting: Stream[] = [];
  /** Streams that we have ended before the peer has, since the last tick and before it. */
  #early: Stream[] = [];
  #earlier: Stream[] = [];

  #inEvent = false;
  #flushComing = false;
  readonly #bornMs: number;
  #heardMs: number;
  #pingSentMs: number | undefined;
  #progressMs: number;
  readonly #buckets: Record<keyof typeof RATES, Bucket>;

  constructor(socket: Socket, owner: ConnectionOwner, options: ConnectionOptions, shared: Shared) {
    this.socket = socket;
    this.#owner = owner;
    this.#options = options;
    this.#shared = shared;
    this.#streamsMax = Math.min(options.maxConcurrentStreams, MAX_STREAMS);
    const nowMs = options.monotonicMs();
    this.#bornMs = nowMs;
    this.#heardMs = nowMs;
    this.#progressMs = nowMs;
    this.#buckets = {
      resets: new Bucket(RATES.resets, nowMs),
      faults: new Bucket(RATES.faults, nowMs),
      settings: new Bucket(RATES.settings, nowMs),
      pings: new Bucket(RATES.pings, nowMs),
      updates: new Bucket(RATES.updates, nowMs),
      dribbles: new Bucket(RATES.dribbles, nowMs),
      idle: new Bucket(RATES.idle, nowMs),
    };
    this.#reader = new FrameReader(this);
    this.#output = new Output(socket, shared.pool, () => this.#written());
  }

  /** Greets the peer and begins to listen to it. */
  start(): void {
    const { socket } = this;
    socket.on("data", (bytes: Buffer) => this.#came(bytes));
    socket.on("end", () => this.destroy());
    socket.on("error", () => this.destroy());
    socket.on("close", () => this.#gone());
    this.#sendSettings();
    this.#sendWindowUpdate(0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW);
    this.#output.flush();
    if (socket.destroyed) this.#gone();
    else socket.resume();
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** Whether headers or data have been sent since this was last asked. */
  takeSent(): boolean {
    const sent = this.#sent;
    this.#sent = false;
    return sent;
  }

  // ---- life

  /** Looks at the time, about once a second. */
  tick(nowMs: number): void {
    if (this.#closed) return;
    if (!this.#settled) {
      if (nowMs - this.#bornMs > PREFACE_MS) this.destroy();
      return;
    }
    if (this.#block !== undefined && nowMs - this.#block.begunMs > HEADER_BLOCK_MS) {
      this.#fail(FLOOD, "a header block without an end");
    }
    this.#watchProgress(nowMs);
    this.#keepAlive(nowMs);
    this.#resetEarly();
  }

  /** A write that returns is no progress: a peer may take pings for ever, and of its answers a byte now and then. */
  #watchProgress(nowMs: number): void {
    const waiting = this.#output.waitingBytes + this.#unsentBytes;
    if (waiting < STALL_BYTES || this.#framedBytes - this.#progressAtBytes >= STALL_PROGRESS_BYTES) {
      this.#progressMs = nowMs;
      this.#progressAtBytes = this.#framedBytes;
      return;
    }
    const patienceMs = this.#shared.unsentBytes > ENGINE_UNSENT_BYTES ? CROWDED_STALL_MS : STALL_MS;
    if (nowMs - this.#progressMs > patienceMs) this.#fail(FLOOD, "answers are not read");
  }

  #keepAlive(nowMs: number): void {
    const { pingIntervalMs, pingTimeoutMs } = this.#options;
    if (this.#pingSentMs !== undefined) {
      if (nowMs - this.#pingSentMs > pingTimeoutMs && this.#heardMs < this.#pingSentMs) this.destroy();
    } else if (nowMs - this.#heardMs > pingIntervalMs) {
      this.#pingSentMs = nowMs;
      this.#sendPing(NO_BYTES, 0);
      this.flush();
    }
  }

  /** Takes no new requests; closes when those under way have been answered. */
  drain(): void {
    if (this.#closed || this.#draining || this.deaf) return;
    this.#draining = true;
    this.#sendGoAway(NO_ERROR, "");
    this.flush();
    this.#endIfDrained();
  }

  destroy(): void {
    this.deaf = true;
    this.socket.destroy();
    this.#gone();
  }

  /** Says why, and ends the connection. */
  #fail(code: number, why: string): void {
    if (this.#closed || this.deaf) return;
    this.deaf = true;
    this.#sendGoAway(code, why);
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
    if (!this.#draining || this.#streams.size > 0 || this.deaf || this.#closed) return;
    this.deaf = true;
    this.#goodbye();
  }

  #gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.deaf = true;
    this.#output.close();
    this.#leaveStreams();
    this.#owner.closed();
  }

  #leaveStreams(): void {
    for (const stream of this.#streams.list()) {
      this.#remove(stream);
      if (!stream.localEnded || !stream.remoteEnded) stream.owner?.gone();
    }
  }

  #came(bytes: Buffer): void {
    if (this.deaf) return;
    this.#heardMs = this.#options.monotonicMs();
    this.#pingSentMs = undefined;
    this.#inEvent = true;
    try {
      this.#reader.read(bytes);
    } catch (error) {
      if (!(error instanceof ConnectionFailure)) throw error;
      this.#fail(error.code, error.message);
    } finally {
      this.#inEvent = false;
    }
    this.flush();
  }

  /** What waits to be sent goes now. */
  flush(): void {
    this.#flushComing = false;
    if (this.#closed) return;
    if (this.#early.length > EARLY_STREAMS) this.#resetEarly();
    if (this.#waiting.length > 0 && !this.#crowded) this.#releaseHeld();
    if (this.#output.waitingBytes > OUTPUT_MAX_BYTES) {
      this.destroy(); // it asks and asks and reads no answer: a GOAWAY would not be read either
      return;
    }
    this.#output.flush();
  }

  #flushSoon(): void {
    if (this.#inEvent || this.#flushComing) return;
    this.#flushComing = true;
    this.#shared.turn.join(this);
  }

  /** A write has returned: more may go. */
  #written(): void {
    if (this.#closed) return;
    if (this.#turns.count > 0) this.#pump();
    this.flush();
  }

  /** Takes one from a rate; one too many ends the connection. */
  #spend(rate: keyof typeof RATES): void {
    const why = this.#buckets[rate].take(this.#options.monotonicMs());
    if (why !== undefined) throw new ConnectionFailure(FLOOD, why);
  }

  // ---- frames that come

  frame(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (this.#block !== undefined && type !== FrameType.CONTINUATION) throw broken("a frame inside of a header block");
    if (!this.#settled && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) throw broken("no SETTINGS first");
    switch (type) {
      case FrameType.DATA:
        this.#data(flags, id, bytes, from, to);
        return;
      case FrameType.HEADERS:
        this.#headers(flags, id, bytes, from, to);
        return;
      case FrameType.PRIORITY:
        this.#priority(id, bytes, from, to);
        return;
      case FrameType.RST_STREAM:
        this.#rstStream(id, from, to);
        return;
      case FrameType.SETTINGS:
        this.#settings(flags, id, bytes, from, to);
        return;
      case FrameType.PUSH_PROMISE:
        throw broken("a push from a client");
      case FrameType.PING:
        this.#ping(flags, id, bytes, from, to);
        return;
      case FrameType.GOAWAY:
        this.#goAway(id, from, to);
        return;
      case FrameType.WINDOW_UPDATE:
        this.#windowUpdate(id, bytes, from, to);
        return;
      case FrameType.CONTINUATION:
        this.#continuation(flags, id, bytes, from, to);
        return;
      default:
        this.#spend("idle");
    }
  }

  #data(flags: number, id: number, bytes: Buffer, start: number, stop: number): void {
    if (id === 0) throw broken("DATA without a stream");
    const { from, to } = unpadded(flags, bytes, start, stop);
    const end = (flags & Flag.END_STREAM) !== 0;
    if (!this.#receiveWindow.take(stop - start))
      throw new ConnectionFailure(FLOW_CONTROL_ERROR, "more than the window");
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.remoteEnded) {
      this.#giveConnection(stop - start);
      this.#dataForNobody(id, stream);
      return;
    }
    if (!stream.receiveWindow.take(stop - start)) {
      this.#giveConnection(stop - start);
      this.#fault(stream, FLOW_CONTROL_ERROR);
      return;
    }
    const length = to - from;
    if (length === 0 && !end) this.#spend("idle");
    stream.received += length;
    stream.remoteEnded = end;
    if (stop - start > length) this.#give(stream, stop - start - length);
    if (stream.contentLength !== undefined && !this.#keepsLength(stream, end)) {
      this.#giveConnection(length);
      this.#fault(stream, PROTOCOL_ERROR);
      return;
    }
    stream.unconsumed += length;
    if (stream.held !== undefined || (!stream.begun && this.#crowded)) this.#hold(stream, bytes.subarray(from, to));
    else {
      stream.begun = true;
      if (length > 0) stream.owner?.data(bytes.subarray(from, to));
      if (end) this.#remoteEnded(stream);
    }
  }

  #keepsLength(stream: Stream, end: boolean): boolean {
    const announced = stream.contentLength as number;
    return end ? stream.received === announced : stream.received <= announced;
  }

  /** DATA for a stream that is over. What was on its way when we reset it is no fault. */
  #dataForNobody(id: number, stream: Stream | undefined): void {
    if (id > this.#lastId) throw broken("DATA for a stream that is not open");
    if (stream !== undefined) this.#fault(stream, STREAM_CLOSED);
    else if (this.#resets.has(id)) this.#spend("idle");
    else {
      this.#spend("faults");
      this.#sendReset(id, STREAM_CLOSED);
    }
  }

  /** The peer has much to read before anything more is begun for it. */
  get #crowded(): boolean {
    const own = this.#unsentBytes - (this.#longest?.queuedBytes ?? 0);
    if (own <= SHARE_UNSENT_BYTES) return false;
    return own > CONNECTION_UNSENT_BYTES || this.#shared.unsentBytes > ENGINE_UNSENT_BYTES;
  }

  #hold(stream: Stream, bytes: Uint8Array): void {
    if (stream.held === undefined) {
      stream.held = [];
      this.#waiting.push(stream);
    }
    if (bytes.length > 0) stream.held.push(Uint8Array.from(bytes)); // few bytes must not hold on to all that came with them
  }

  #releaseHeld(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [index, stream] of waiting.entries()) {
      if (stream.gone) continue;
      if (this.#crowded) {
        this.#waiting.push(...waiting.slice(index));
        return;
      }
      const held = stream.held ?? [];
      stream.held = undefined;
      stream.begun = true;
      for (const bytes of held) if (!stream.gone) stream.owner?.data(bytes);
      if (stream.remoteEnded && !stream.gone) this.#remoteEnded(stream);
    }
  }

  #remoteEnded(stream: Stream): void {
    if (!stream.gone) stream.owner?.end();
    if (stream.localEnded) this.#remove(stream);
  }

  #headers(flags: number, id: number, bytes: Buffer, start: number, stop: number): void {
    if (id === 0) throw broken("HEADERS without a stream");
    if ((id & 1) === 0) throw broken("a stream with an even number");
    const inner = unpadded(flags, bytes, start, stop);
    let from = inner.from;
    if ((flags & Flag.PRIORITY) !== 0) {
      if (inner.to - from < 5) throw new ConnectionFailure(FRAME_SIZE_ERROR, "HEADERS cut short");
      if ((bytes.readUInt32BE(from) & 0x7fff_ffff) === id) throw broken("a stream that depends on itself");
      from += 5;
    }
    const end = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) this.#headersComplete(id, end, bytes, from, inner.to);
    else {
      const part = Buffer.from(bytes.subarray(from, inner.to));
      this.#block = { streamId: id, end, begunMs: this.#heardMs, parts: [part], bytes: part.length, continuations: 0 };
    }
  }

  #continuation(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const block = this.#block;
    if (block === undefined || block.streamId !== id) throw broken("CONTINUATION of nothing");
    block.bytes += to - from;
    if (++block.continuations > MAX_CONTINUATIONS || block.bytes > MAX_HEADER_BLOCK_BYTES) {
      throw new ConnectionFailure(FLOOD, "a header block without an end");
    }
    block.parts.push(Buffer.from(bytes.subarray(from, to)));
    if ((flags & Flag.END_HEADERS) === 0) return;
    this.#block = undefined;
    const whole = Buffer.concat(block.parts);
    this.#headersComplete(id, block.end, whole, 0, whole.length);
  }

  #headersComplete(id: number, end: boolean, bytes: Buffer, from: number, to: number): void {
    const head = this.#decoder.decode(bytes, from, to); // always: the table must go on
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#trailers(stream, end, head);
    else if (id <= this.#lastId) {
      if (!this.#resets.has(id)) throw new ConnectionFailure(STREAM_CLOSED, "HEADERS for a stream that is over");
      this.#spend("idle");
    } else this.#open(id, end, head);
  }

  #trailers(stream: Stream, end: boolean, head: RequestHead): void {
    if (stream.remoteEnded) this.#fault(stream, STREAM_CLOSED);
    else if (!end || head.trailerFault !== "" || head.tooLarge) this.#fault(stream, PROTOCOL_ERROR);
    else {
      stream.remoteEnded = true;
      if (stream.contentLength !== undefined && !this.#keepsLength(stream, true)) this.#fault(stream, PROTOCOL_ERROR);
      else if (stream.held === undefined) this.#remoteEnded(stream);
    }
  }

  #open(id: number, end: boolean, head: RequestHead): void {
    this.#lastId = id;
    if (this.#draining || this.#streams.size >= this.#streamsMax) {
      this.#remember(id);
      this.#spend("resets");
      this.#sendReset(id, REFUSED_STREAM);
      return;
    }
    if (head.tooLarge || head.fault !== "" || (end && (head.contentLength ?? 0) > 0)) {
      this.#remember(id);
      this.#spend("faults");
      this.#sendReset(id, head.tooLarge ? FRAME_SIZE_ERROR : PROTOCOL_ERROR);
      return;
    }
    const stream = new Stream(id, this, this.#peerStreamWindow);
    stream.remoteEnded = end;
    stream.contentLength = head.contentLength;
    this.#streams.add(stream);
    stream.owner = this.#owner.request(stream, head);
    if (end) this.#remoteEnded(stream);
  }

  #priority(id: number, bytes: Buffer, from: number, to: number): void {
    if (id === 0) throw broken("PRIORITY without a stream");
    if (to - from !== 5) throw new ConnectionFailure(FRAME_SIZE_ERROR, "PRIORITY of a wrong size");
    if ((bytes.readUInt32BE(from) & 0x7fff_ffff) === id) throw broken("a stream that depends on itself");
    this.#spend("idle");
  }

  #rstStream(id: number, from: number, to: number): void {
    if (id === 0) throw broken("RST_STREAM without a stream");
    if (to - from !== 4) throw new ConnectionFailure(FRAME_SIZE_ERROR, "RST_STREAM of a wrong size");
    if (id > this.#lastId) throw broken("RST_STREAM for a stream that is not open");
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.#spend("idle");
      return;
    }
    this.#spend("resets");
    this.#remove(stream);
    stream.owner?.gone();
  }

  #settings(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (id !== 0) throw broken("SETTINGS of a stream");
    if ((flags & Flag.ACK) !== 0) {
      if (to !== from) throw new ConnectionFailure(FRAME_SIZE_ERROR, "an acknowledgement with a payload");
      if (!this.#settingsUnread) this.#spend("idle");
      this.#settingsUnread = false;
      return;
    }
    if ((to - from) % 6 !== 0) throw new ConnectionFailure(FRAME_SIZE_ERROR, "SETTINGS of a wrong size");
    if (to - from > MAX_SETTINGS * 6) throw new ConnectionFailure(FLOOD, "too many settings");
    this.#spend("settings");
    this.#settled = true;
    const windowBefore = this.#peerStreamWindow;
    for (let at = from; at < to; at += 6) this.#setting(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2));
    if (this.#peerStreamWindow !== windowBefore) this.#moveWindows(this.#peerStreamWindow - windowBefore);
    this.#frame(FrameType.SETTINGS, Flag.ACK, 0, 0); // before anything that they allow
    if (this.#turns.count > 0) this.#pump();
    this.#countShort();
    this.#flushSoon();
  }

  #setting(name: number, value: number): void {
    switch (name) {
      case Setting.HEADER_TABLE_SIZE:
        this.#encoder.setPeerCapacity(value);
        return;
      case Setting.ENABLE_PUSH:
        if (value > 1) throw broken("ENABLE_PUSH is 0 or 1");
        return;
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW) throw new ConnectionFailure(FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE out of its range");
        this.#peerStreamWindow = value;
        return;
      case Setting.MAX_FRAME_SIZE:
        // A larger one is of no use: streams take turns frame by frame.
        if (value < MAX_FRAME_BYTES || value > 0xff_ffff) throw broken("MAX_FRAME_SIZE out of its range");
        return;
      default:
        return;
    }
  }

  /** Once for all that a SETTINGS frame says: each move visits every stream. */
  #moveWindows(change: number): void {
    for (const stream of this.#streams.list()) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW) throw new ConnectionFailure(FLOW_CONTROL_ERROR, "a window beyond its range");
      if (stream.queuedBytes > 0 && stream.sendWindow > 0) this.#turns.join(stream);
    }
  }

  #ping(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (id !== 0) throw broken("PING of a stream");
    if (to - from !== 8) throw new ConnectionFailure(FRAME_SIZE_ERROR, "PING of a wrong size");
    if ((flags & Flag.ACK) !== 0) {
      this.#spend("idle");
      return;
    }
    if (this.#sentSincePing) this.#sentSincePing = false;
    else this.#spend("pings");
    if (!this.#owner.pinged()) throw new ConnectionFailure(FLOOD, "too_many_pings");
    this.#sendPing(bytes.subarray(from, to), Flag.ACK);
  }

  #goAway(id: number, from: number, to: number): void {
    if (id !== 0) throw broken("GOAWAY of a stream");
    if (to - from < 8) throw new ConnectionFailure(FRAME_SIZE_ERROR, "GOAWAY cut short");
    this.#spend("idle"); // it begins no more; what is under way goes on, and it closes the connection itself
  }

  #windowUpdate(id: number, bytes: Buffer, from: number, to: number): void {
    if (to - from !== 4) throw new ConnectionFailure(FRAME_SIZE_ERROR, "WINDOW_UPDATE of a wrong size");
    const more = bytes.readUInt32BE(from) & 0x7fff_ffff;
    if (this.#updateCredit > 0) this.#updateCredit--;
    else this.#spend("updates");
    if (id === 0) {
      if (more === 0) throw broken("a window update of nothing");
      this.#sendWindow += more;
      if (this.#sendWindow > MAX_WINDOW) throw new ConnectionFailure(FLOW_CONTROL_ERROR, "a window beyond its range");
      if (this.#turns.count > 0) this.#pump();
      this.#countShort();
      return;
    }
    if (id > this.#lastId) throw broken("WINDOW_UPDATE for a stream that is not open");
    const stream = this.#streams.get(id);
    if (stream === undefined) return; // its answer may be read long after it was sent: not counted
    stream.sendWindow += more;
    if (more === 0) this.#fault(stream, PROTOCOL_ERROR);
    else if (stream.sendWindow > MAX_WINDOW) this.#fault(stream, FLOW_CONTROL_ERROR);
    else if (stream.queuedBytes > 0 && stream.sendWindow > 0) {
      this.#turns.join(stream);
      this.#pump();
      this.#countShort();
    }
  }

  /** Not where they are sent: a write that returns has nobody to throw to. */
  #countShort(): void {
    for (; this.#shortFrames > 0; this.#shortFrames--) {
      if (this.#shortCredit > 0) this.#shortCredit--;
      else this.#spend("dribbles");
    }
  }

  // ---- streams that end

  /** The peer made us reset it. */
  #fault(stream: Stream, code: number): void {
    this.#spend("faults");
    this.#reset(stream, code);
    stream.owner?.gone();
  }

  #reset(stream: Stream, code: number): void {
    this.#remove(stream);
    this.#remember(stream.id);
    this.#sendReset(stream.id, code);
  }

  /** What still comes for it is ignored. */
  #remember(id: number): void {
    this.#resets.add(id);
    if (this.#resets.size <= RESET_MEMORY) return;
    for (const oldest of this.#resets) {
      this.#resets.delete(oldest);
      return;
    }
  }

  #remove(stream: Stream): void {
    if (stream.gone) return;
    stream.gone = true;
    this.#streams.delete(stream);
    if (stream.queuedBytes > 0) this.#unsent(-stream.dropQueue());
    if (this.#longest === stream) this.#longest = undefined;
    stream.held = undefined;
    if (stream.partialBytes > 0) this.partial(stream, -stream.partialBytes);
    if (stream.unconsumed > 0) this.#giveConnection(stream.unconsumed);
    stream.unconsumed = 0;
    if (this.#draining) this.#endIfDrained();
  }

  /**
   * Answers that were complete before their requests: the rest of those is not wanted (RFC 9113, section 8.1). Most
   * clients end such a stream by themselves, and some take a reset right behind the answer for a failure of it.
   */
  #resetEarly(): void {
    const earlier = this.#earlier;
    this.#earlier = this.#early;
    this.#early = [];
    for (const stream of earlier) if (!stream.gone) this.#reset(stream, NO_ERROR);
  }

  #localEnded(stream: Stream): void {
    stream.localEnded = true;
    if (stream.remoteEnded && stream.held === undefined) this.#remove(stream);
    else this.#early.push(stream);
  }

  // ---- StreamHost

  sendHeaders(stream: Stream, fields: readonly FieldToSend[], end: boolean): void {
    this.#sendHeaderBlock(stream, fields, end);
    if (end) this.#localEnded(stream);
    this.#flushSoon();
  }

  sendData(stream: Stream, prefix: Uint8Array, body: Uint8Array, lent: boolean): void {
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
    if (done < total) {
      if (this.#isFull(total - done)) this.#refuse(stream);
      else this.#queue(stream, prefix, body, done, lent);
    }
    this.#flushSoon();
  }

  sendFrom(stream: Stream, source: BodySource): void {
    const { length } = source;
    if (stream.queuedBytes > 0) {
      const bytes = Buffer.allocUnsafeSlow(length); // an answer behind another one of its stream
      source.copyTo(bytes, 0, length);
      this.sendData(stream, NO_BYTES, bytes, false);
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
    if (done < length) {
      if (this.#isFull(length - done)) this.#refuse(stream);
      else this.#queueSource(stream, source, length - done);
    }
    this.#flushSoon();
  }

  #queueSource(stream: Stream, source: BodySource, left: number): void {
    stream.enqueueSource(source, left);
    if (left > (this.#longest?.queuedBytes ?? 0)) this.#longest = stream;
    this.#unsent(left);
    if (stream.sendWindow > 0) this.#turns.join(stream);
  }

  /** Whether so many bytes more are too many; a single answer of any size is not. */
  #isFull(more: number): boolean {
    const own = this.#unsentBytes - (this.#longest?.queuedBytes ?? 0);
    if (own <= SHARE_UNSENT_BYTES) return false;
    return own + more > CONNECTION_QUEUE_BYTES || this.#shared.unsentBytes + more > ENGINE_QUEUE_BYTES;
  }

  /** The peer asks for more than it reads. Its owner hears of it later: it is in the middle of sending. */
  #refuse(stream: Stream): void {
    this.#reset(stream, FLOOD);
    process.nextTick(() => stream.owner?.gone());
  }

  sendEnd(stream: Stream): void {
    const { ending } = stream;
    if (ending === undefined || stream.localEnded) return;
    if (ending === "end") this.#dataFrame(stream, 0, Flag.END_STREAM);
    else this.#sendHeaderBlock(stream, ending, true);
    this.#localEnded(stream);
    this.#flushSoon();
  }

  resetStream(stream: Stream, code: number): void {
    this.#reset(stream, code);
  }

  consumed(stream: Stream, bytes: number): void {
    if (stream.gone) return; // given back when it went
    stream.unconsumed -= bytes;
    this.#give(stream, bytes);
  }

  partial(stream: Stream, change: number): boolean {
    stream.partialBytes += change;
    this.#partialBytes += change;
    this.#shared.partialBytes += change;
    if (change <= 0 || this.#partialBytes <= SHARE_PARTIAL_BYTES) return true;
    return this.#partialBytes <= CONNECTION_PARTIAL_BYTES && this.#shared.partialBytes <= ENGINE_PARTIAL_BYTES;
  }

  /** So much is queued that streams with anything in their queues are to wait. */
  get full(): boolean {
    return this.#crowded;
  }

  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  get unsentOfAllBytes(): number {
    return this.#shared.unsentBytes;
  }

  // ---- flow control

  #give(stream: Stream, bytes: number): void {
    this.#giveConnection(bytes);
    if (stream.remoteEnded) return;
    const more = stream.receiveWindow.give(bytes);
    if (more > 0) this.#sendWindowUpdate(stream.id, more);
  }

  #giveConnection(bytes: number): void {
    const more = this.#receiveWindow.give(bytes);
    if (more > 0) this.#sendWindowUpdate(0, more);
  }

  /** How many bytes of data the stream may send in its next frame. */
  #allowance(stream: Stream): number {
    if (this.#output.waitingBytes >= OUTPUT_AHEAD_BYTES) return 0;
    return Math.min(MAX_FRAME_BYTES, stream.sendWindow, this.#sendWindow);
  }

  /** Keeps what may not go yet, from byte `done` of prefix and body on. */
  #queue(stream: Stream, prefix: Uint8Array, body: Uint8Array, done: number, lent: boolean): void {
    const ofPrefix = Math.max(0, prefix.length - done);
    const rest = part(body, Math.max(0, done - prefix.length), body.length - Math.max(0, done - prefix.length));
    if (ofPrefix > 0) stream.enqueue(prefix.slice(done));
    if (rest.length > 0) stream.enqueue(lent ? Uint8Array.prototype.slice.call(rest) : rest);
    this.#unsent(ofPrefix + rest.length);
    if (stream.sendWindow > 0) this.#turns.join(stream);
  }

  #unsent(bytes: number): void {
    this.#unsentBytes += bytes;
    this.#shared.unsentBytes += bytes;
  }

  /** Sends queued data, one frame of each stream in turn, as far as windows and the socket allow. */
  #pump(): void {
    const { sendTurns } = this.#shared;
    while (this.#turns.count > 0 && this.#sendWindow > 0 && this.#output.waitingBytes < OUTPUT_AHEAD_BYTES) {
      if (!sendTurns.allows(this.#share)) break;
      const stream = this.#turns.next() as Stream;
      if (stream.gone || stream.queuedBytes === 0) continue;
      const length = Math.min(stream.queuedBytes, this.#allowance(stream));
      if (length <= 0) continue; // its own window is used up: an update of that brings it back
      if (length < SHORT_FRAME_BYTES && length < stream.queuedBytes) this.#shortFrames++;
      const last = length === stream.queuedBytes && stream.ending === "end";
      const at = this.#dataFrame(stream, length, last ? Flag.END_STREAM : 0);
      stream.dequeue(length, this.#output.bytes, at);
      sendTurns.spend(this.#share, length);
      this.#unsent(-length);
      if (last) this.#localEnded(stream);
      else if (stream.queuedBytes > 0) {
        if (stream.sendWindow > 0) this.#turns.join(stream);
      } else if (stream.ending !== undefined) this.sendEnd(stream);
      if (stream.takeDrained()) stream.owner?.drained();
    }
    this.#flushSoon();
  }

  // ---- frames that go

  /** Begins a frame; its payload, `length` bytes, belongs at the answer. */
  #frame(type: number, flags: number, id: number, length: number): number {
    const output = this.#output;
    output.reserve(FRAME_HEAD_BYTES + length);
    const { at } = output;
    writeFrameHead(output.bytes, at, length, type, flags, id);
    output.at = at + FRAME_HEAD_BYTES + length;
    return at + FRAME_HEAD_BYTES;
  }

  #dataFrame(stream: Stream, length: number, flags: number): number {
    this.#sent = true;
    this.#sentSincePing = true;
    stream.sendWindow -= length;
    this.#sendWindow -= length;
    this.#framedBytes += length;
    if (this.#updateCredit < MAX_CREDIT) this.#updateCredit += 2;
    if (length >= SHORT_FRAME_BYTES && this.#shortCredit < MAX_CREDIT) this.#shortCredit++;
    return this.#frame(FrameType.DATA, flags, stream.id, length);
  }

  #sendHeaderBlock(stream: Stream, fields: readonly FieldToSend[], end: boolean): void {
    this.#sent = true;
    this.#sentSincePing = true;
    let most = BLOCK_OVERHEAD;
    for (const field of fields) most += encodedMax(field);
    const flags = end ? Flag.END_STREAM : 0;
    if (most > MAX_FRAME_BYTES) {
      this.#sendLongBlock(stream, fields, flags, most);
      return;
    }
    const output = this.#output;
    output.reserve(FRAME_HEAD_BYTES + most);
    const start = output.at + FRAME_HEAD_BYTES;
    const stop = this.#encoder.encode(fields, output.bytes, start);
    writeFrameHead(output.bytes, output.at, stop - start, FrameType.HEADERS, flags | Flag.END_HEADERS, stream.id);
    output.at = stop;
  }

  #sendLongBlock(stream: Stream, fields: readonly FieldToSend[], flags: number, most: number): void {
    const block = Buffer.allocUnsafe(most);
    const end = this.#encoder.encode(fields, block, 0);
    for (let from = 0; from < end; from += MAX_FRAME_BYTES) {
      const length = Math.min(MAX_FRAME_BYTES, end - from);
      const type = from === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
      const last = from + length === end ? Flag.END_HEADERS : 0;
      const at = this.#frame(type, (from === 0 ? flags : 0) | last, stream.id, length);
      block.copy(this.#output.bytes, at, from, from + length);
    }
  }

  #sendSettings(): void {
    const { maxConcurrentStreams } = this.#options;
    const settings: [number, number][] = [
      [Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES],
      [Setting.MAX_HEADER_LIST_SIZE, MAX_HEADER_LIST_BYTES],
    ];
    if (maxConcurrentStreams < STREAMS_UNBOUNDED) settings.push([Setting.MAX_CONCURRENT_STREAMS, maxConcurrentStreams]);
    let at = this.#frame(FrameType.SETTINGS, 0, 0, settings.length * 6);
    for (const [name, value] of settings) {
      this.#output.bytes.writeUInt16BE(name, at);
      this.#output.bytes.writeUInt32BE(value, at + 2);
      at += 6;
    }
  }

  #sendWindowUpdate(id: number, more: number): void {
    const at = this.#frame(FrameType.WINDOW_UPDATE, 0, id, 4);
    this.#output.bytes.writeUInt32BE(more, at);
    this.#flushSoon();
  }

  #sendReset(id: number, code: number): void {
    const at = this.#frame(FrameType.RST_STREAM, 0, id, 4);
    this.#output.bytes.writeUInt32BE(code, at);
    this.#flushSoon();
  }

  #sendPing(payload: Uint8Array, flags: number): void {
    const at = this.#frame(FrameType.PING, flags, 0, 8);
    this.#output.bytes.fill(0, at, at + 8);
    this.#output.bytes.set(payload, at);
  }

  #sendGoAway(code: number, why: string): void {
    const text = Buffer.from(why, "latin1");
    const at = this.#frame(FrameType.GOAWAY, 0, 0, 8 + text.length);
    const { bytes } = this.#output;
    bytes.writeUInt32BE(this.#lastId, at);
    bytes.writeUInt32BE(code, at + 4);
    bytes.set(text, at + 8);
  }
}

function broken(what: string): ConnectionFailure {
  return new ConnectionFailure(PROTOCOL_ERROR, what);
}

function part(bytes: Uint8Array, from: number, length: number): Uint8Array {
  return from === 0 && length === bytes.length ? bytes : bytes.subarray(from, from + length);
}

/** The payload without its padding. */
function unpadded(flags: number, bytes: Buffer, start: number, stop: number): { from: number; to: number } {
  if ((flags & Flag.PADDED) === 0) return { from: start, to: stop };
  if (stop === start) throw new ConnectionFailure(FRAME_SIZE_ERROR, "a padded frame without a length");
  const padding = bytes[start] as number;
  if (padding >= stop - start) throw broken("more padding than payload");
  return { from: start + 1, to: stop - padding };
}
