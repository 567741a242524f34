/**
 * A client's end of one HTTP/2 connection, as cheap as it can be: whole frames go into one output buffer, which leaves
 * with one write a turn; answers are told from frames. It knows as much of HTTP/2 as a load needs, and ends the run
 * (`failed`) at everything else, so that no answer that is missing or wrong is ever counted.
 */
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import {
  Flag,
  FRAME_HEAD_BYTES,
  FrameReader,
  FrameType,
  PREFACE,
  writeFrameHead,
} from "../../../server/http2/frame.ts";
import { type HeaderList, HpackDecoder, HpackEncoder, SharedField } from "../../../server/http2/hpack.ts";

/** What a header block of the server said, as far as a load wants to know. */
export interface Answer {
  readonly httpStatus: string;
  /** grpc-status; undefined: not in this block. */
  readonly status: number | undefined;
  readonly text: string;
}

/** Whoever uses a connection. */
export interface ConnectionUser {
  /** Bytes of a stream's messages, their five of gRPC too; cut anywhere. Valid during the call. */
  data(stream: number, bytes: Buffer, from: number, to: number): void;
  /** The stream is over, with status OK. */
  done(stream: number): void;
  /** The window has grown: what waited may go. */
  room(): void;
}

export interface Target {
  /** "http://127.0.0.1:2379" or https. */
  readonly url: string;
  /** PEM of whom to trust, for https. */
  readonly ca?: string | undefined;
}

/** The header block of requests to one path. Equal from the second time on, until another path is new to the table. */
export interface Head {
  readonly fields: readonly SharedField[];
  block: Uint8Array;
  version: number;
}

/** Windows that no load of seconds uses up on a stream; the connection's is refilled. */
const WINDOW_BYTES = 2 ** 30 - 1;
const REFILL_BYTES = 2 ** 28;
const PROTOCOL_WINDOW_BYTES = 65_535;
const MAX_PAYLOAD_BYTES = 16_384;
const OUTPUT_BYTES = 256 * 1024;
const SPARES_MAX = 8;
const CONNECT_MS = 10_000;
const Setting = { HEADER_TABLE_SIZE: 1, ENABLE_PUSH: 2, INITIAL_WINDOW_SIZE: 4 } as const;

export class RawConnection {
  /** Rejects when the connection is of no use any more. Never resolves. */
  readonly failed: Promise<never>;
  readonly #socket: Socket;
  readonly #user: ConnectionUser;
  readonly #reader: FrameReader;
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder<Answer>(answerOf);
  readonly #authority: string;
  readonly #scheme: string;
  readonly #spares: Buffer[] = [];
  readonly #ready: () => void;
  readonly #fail: (error: Error) => void;
  #out: Buffer = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  #at = 0;
  #reading = false;
  #closing = false;
  #tableVersion = 0;
  #nextStream = 1;
  #window = PROTOCOL_WINDOW_BYTES;
  #streamWindow = PROTOCOL_WINDOW_BYTES;
  /** What may be sent on streams that stay open. */
  readonly #openWindows = new Map<number, number>();
  #received = 0;

  /** Resolves when the server's settings have come. */
  static async open(target: Target, user: ConnectionUser): Promise<RawConnection> {
    let ready = () => {};
    const promise = new Promise<void>((resolve) => {
      ready = resolve;
    });
    const connection = new RawConnection(target, user, ready);
    const late = setTimeout(
      () => connection.#end(new Error(`no HTTP/2 settings from ${target.url} in 10 s`)),
      CONNECT_MS,
    );
    await Promise.race([promise, connection.failed]).finally(() => clearTimeout(late));
    return connection;
  }

  private constructor({ url, ca }: Target, user: ConnectionUser, ready: () => void) {
    const { hostname: host, port, protocol } = new URL(url);
    this.#scheme = protocol.slice(0, -1);
    this.#authority = `${host}:${port}`;
    this.#user = user;
    this.#ready = ready;
    let fail: (error: Error) => void = () => {};
    this.failed = new Promise<never>((_, reject) => {
      fail = reject;
    });
    this.failed.catch(() => {}); // whoever waits hears of it; when nobody does, nothing is lost
    this.#fail = fail;
    this.#reader = new FrameReader({
      frame: (type, flags, stream, bytes, from, to) => this.#frame(type, flags, stream, bytes, from, to),
      deaf: false,
      pauses: () => false,
    });
    this.#reader.read(PREFACE as Buffer); // servers send none, but the reader is one of a server
    const at = { host, port: Number(port) };
    this.#socket =
      this.#scheme === "https" ? connectTls({ ...at, ca, ALPNProtocols: ["h2"] }) : connectPlain({ ...at });
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (bytes: Buffer) => this.#read(bytes));
    this.#socket.on("error", (error) => this.#end(new Error(`the connection to ${url} broke: ${error.message}`)));
    this.#socket.on("close", () => this.#end(new Error(`the server closed the connection to ${url}`)));
    this.#greet();
  }

  #greet(): void {
    this.#append(PREFACE);
    const settings = Buffer.alloc(12);
    settings.writeUInt16BE(Setting.ENABLE_PUSH, 0);
    settings.writeUInt16BE(Setting.INITIAL_WINDOW_SIZE, 6);
    settings.writeUInt32BE(WINDOW_BYTES, 8);
    this.#control(FrameType.SETTINGS, 0, settings);
    this.#control(FrameType.WINDOW_UPDATE, 0, uint32(WINDOW_BYTES - PROTOCOL_WINDOW_BYTES));
    this.flush();
  }

  head(path: string): Head {
    const fields = [
      [":method", "POST"],
      [":scheme", this.#scheme],
      [":path", path],
      [":authority", this.#authority],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
    ].map(([name, value]) => new SharedField(name as string, value as string));
    return { fields, block: new Uint8Array(0), version: -1 };
  }

  /** Whether a request of so many bytes may be sent now. */
  fits(bytes: number): boolean {
    return bytes <= this.#window && bytes <= this.#streamWindow;
  }

  /** A request with one message, its five bytes of gRPC too; it `fits`. Answers the stream. Leaves at the turn's end. */
  request(head: Head, message: Uint8Array): number {
    const stream = this.#open(head);
    this.#window -= message.length;
    this.#data(stream, message, true);
    return stream;
  }

  /** Opens a stream that goes on. */
  stream(head: Head): number {
    const stream = this.#open(head);
    this.#openWindows.set(stream, this.#streamWindow);
    return stream;
  }

  /** A message on such a stream; false: the window has no room for it. */
  send(stream: number, message: Uint8Array): boolean {
    const room = this.#openWindows.get(stream) ?? 0;
    if (message.length > room || message.length > this.#window) return false;
    this.#openWindows.set(stream, room - message.length);
    this.#window -= message.length;
    this.#data(stream, message, false);
    return true;
  }

  /** What was appended leaves. Called by itself after what came in has been read. */
  flush(): void {
    if (this.#at === 0 || this.#reading) return;
    const out = this.#out;
    this.#socket.write(out.subarray(0, this.#at), () => {
      if (out.length === OUTPUT_BYTES && this.#spares.length < SPARES_MAX) this.#spares.push(out);
    });
    this.#out = this.#spares.pop() ?? Buffer.allocUnsafeSlow(OUTPUT_BYTES);
    this.#at = 0;
  }

  close(): void {
    this.#closing = true;
    this.#socket.destroy();
  }

  #open(head: Head): number {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    const block = this.#blockOf(head);
    this.#frameHead(block.length, FrameType.HEADERS, Flag.END_HEADERS, stream);
    this.#append(block);
    return stream;
  }

  /** A block that adds to the table changes what all others must say. */
  #blockOf(head: Head): Uint8Array {
    if (head.version === this.#tableVersion) return head.block;
    const now = this.#encode(head);
    const later = this.#encode(head);
    if (now.length !== later.length) this.#tableVersion++;
    head.block = later;
    head.version = this.#tableVersion;
    return now;
  }

  #encode({ fields }: Head): Uint8Array {
    const into = new Uint8Array(1024);
    return into.slice(0, this.#encoder.encode(fields, into, 0));
  }

  #data(stream: number, message: Uint8Array, end: boolean): void {
    let at = 0;
    while (message.length - at > MAX_PAYLOAD_BYTES) {
      this.#frameHead(MAX_PAYLOAD_BYTES, FrameType.DATA, 0, stream);
      this.#append(message.subarray(at, at + MAX_PAYLOAD_BYTES));
      at += MAX_PAYLOAD_BYTES;
    }
    this.#frameHead(message.length - at, FrameType.DATA, end ? Flag.END_STREAM : 0, stream);
    this.#append(at === 0 ? message : message.subarray(at));
  }

  #control(type: number, flags: number, payload: Uint8Array, stream = 0): void {
    this.#frameHead(payload.length, type, flags, stream);
    this.#append(payload);
  }

  #frameHead(length: number, type: number, flags: number, stream: number): void {
    this.#reserve(FRAME_HEAD_BYTES + length);
    writeFrameHead(this.#out, this.#at, length, type, flags, stream);
    this.#at += FRAME_HEAD_BYTES;
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#out.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Output beyond one buffer is bounded by what its user has in flight. */
  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#out.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#out.length * 2, this.#at + bytes));
    this.#out.copy(larger, 0, 0, this.#at);
    this.#out = larger;
  }

  #read(bytes: Buffer): void {
    if (this.#closing) return;
    this.#reading = true;
    try {
      this.#reader.read(bytes);
    } catch (error) {
      this.#end(error as Error);
    }
    this.#reading = false;
    this.flush();
  }

  #frame(type: number, flags: number, stream: number, bytes: Buffer, from: number, to: number): void {
    switch (type) {
      case FrameType.DATA:
        this.#dataFrame(flags, stream, bytes, from, to);
        break;
      case FrameType.HEADERS:
        this.#headersFrame(flags, stream, bytes, from, to);
        break;
      case FrameType.SETTINGS:
        this.#settingsFrame(flags, bytes, from, to);
        break;
      case FrameType.WINDOW_UPDATE:
        this.#windowFrame(stream, bytes.readUInt32BE(from));
        break;
      case FrameType.PING:
        if ((flags & Flag.ACK) === 0) this.#control(FrameType.PING, Flag.ACK, bytes.subarray(from, to));
        break;
      case FrameType.RST_STREAM:
        throw new Error(`the server reset stream ${stream} with code ${bytes.readUInt32BE(from)}`);
      case FrameType.GOAWAY:
        throw new Error(`the server says goodbye with code ${bytes.readUInt32BE(from + 4)}`);
      case FrameType.PRIORITY:
        break;
      default:
        throw new Error(`a frame of type ${type}, which no server is expected to send`);
    }
  }

  #dataFrame(flags: number, stream: number, bytes: Buffer, from: number, to: number): void {
    if ((flags & (Flag.END_STREAM | Flag.PADDED)) !== 0) throw new Error(`stream ${stream} ended without a status`);
    this.#received += to - from;
    if (this.#received >= REFILL_BYTES) {
      this.#control(FrameType.WINDOW_UPDATE, 0, uint32(this.#received));
      this.#received = 0;
    }
    this.#user.data(stream, bytes, from, to);
  }

  #headersFrame(flags: number, stream: number, bytes: Buffer, from: number, to: number): void {
    if ((flags & Flag.END_HEADERS) === 0 || (flags & (Flag.PADDED | Flag.PRIORITY)) !== 0)
      throw new Error(`stream ${stream} got a header block in a shape that no server is expected to send`);
    const answer = this.#decoder.decode(bytes, from, to);
    const isLast = (flags & Flag.END_STREAM) !== 0;
    if (!isLast && answer.httpStatus === "200") return;
    if (!isLast || answer.status !== 0)
      throw new Error(`a request failed: grpc-status ${answer.status}, HTTP ${answer.httpStatus}, "${answer.text}"`);
    this.#openWindows.delete(stream);
    this.#user.done(stream);
  }

  #settingsFrame(flags: number, bytes: Buffer, from: number, to: number): void {
    if ((flags & Flag.ACK) !== 0) return;
    for (let at = from; at < to; at += 6) {
      const value = bytes.readUInt32BE(at + 2);
      const name = bytes.readUInt16BE(at);
      if (name === Setting.HEADER_TABLE_SIZE) this.#encoder.setPeerCapacity(value);
      if (name === Setting.INITIAL_WINDOW_SIZE) this.#setStreamWindow(value);
    }
    this.#control(FrameType.SETTINGS, Flag.ACK, new Uint8Array(0));
    this.#tableVersion++;
    this.#ready();
    this.#user.room();
  }

  #setStreamWindow(bytes: number): void {
    for (const [stream, room] of this.#openWindows) this.#openWindows.set(stream, room + bytes - this.#streamWindow);
    this.#streamWindow = bytes;
  }

  #windowFrame(stream: number, bytes: number): void {
    if (stream === 0) this.#window += bytes;
    else if (this.#openWindows.has(stream))
      this.#openWindows.set(stream, (this.#openWindows.get(stream) as number) + bytes);
    else return;
    this.#user.room();
  }

  #end(error: Error): void {
    if (this.#closing) return;
    this.close();
    this.#fail(error);
  }
}

function answerOf({ fields }: HeaderList): Answer {
  const find = (name: string) => fields.find((field) => field.name === name)?.value;
  const status = find("grpc-status");
  return {
    httpStatus: find(":status") ?? "",
    status: status === undefined ? undefined : Number(status),
    text: decodeURIComponent(find("grpc-message") ?? ""),
  };
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
