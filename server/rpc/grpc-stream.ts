/**
 * gRPC's messages on one stream of our HTTP/2 engine: taken out of DATA wherever those are cut, one for each that is
 * asked for, and put into DATA behind five bytes that say their length. Knows of no service.
 */
import { type FieldToSend, SharedField } from "../http2/hpack.ts";
import type { BodySource, Stream, StreamOwner } from "../http2/stream.ts";
import { escapeMessage, type TurnedAway } from "./door.ts";
import { pack, unpack } from "./gzip.ts";
import type { MessageParts, Running, Wire } from "./running-call.ts";
import { GrpcCode, type Status } from "./status.ts";

/** Flag and length before each message. */
const PREFIX_BYTES = 5;
/** What a message's memory begins with; it grows as the message comes, whatever its length claims. */
const FIRST_BYTES = 4096;

const STATUS_OK = new SharedField(":status", "200");
const CONTENT_TYPE = new SharedField("content-type", "application/grpc");
const ENCODING_GZIP = new SharedField("grpc-encoding", "gzip");
const GRPC_STATUS: readonly SharedField[] = Object.values(GrpcCode).map(
  (code) => new SharedField("grpc-status", String(code)),
);
const ANSWER: readonly FieldToSend[] = [STATUS_OK, CONTENT_TYPE];
const PACKED_ANSWER: readonly FieldToSend[] = [STATUS_OK, CONTENT_TYPE, ENCODING_GZIP];
/** grpc-go sends it even when there is none. */
const NO_MESSAGE = new SharedField("grpc-message", "");
/** Trailers without a text, by code: one array each. */
const BARE_TRAILERS: readonly (readonly FieldToSend[])[] = GRPC_STATUS.map((field) => [field, NO_MESSAGE]);

/** The prefix of the message that is being sent. Sending is never interrupted, so one is enough. */
const prefix = new Uint8Array(PREFIX_BYTES);

const NO_BYTES = new Uint8Array(0);

/** Most calls never have one. Never written to. */
const NO_BACKLOG: Uint8Array[] = [];

/** The text that clients know as "later". */
const TOO_MUCH_IN_PART: Status = { grpc: GrpcCode.RESOURCE_EXHAUSTED, text: "etcdserver: too many requests" };

/** A message that is coming. */
interface Coming {
  readonly flag: number;
  readonly length: number;
  bytes: Uint8Array;
  at: number;
}

export interface GrpcStreamOptions {
  /** Bytes of one message at most, unpacked. */
  readonly maxReceiveBytes: number;
  /** Of the call's headers: "gzip", or nothing. */
  readonly encoding: string | undefined;
}

export class GrpcStream implements Wire, StreamOwner {
  readonly #stream: Stream;
  readonly #options: GrpcStreamOptions;
  #running: Running | undefined;
  #answered = false;
  #finished = false;

  #wanted = false;
  /** Body that has come and that nobody has asked for yet. */
  #backlog: Uint8Array[] = NO_BACKLOG;
  #ended = false;
  /** Bytes of a prefix that was cut. */
  #prefix: Uint8Array | undefined;
  #prefixAt = 0;
  #coming: Coming | undefined;
  #unpacking = false;

  constructor(stream: Stream, options: GrpcStreamOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  /** From now on what comes belongs to `running`. */
  carry(running: Running): void {
    this.#running = running;
  }

  // ---- Wire

  read(): void {
    this.#wanted = true;
    if (this.#backlog.length > 0 || this.#ended) this.#goOn();
  }

  send(bytes: Uint8Array): boolean {
    return this.#send(bytes, false);
  }

  /** As `send`; the memory of `bytes` is used again afterwards. */
  sendLent(bytes: Uint8Array): boolean {
    return this.#send(bytes, true);
  }

  sendParts(parts: MessageParts): boolean {
    if (this.#options.encoding === "gzip") {
      const bytes = Buffer.allocUnsafeSlow(parts.length);
      parts.copyTo(bytes, 0, bytes.length);
      return this.#send(bytes, false);
    }
    this.#answer(ANSWER);
    return this.#stream.sendFrom(new PrefixedParts(parts));
  }

  get unsentBytes(): number {
    return this.#stream.unsentBytes;
  }

  get unsentOfAllBytes(): number {
    return this.#stream.unsentOfAllBytes;
  }

  /** The head of the answer, once. */
  #answer(head: readonly FieldToSend[]): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#stream.respond(head, false);
  }

  #send(bytes: Uint8Array, lent: boolean): boolean {
    const packs = this.#options.encoding === "gzip";
    this.#answer(packs ? PACKED_ANSWER : ANSWER);
    const packed = packs ? pack(bytes) : undefined;
    if (packed !== undefined) return this.#stream.send(prefixOf(1, packed.length), packed, false);
    return this.#stream.send(prefixOf(0, bytes.length), bytes, lent);
  }

  finish({ grpc, text }: Status): void {
    if (this.#finished) return;
    this.#finished = true;
    const trailers = text === "" ? (BARE_TRAILERS[grpc] as readonly FieldToSend[]) : trailersOf(grpc, text);
    if (this.#answered) this.#stream.finish(trailers);
    else this.#stream.respond([...ANSWER, ...trailers], true);
    this.#letGo();
  }

  // ---- StreamOwner

  data(bytes: Uint8Array): void {
    if (this.#finished) {
      this.#stream.consumed(bytes.length);
      return;
    }
    // The plain case: one message, whole, and asked for.
    if (this.#wanted && !this.#unpacking && this.#coming === undefined && this.#prefixAt === 0) {
      const { length } = bytes;
      if (length >= PREFIX_BYTES && this.#backlog.length === 0 && bytes[0] === 0) {
        const messageLength = lengthIn(bytes, 0);
        if (messageLength === length - PREFIX_BYTES && messageLength <= this.#options.maxReceiveBytes) {
          this.#wanted = false;
          this.#stream.consumed(length);
          this.#running?.message(bytes, PREFIX_BYTES);
          return;
        }
      }
    }
    if (this.#backlog === NO_BACKLOG) this.#backlog = [bytes];
    else this.#backlog.push(bytes);
    this.#goOn();
    this.#keepLittle();
  }

  /** What nobody asks for yet may lie there long: a few bytes must not hold on to all that came with them. */
  #keepLittle(): void {
    const { length } = this.#backlog;
    const last = length === 0 ? undefined : (this.#backlog[length - 1] as Uint8Array);
    if (last !== undefined && last.length * 4 < last.buffer.byteLength) {
      this.#backlog[length - 1] = Uint8Array.from(last);
    }
  }

  end(): void {
    this.#ended = true;
    this.#goOn();
  }

  drained(): void {
    this.#running?.drained();
  }

  gone(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#letGo();
    this.#running?.peerGone();
  }

  // ---- messages

  #letGo(): void {
    for (const bytes of this.#backlog) this.#stream.consumed(bytes.length);
    this.#backlog = NO_BACKLOG;
    if (this.#coming !== undefined) this.#stream.partial(-this.#coming.bytes.length);
    this.#coming = undefined;
  }

  /** Takes as much out of the backlog as the message that is wanted needs. */
  #goOn(): void {
    while (this.#wanted && !this.#unpacking && !this.#finished) {
      const bytes = this.#backlog[0];
      if (bytes === undefined) {
        if (this.#ended) this.#ending();
        return;
      }
      const taken = this.#coming === undefined ? this.#takePrefix(bytes) : this.#takeMessage(this.#coming, bytes);
      if (this.#finished) return;
      if (taken === bytes.length) this.#backlog.shift();
      else this.#backlog[0] = bytes.subarray(taken);
      this.#stream.consumed(taken);
      if (this.#coming !== undefined && this.#coming.at === this.#coming.length) this.#complete(this.#coming);
    }
  }

  #ending(): void {
    this.#wanted = false;
    if (this.#coming !== undefined) this.#running?.cutShort();
    else this.#running?.halfClose(); // a piece of a prefix counts for nothing, as in grpc-go
  }

  #takePrefix(bytes: Uint8Array): number {
    let head = bytes;
    let taken = PREFIX_BYTES;
    if (this.#prefixAt > 0 || bytes.length < PREFIX_BYTES) {
      this.#prefix ??= new Uint8Array(PREFIX_BYTES);
      taken = Math.min(PREFIX_BYTES - this.#prefixAt, bytes.length);
      this.#prefix.set(bytes.subarray(0, taken), this.#prefixAt);
      this.#prefixAt += taken;
      if (this.#prefixAt < PREFIX_BYTES) return taken;
      head = this.#prefix;
      this.#prefixAt = 0;
    }
    const flag = head[0] as number;
    const length = lengthIn(head, 0);
    const { maxReceiveBytes } = this.#options;
    if (length > maxReceiveBytes) {
      const text = `grpc: received message larger than max (${length} vs. ${maxReceiveBytes})`;
      this.#running?.refuse({ grpc: GrpcCode.RESOURCE_EXHAUSTED, text });
      return taken;
    }
    const first = new Uint8Array(Math.min(length, Math.max(FIRST_BYTES, bytes.length)));
    this.#coming = { flag, length, bytes: first, at: 0 };
    if (!this.#stream.partial(first.length)) this.#running?.refuse(TOO_MUCH_IN_PART);
    return taken;
  }

  #takeMessage(coming: Coming, bytes: Uint8Array): number {
    const taken = Math.min(coming.length - coming.at, bytes.length);
    const needed = coming.at + taken;
    if (needed > coming.bytes.length) {
      const grown = new Uint8Array(Math.min(coming.length, Math.max(needed, coming.bytes.length * 2)));
      grown.set(coming.bytes.subarray(0, coming.at));
      const room = this.#stream.partial(grown.length - coming.bytes.length);
      coming.bytes = grown;
      if (!room) {
        this.#running?.refuse(TOO_MUCH_IN_PART);
        return taken;
      }
    }
    coming.bytes.set(taken === bytes.length ? bytes : bytes.subarray(0, taken), coming.at);
    coming.at += taken;
    return taken;
  }

  #complete({ flag, bytes }: Coming): void {
    this.#coming = undefined;
    this.#stream.partial(-bytes.length);
    if (flag === 0) this.#deliver(bytes);
    else if (flag > 1) this.#refuse(`grpc: received unexpected payload format ${flag}`);
    else if (this.#options.encoding === "gzip") this.#unpack(bytes);
    else this.#refuse("grpc: compressed flag set with identity or empty encoding");
  }

  #refuse(text: string): void {
    this.#running?.refuse({ grpc: GrpcCode.INTERNAL, text });
  }

  #deliver(bytes: Uint8Array): void {
    this.#wanted = false;
    this.#running?.message(bytes);
  }

  #unpack(bytes: Uint8Array): void {
    this.#unpacking = true;
    let atOnce = true;
    const done = (act: () => void) => {
      this.#unpacking = false;
      if (this.#finished) return;
      act();
      if (!atOnce) this.#goOn();
    };
    unpack(
      bytes,
      this.#options.maxReceiveBytes,
      (message) => done(() => this.#deliver(message)),
      (fault) => done(() => this.#running?.refuse(fault)),
    );
    atOnce = false;
  }
}

/** A message in parts behind its prefix. */
class PrefixedParts implements BodySource {
  readonly length: number;
  readonly #parts: MessageParts;
  #prefixAt = 0;

  constructor(parts: MessageParts) {
    this.#parts = parts;
    this.length = PREFIX_BYTES + parts.length;
  }

  copyTo(into: Uint8Array, from: number, count: number): void {
    const ofPrefix = Math.min(PREFIX_BYTES - this.#prefixAt, count);
    if (ofPrefix > 0) {
      into.set(prefixOf(0, this.#parts.length).subarray(this.#prefixAt, this.#prefixAt + ofPrefix), from);
      this.#prefixAt += ofPrefix;
    }
    if (count > ofPrefix) this.#parts.copyTo(into, from + ofPrefix, count - ofPrefix);
  }
}

function lengthIn(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at + 1] as number) * 0x100_0000 +
    (((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number))
  );
}

function prefixOf(flag: number, length: number): Uint8Array {
  prefix[0] = flag;
  prefix[1] = length >>> 24;
  prefix[2] = length >>> 16;
  prefix[3] = length >>> 8;
  prefix[4] = length;
  return prefix;
}

function trailersOf(grpc: number, text: string): FieldToSend[] {
  return [GRPC_STATUS[grpc] as FieldToSend, { name: "grpc-message", value: escapeMessage(text) }];
}

/** Answers a request that is no call. */
export function turnAway(stream: Stream, { status, headers, body }: TurnedAway): void {
  const fields: FieldToSend[] = [{ name: ":status", value: String(status) }];
  for (const [name, value] of headers) fields.push({ name, value });
  if (body !== "") fields.push({ name: "content-length", value: String(Buffer.byteLength(body)) });
  stream.respond(fields, body === "");
  if (body === "") return;
  stream.send(NO_BYTES, Buffer.from(body), false);
  stream.finish(undefined);
}
