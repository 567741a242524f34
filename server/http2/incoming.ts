/**
 * The frames that come, each checked against RFC 9113 and what the connection has seen, and handed to whom it is for. What
 * the peer must not do throws `ConnectionFailure`, which ends the connection; what concerns one stream ends that.
 */
import type { Conduct } from "./conduct.ts";
import { broken, ConnectionFailure, Http2Code } from "./errors.ts";
import { MAX_WINDOW } from "./flow-control.ts";
import { Flag, type FrameSink, FrameType } from "./frame.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { blockStart, checkDependency, HeaderBlock, unpadded } from "./header-blocks.ts";
import { HpackDecoder } from "./hpack.ts";
import { FLOOD } from "./limits.ts";
import type { Liveness } from "./liveness.ts";
import type { Receiving } from "./receiving.ts";
import { RequestHead } from "./request-head.ts";
import type { Sending } from "./sending.ts";
import { checkSettings, PeerSettings } from "./settings.ts";
import { Stream, type StreamHost, type StreamOwner } from "./stream.ts";
import type { Streams } from "./streams.ts";

const { PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM } = Http2Code;

/** Frames between two looks at the clock; a power of two. */
const FRAMES_BETWEEN_LOOKS = 16;

/** What the frames ask of their connection. */
export interface IncomingHost extends StreamHost {
  /** False: it is draining, or has as many requests as it may. */
  readonly takesRequests: boolean;
  request(stream: Stream, head: RequestHead): StreamOwner;
  /** A ping has come. False: one too many. */
  pinged(): boolean;
  bodyEnded(stream: Stream): void;
  /** Sends what is queued, as far as it may go. */
  pump(): void;
  flushSoon(): void;
}

export class Incoming implements FrameSink {
  /** Nothing more is taken from the peer. */
  deaf = false;
  /** Monotonic; what comes is left for later from then on. */
  readUntilMs = Number.POSITIVE_INFINITY;
  readonly #host: IncomingHost;
  readonly #streams: Streams;
  readonly #sending: Sending;
  readonly #receiving: Receiving;
  readonly #frames: FrameWriter;
  readonly #conduct: Conduct;
  readonly #liveness: Liveness;
  readonly #peerSettings: PeerSettings;
  readonly #decoder = new HpackDecoder((list) => new RequestHead(list));
  readonly #block = new HeaderBlock();
  readonly #monotonicMs: () => number;
  #framesSeen = 0;
  #settled = false;
  /** We have said SETTINGS, and the peer has not yet said that it knows. */
  #settingsUnread = true;

  constructor(parts: {
    host: IncomingHost;
    streams: Streams;
    sending: Sending;
    receiving: Receiving;
    frames: FrameWriter;
    conduct: Conduct;
    liveness: Liveness;
    monotonicMs: () => number;
  }) {
    this.#host = parts.host;
    this.#streams = parts.streams;
    this.#sending = parts.sending;
    this.#receiving = parts.receiving;
    this.#frames = parts.frames;
    this.#conduct = parts.conduct;
    this.#liveness = parts.liveness;
    this.#monotonicMs = parts.monotonicMs;
    this.#peerSettings = new PeerSettings((bytes) => parts.frames.setPeerCapacity(bytes));
  }

  /** The peer's SETTINGS have come: it speaks HTTP/2. */
  get isSettled(): boolean {
    return this.#settled;
  }

  /** A header block takes too long. */
  isOverdue(nowMs: number): boolean {
    return this.#block.isOverdue(nowMs);
  }

  pauses(): boolean {
    return (++this.#framesSeen & (FRAMES_BETWEEN_LOOKS - 1)) === 0 && this.#monotonicMs() >= this.readUntilMs;
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (this.#block.isOpen && type !== FrameType.CONTINUATION) throw broken("a frame inside of a header block");
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
        this.#conduct.spend("idle");
    }
  }

  #data(flags: number, id: number, bytes: Buffer, start: number, stop: number): void {
    if (id === 0) throw broken("DATA without a stream");
    const { from, to } = unpadded(flags, bytes, start, stop);
    const end = (flags & Flag.END_STREAM) !== 0;
    this.#receiving.take(stop - start);
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.remoteEnded) {
      this.#receiving.giveConnection(stop - start);
      this.#dataForNobody(id, stream);
      return;
    }
    if (!stream.receiveWindow.take(stop - start)) {
      this.#receiving.giveConnection(stop - start);
      this.#streams.fault(stream, FLOW_CONTROL_ERROR);
      return;
    }
    const length = to - from;
    if (length === 0 && !end) this.#conduct.spend("idle");
    stream.received += length;
    stream.remoteEnded = end;
    if (stop - start > length) this.#receiving.give(stream, stop - start - length);
    if (stream.contentLength !== undefined && !keepsLength(stream, end)) {
      this.#receiving.giveConnection(length);
      this.#streams.fault(stream, PROTOCOL_ERROR);
      return;
    }
    stream.unconsumed += length;
    if (this.#receiving.holds(stream)) this.#receiving.hold(stream, bytes.subarray(from, to));
    else {
      stream.begun = true;
      if (length > 0) stream.owner?.data(bytes.subarray(from, to));
      if (end) this.#host.bodyEnded(stream);
    }
  }

  /** DATA for a stream that is over. What was on its way when we reset it is no fault. */
  #dataForNobody(id: number, stream: Stream | undefined): void {
    if (id > this.#streams.lastId) throw broken("DATA for a stream that is not open");
    if (stream !== undefined) this.#streams.fault(stream, STREAM_CLOSED);
    else if (this.#streams.wasReset(id)) this.#conduct.spend("idle");
    else {
      this.#conduct.spend("faults");
      this.#streams.refuse(id, STREAM_CLOSED);
    }
  }

  #headers(flags: number, id: number, bytes: Buffer, start: number, stop: number): void {
    if (id === 0) throw broken("HEADERS without a stream");
    if ((id & 1) === 0) throw broken("a stream with an even number");
    const inner = unpadded(flags, bytes, start, stop);
    const from = blockStart(flags, id, bytes, inner.from, inner.to);
    const end = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) this.#headersComplete(id, end, bytes, from, inner.to);
    else this.#block.begin(id, end, bytes.subarray(from, inner.to), this.#liveness.heardMs);
  }

  #continuation(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const block = this.#block.continue(id, flags, bytes.subarray(from, to));
    if (block !== undefined) this.#headersComplete(id, block.end, block.whole, 0, block.whole.length);
  }

  #headersComplete(id: number, end: boolean, bytes: Buffer, from: number, to: number): void {
    const head = this.#decoder.decode(bytes, from, to); // always: the table must go on
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#trailers(stream, end, head);
    else if (id <= this.#streams.lastId) {
      if (!this.#streams.wasReset(id)) throw new ConnectionFailure(STREAM_CLOSED, "HEADERS for a stream that is over");
      this.#conduct.spend("idle");
    } else this.#open(id, end, head);
  }

  #trailers(stream: Stream, end: boolean, head: RequestHead): void {
    if (stream.remoteEnded) this.#streams.fault(stream, STREAM_CLOSED);
    else if (!end || head.trailerFault !== "" || head.tooLarge) this.#streams.fault(stream, PROTOCOL_ERROR);
    else {
      stream.remoteEnded = true;
      if (stream.contentLength !== undefined && !keepsLength(stream, true)) this.#streams.fault(stream, PROTOCOL_ERROR);
      else if (stream.held === undefined) this.#host.bodyEnded(stream);
    }
  }

  #open(id: number, end: boolean, head: RequestHead): void {
    const streams = this.#streams;
    streams.lastId = id;
    if (!this.#host.takesRequests) {
      streams.remember(id);
      this.#conduct.spend("resets");
      streams.refuse(id, REFUSED_STREAM);
      return;
    }
    if (head.tooLarge || head.fault !== "" || (end && (head.contentLength ?? 0) > 0)) {
      streams.remember(id);
      this.#conduct.spend("faults");
      streams.refuse(id, head.tooLarge ? FRAME_SIZE_ERROR : PROTOCOL_ERROR);
      return;
    }
    const stream = new Stream(id, this.#host, this.#peerSettings.streamWindow);
    stream.remoteEnded = end;
    stream.contentLength = head.contentLength;
    streams.add(stream);
    stream.owner = this.#host.request(stream, head);
    if (end) this.#host.bodyEnded(stream);
  }

  #priority(id: number, bytes: Buffer, from: number, to: number): void {
    if (id === 0) throw broken("PRIORITY without a stream");
    if (to - from !== 5) throw new ConnectionFailure(FRAME_SIZE_ERROR, "PRIORITY of a wrong size");
    checkDependency(id, bytes, from);
    this.#conduct.spend("idle");
  }

  #rstStream(id: number, from: number, to: number): void {
    if (id === 0) throw broken("RST_STREAM without a stream");
    if (to - from !== 4) throw new ConnectionFailure(FRAME_SIZE_ERROR, "RST_STREAM of a wrong size");
    if (id > this.#streams.lastId) throw broken("RST_STREAM for a stream that is not open");
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.#conduct.spend("idle");
      return;
    }
    this.#conduct.spend("resets");
    this.#streams.remove(stream);
    stream.owner?.gone();
  }

  #settings(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const isAck = (flags & Flag.ACK) !== 0;
    checkSettings(id, isAck, to - from);
    if (isAck) {
      if (!this.#settingsUnread) this.#conduct.spend("idle");
      this.#settingsUnread = false;
      return;
    }
    this.#conduct.spend("settings");
    this.#settled = true;
    const before = this.#peerSettings.streamWindow;
    this.#peerSettings.read(bytes, from, to);
    const change = this.#peerSettings.streamWindow - before;
    if (change !== 0) this.#moveWindows(change);
    this.#frames.settingsAck(); // before anything that they allow
    if (this.#sending.hasMore) this.#host.pump();
    this.#conduct.countShort();
    this.#host.flushSoon();
  }

  /** Once for all that a SETTINGS frame says: each move visits every stream. */
  #moveWindows(change: number): void {
    for (const stream of this.#streams.list()) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW) throw new ConnectionFailure(FLOW_CONTROL_ERROR, "a window beyond its range");
      this.#sending.rejoin(stream);
    }
  }

  #ping(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (id !== 0) throw broken("PING of a stream");
    if (to - from !== 8) throw new ConnectionFailure(FRAME_SIZE_ERROR, "PING of a wrong size");
    if ((flags & Flag.ACK) !== 0) {
      this.#conduct.spend("idle");
      return;
    }
    this.#conduct.pinged();
    if (!this.#host.pinged()) throw new ConnectionFailure(FLOOD, "too_many_pings");
    this.#frames.ping(bytes.subarray(from, to), Flag.ACK);
  }

  #goAway(id: number, from: number, to: number): void {
    if (id !== 0) throw broken("GOAWAY of a stream");
    if (to - from < 8) throw new ConnectionFailure(FRAME_SIZE_ERROR, "GOAWAY cut short");
    this.#conduct.spend("idle"); // it begins no more; what is under way goes on, and it closes the connection itself
  }

  #windowUpdate(id: number, bytes: Buffer, from: number, to: number): void {
    if (to - from !== 4) throw new ConnectionFailure(FRAME_SIZE_ERROR, "WINDOW_UPDATE of a wrong size");
    const more = bytes.readUInt32BE(from) & 0x7fff_ffff;
    this.#conduct.updated();
    if (id === 0) {
      if (more === 0) throw broken("a window update of nothing");
      if (!this.#sending.widen(more)) throw new ConnectionFailure(FLOW_CONTROL_ERROR, "a window beyond its range");
      if (this.#sending.hasMore) this.#host.pump();
      this.#conduct.countShort();
      return;
    }
    if (id > this.#streams.lastId) throw broken("WINDOW_UPDATE for a stream that is not open");
    const stream = this.#streams.get(id);
    if (stream === undefined) return; // its answer may be read long after it was sent: not counted
    stream.sendWindow += more;
    if (more === 0) this.#streams.fault(stream, PROTOCOL_ERROR);
    else if (stream.sendWindow > MAX_WINDOW) this.#streams.fault(stream, FLOW_CONTROL_ERROR);
    else if (this.#sending.rejoin(stream)) {
      this.#host.pump();
      this.#conduct.countShort();
    }
  }
}

/** The body is no longer than was announced; at its `end`, as long. */
function keepsLength(stream: Stream, end: boolean): boolean {
  const announced = stream.contentLength as number;
  return end ? stream.received === announced : stream.received <= announced;
}
