/**
 * Frames out of the bytes of a connection, wherever those are cut. A frame that lies whole in what the socket gave is
 * handed on in place; one that is cut is put together first, in memory of its own, for its payload may be kept.
 */
import { ConnectionFailure, Http2Code } from "./errors.ts";
import { MAX_FRAME_BYTES } from "./limits.ts";

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Flags; ACK and END_STREAM are one bit, in different frames. */
export const Flag = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 0x20 } as const;

export const FRAME_HEAD_BYTES = 9;

/** What every client sends first. */
export const PREFACE: Uint8Array = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Hears of each frame. The payload is `bytes` from `from` to `to`; it may be kept, but not changed. */
export interface FrameSink {
  frame(type: number, flags: number, streamId: number, bytes: Buffer, from: number, to: number): void;
  /** True: nothing more is to be handed on. */
  readonly deaf: boolean;
  /** Asked before each frame; true: no more for now, see `FrameReader.readOn`. */
  pauses(): boolean;
}

export class FrameReader {
  readonly #sink: FrameSink;
  /** Bytes of the preface that have come. */
  #prefaceAt = 0;
  /** A frame that was cut: its bytes so far. While its head is incomplete `#cut` is `#head`. */
  #cut: Buffer | undefined;
  #cutAt = 0;
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES);
  /** What came and has not been looked at, since the sink asked for a pause. */
  #unread: Buffer | undefined;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  get hasPreface(): boolean {
    return this.#prefaceAt === PREFACE.length;
  }

  /** Takes what the socket gave; throws ConnectionFailure. True: all of it has been dealt with, else `readOn` is due. */
  read(bytes: Buffer): boolean {
    const at = this.#prefaceAt < PREFACE.length ? this.#preface(bytes) : 0;
    return this.#frames(bytes, this.#cut === undefined ? at : this.#goOn(bytes, at));
  }

  /** Goes on with what was left unread; the same answer. Until it is true `read` must not be called. */
  readOn(): boolean {
    const bytes = this.#unread;
    this.#unread = undefined;
    return bytes === undefined || this.#frames(bytes, 0);
  }

  #frames(bytes: Buffer, begin: number): boolean {
    const sink = this.#sink;
    let at = begin;
    while (bytes.length - at >= FRAME_HEAD_BYTES && !sink.deaf) {
      if (sink.pauses()) {
        this.#unread = bytes.subarray(at);
        return false;
      }
      const length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
      const type = bytes[at + 3] as number;
      if (length > MAX_FRAME_BYTES) throw tooLong(type, length);
      const from = at + FRAME_HEAD_BYTES;
      const to = from + length;
      if (to > bytes.length) break;
      const streamId =
        (((bytes[at + 5] as number) & 0x7f) << 24) |
        ((bytes[at + 6] as number) << 16) |
        ((bytes[at + 7] as number) << 8) |
        (bytes[at + 8] as number);
      at = to;
      sink.frame(type, bytes[from - 5] as number, streamId, bytes, from, to);
    }
    if (at < bytes.length && !sink.deaf) this.#keep(bytes, at);
    return true;
  }

  #preface(bytes: Buffer): number {
    const length = Math.min(bytes.length, PREFACE.length - this.#prefaceAt);
    for (let at = 0; at < length; at++) {
      if (bytes[at] !== PREFACE[this.#prefaceAt + at]) {
        throw new ConnectionFailure(Http2Code.PROTOCOL_ERROR, "not a preface of HTTP/2");
      }
    }
    this.#prefaceAt += length;
    return length;
  }

  /** Keeps the beginning of a frame. */
  #keep(bytes: Buffer, at: number): void {
    const left = bytes.length - at;
    if (left < FRAME_HEAD_BYTES) this.#cut = this.#head;
    else {
      const length = bytes.readUIntBE(at, 3);
      if (length > MAX_FRAME_BYTES) throw tooLong(bytes[at + 3] as number, length);
      this.#cut = Buffer.allocUnsafe(FRAME_HEAD_BYTES + length);
    }
    this.#cutAt = bytes.copy(this.#cut, 0, at);
  }

  /** Goes on with the frame that was cut; answers where the next one begins. */
  #goOn(bytes: Buffer, from: number): number {
    let at = from;
    let cut = this.#cut as Buffer;
    if (cut === this.#head) {
      const taken = bytes.copy(cut, this.#cutAt, at, at + FRAME_HEAD_BYTES - this.#cutAt);
      this.#cutAt += taken;
      at += taken;
      if (this.#cutAt < FRAME_HEAD_BYTES) return at;
      const length = cut.readUIntBE(0, 3);
      if (length > MAX_FRAME_BYTES) throw tooLong(cut[3] as number, length);
      cut = Buffer.allocUnsafe(FRAME_HEAD_BYTES + length);
      this.#head.copy(cut);
      this.#cut = cut;
    }
    const taken = bytes.copy(cut, this.#cutAt, at, at + cut.length - this.#cutAt);
    this.#cutAt += taken;
    at += taken;
    if (this.#cutAt < cut.length) return at;
    this.#cut = undefined;
    const streamId = cut.readUInt32BE(5) & 0x7fff_ffff;
    this.#sink.frame(cut[3] as number, cut[4] as number, streamId, cut, FRAME_HEAD_BYTES, cut.length);
    return at;
  }
}

function tooLong(type: number, length: number): ConnectionFailure {
  return new ConnectionFailure(Http2Code.FRAME_SIZE_ERROR, `frame of type ${type} and ${length} bytes`);
}

/** Writes a frame's head at `at`. */
export function writeFrameHead(
  bytes: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes[at + 5] = streamId >>> 24;
  bytes[at + 6] = streamId >>> 16;
  bytes[at + 7] = streamId >>> 8;
  bytes[at + 8] = streamId;
}
