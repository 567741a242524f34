/**
 * The stream `message`: every message behind its length, 8 bytes big-endian. It carries all that is not an append, so
 * that heartbeats never wait behind one; a heartbeat from and to nobody says that the link is alive.
 */
import { writeUint64 } from "../base/int64.ts";
import { Message, MessageType } from "../proto/raftpb.ts";
import { ByteQueue } from "./byte-queue.ts";

/** A longer message ends the stream that it came by; etcd's bound. */
export const MESSAGE_MAX_BYTES = 512 * 1024 * 1024;

/** A peer sent what the format does not allow; its connection is given up. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** Turns messages into the bytes of one stream, in order. */
export interface MessageEncoder {
  /** Pieces that together are the frame. */
  encode(message: Message): readonly Uint8Array[];
  /** The frame that says that the link is alive. */
  linkHeartbeat(): Uint8Array;
}

/** Turns the bytes of one stream into messages, in order. */
export interface MessageDecoder {
  push(bytes: Uint8Array): void;
  /** The next whole message; undefined: it has not come yet. Throws `FrameError`, after which the stream is worthless. */
  next(): Message | undefined;
  /** Bytes of a message that has not come to its end. */
  readonly pendingBytes: number;
}

/** Whether `message` only says that the link is alive. */
export function isLinkHeartbeat(message: Message): boolean {
  return message.type === MessageType.HEARTBEAT && message.from === 0n && message.to === 0n;
}

const LINK_HEARTBEAT = framed(Message.encode(Message.create({ type: MessageType.HEARTBEAT })));

/** `bytes` behind their length. */
export function framed(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(8 + bytes.length);
  writeUint64(frame, 0, bytes.length);
  frame.set(bytes, 8);
  return frame;
}

/** A length alone. */
export function lengthPrefix(length: number): Uint8Array {
  const prefix = new Uint8Array(8);
  writeUint64(prefix, 0, length);
  return prefix;
}

export class PlainEncoder implements MessageEncoder {
  encode(message: Message): readonly Uint8Array[] {
    const bytes = Message.encode(message);
    return [lengthPrefix(bytes.length), bytes];
  }

  linkHeartbeat(): Uint8Array {
    return LINK_HEARTBEAT;
  }
}

export class PlainDecoder implements MessageDecoder {
  readonly #queue = new ByteQueue();
  readonly #maxBytes: number;
  /** Of the message being received. */
  #length: number | undefined;

  constructor(maxBytes = MESSAGE_MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  get pendingBytes(): number {
    return this.#queue.length + (this.#length === undefined ? 0 : 8);
  }

  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  next(): Message | undefined {
    if (this.#length === undefined) {
      if (this.#queue.length < 8) return undefined;
      this.#length = boundedLength(this.#queue.uint64(), this.#maxBytes);
    }
    if (this.#queue.length < this.#length) return undefined;
    const bytes = this.#queue.take(this.#length);
    this.#length = undefined;
    return decoded(Message.decode, bytes, "a message");
  }

  /** What has come behind the last message. */
  rest(): Uint8Array[] {
    return this.#queue.takeAll();
  }
}

/** `length` if a peer may send that much. */
export function boundedLength(length: number, maxBytes: number): number {
  if (length <= maxBytes) return length;
  throw new FrameError(`a frame of ${length} bytes; at most ${maxBytes} are taken`);
}

/** What `decode` makes of `bytes`, or a `FrameError` that says what it should have been. */
export function decoded<T>(decode: (bytes: Uint8Array) => T, bytes: Uint8Array, what: string): T {
  try {
    return decode(bytes);
  } catch (error) {
    throw new FrameError(`${what} of ${bytes.length} bytes that cannot be read: ${textOf(error)}`);
  }
}

/** What an error says. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
