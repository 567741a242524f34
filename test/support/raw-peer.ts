/** The other end of one HTTP/2 connection, frame by frame and without a network: for what a client library would not do. */
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { Connection, type ConnectionOptions, type ConnectionOwner, Shared } from "../../server/http2/connection.ts";
import { Flag, FRAME_HEAD_BYTES, FrameType, PREFACE, writeFrameHead } from "../../server/http2/frame.ts";
import { type FieldToSend, HpackDecoder, HpackEncoder } from "../../server/http2/hpack.ts";
import type { RequestHead } from "../../server/http2/request-head.ts";
import type { Stream, StreamOwner } from "../../server/http2/stream.ts";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

/** As much of a socket as a connection uses. What is written to it is taken at once, or when the test says so. */
export class FakeSocket extends EventEmitter {
  destroyed = false;
  ended = false;
  /** True: writes wait for `take`. */
  slow = false;
  written: Buffer[] = [];
  writes = 0;
  /** Nothing more is taken out of the socket. */
  paused = false;
  #callbacks: (() => void)[] = [];

  write(bytes: Uint8Array, callback?: () => void): boolean {
    this.written.push(Buffer.from(bytes));
    this.writes++;
    if (callback === undefined) return true;
    if (this.slow) this.#callbacks.push(callback);
    else callback();
    return true;
  }

  /** Lets writes that wait return. */
  take(): void {
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) callback();
  }

  cork(): void {}
  uncork(): void {}

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    process.nextTick(() => this.emit("close"));
  }
}

export function frameOf(type: number, flags: number, id: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const bytes = Buffer.alloc(FRAME_HEAD_BYTES + payload.length);
  writeFrameHead(bytes, 0, payload.length, type, flags, id);
  bytes.set(payload, FRAME_HEAD_BYTES);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

export function settingsOf(pairs: readonly (readonly [name: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [index, [name, value]] of pairs.entries()) {
    payload.writeUInt16BE(name, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return frameOf(FrameType.SETTINGS, 0, 0, payload);
}

export const GREETING: Buffer = Buffer.concat([PREFACE, settingsOf([])]);

export const POST: readonly FieldToSend[] = [
  { name: ":method", value: "POST" },
  { name: ":scheme", value: "http" },
  { name: ":path", value: "/s/m" },
  { name: ":authority", value: "a" },
];

/** What the owner of a stream heard. */
export interface Heard {
  readonly stream: Stream;
  readonly head: RequestHead;
  body: Buffer;
  ended: boolean;
  gone: boolean;
  drained: number;
}

export interface PeerOptions extends Partial<ConnectionOptions> {
  /** Called for each request; it may answer at once. */
  readonly request?: (stream: Stream, head: RequestHead) => Partial<StreamOwner>;
  /** Answers of `pinged`. */
  readonly pinged?: () => boolean;
  readonly shared?: Shared;
}

export class RawPeer {
  readonly socket = new FakeSocket();
  readonly connection: Connection;
  readonly heard: Heard[] = [];
  readonly encoder = new HpackEncoder();
  nowMs = 0;
  closed = 0;
  /** The HPACK table of what the server sends. */
  readonly #decoder = new HpackDecoder((list) => list);
  #rest: Buffer = Buffer.alloc(0);

  constructor(options: PeerOptions = {}) {
    const owner: ConnectionOwner = {
      request: (stream, head) => this.#request(stream, head, options),
      pinged: options.pinged ?? (() => true),
      closed: () => {
        this.closed++;
      },
    };
    this.connection = new Connection(
      this.socket as unknown as Socket,
      owner,
      {
        maxConcurrentStreams: 0xffff_ffff,
        pingIntervalMs: Number.POSITIVE_INFINITY,
        pingTimeoutMs: Number.POSITIVE_INFINITY,
        monotonicMs: () => this.nowMs,
        ...options,
      },
      options.shared ?? new Shared(),
    );
    this.connection.start();
  }

  #request(stream: Stream, head: RequestHead, options: PeerOptions): StreamOwner {
    const heard: Heard = { stream, head, body: Buffer.alloc(0), ended: false, gone: false, drained: 0 };
    this.heard.push(heard);
    const own = options.request?.(stream, head) ?? {};
    return {
      data: (bytes) => {
        heard.body = Buffer.concat([heard.body, bytes]);
        if (own.data === undefined) stream.consumed(bytes.length);
        else own.data(bytes);
      },
      end: () => {
        heard.ended = true;
        own.end?.();
      },
      gone: () => {
        heard.gone = true;
        own.gone?.();
      },
      drained: () => {
        heard.drained++;
        own.drained?.();
      },
    };
  }

  /** Hands bytes over in one piece. */
  send(...parts: readonly Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.emit("data", Buffer.concat(parts));
  }

  greet(...settings: readonly (readonly [name: number, value: number])[]): Frame[] {
    this.send(PREFACE, settingsOf(settings), frameOf(FrameType.SETTINGS, Flag.ACK, 0));
    return this.frames();
  }

  /** A header block by this peer's own table. */
  block(fields: readonly FieldToSend[]): Buffer {
    const into = Buffer.alloc(64 + fields.reduce((sum, { name, value }) => sum + name.length + value.length + 12, 0));
    return into.subarray(0, this.encoder.encode(fields, into, 0));
  }

  headers(id: number, fields: readonly FieldToSend[] = POST, end = false): Buffer {
    return frameOf(FrameType.HEADERS, Flag.END_HEADERS | (end ? Flag.END_STREAM : 0), id, this.block(fields));
  }

  /** What the server has sent since this was last asked. */
  frames(): Frame[] {
    const bytes = Buffer.concat([this.#rest, ...this.socket.written]);
    this.socket.written = [];
    const frames: Frame[] = [];
    let at = 0;
    while (bytes.length - at >= FRAME_HEAD_BYTES) {
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at < FRAME_HEAD_BYTES + length) break;
      const from = at + FRAME_HEAD_BYTES;
      frames.push({
        type: bytes[at + 3] as number,
        flags: bytes[at + 4] as number,
        id: bytes.readUInt32BE(at + 5),
        payload: bytes.subarray(from, from + length),
      });
      at = from + length;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
    return frames;
  }

  /** "name: value" of a header block that the server has sent. Each must be read, in order. */
  fields(frame: Frame): string[] {
    const { fields } = this.#decoder.decode(frame.payload, 0, frame.payload.length);
    return fields.map(({ name, value }) => `${name}: ${value}`);
  }

  /** The code of the GOAWAY among `frames`; undefined: there is none. */
  static goAway(frames: readonly Frame[]): number | undefined {
    return frames.find(({ type }) => type === FrameType.GOAWAY)?.payload.readUInt32BE(4);
  }

  /** The code of the RST_STREAM of a stream. */
  static reset(frames: readonly Frame[], id: number): number | undefined {
    return frames.find((frame) => frame.type === FrameType.RST_STREAM && frame.id === id)?.payload.readUInt32BE(0);
  }
}

/** Until everything that was set going has happened. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
