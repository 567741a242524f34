/**
 * The stream `msgappv2`: appends, the bulk of all traffic, without what the receiver can work out. Big-endian:
 *
 *     0                                                 the link is alive
 *     1  count  (length entry) * count  commit          entries that follow on what this stream carried last
 *     2  length message                                 any other append; sets what the next ones follow on
 *
 * Counts, lengths and the commit index take 8 bytes. Frame 1 is possible while index and log term are those that the
 * stream has come to, and the term is the log term: after the first append of a term it is the only one in use.
 */
import { writeUint64 } from "../base/int64.ts";
import { Entry, entrySize, Message, MessageType } from "../proto/raftpb.ts";
import { Writer } from "../proto/wire.ts";
import { ByteQueue } from "./byte-queue.ts";
import {
  boundedLength,
  decoded,
  FrameError,
  lengthPrefix,
  MESSAGE_MAX_BYTES,
  type MessageDecoder,
  type MessageEncoder,
} from "./message-codec.ts";

const LINK_HEARTBEAT = 0;
const ENTRIES = 1;
const APPEND = 2;

const HEARTBEAT_FRAME = Uint8Array.of(LINK_HEARTBEAT);
const APPEND_FRAME = Uint8Array.of(APPEND);

/**
 * Entries encoded last, for all streams of a member: a leader sends the same ones to every follower. Two runs of one log
 * with the same first and last entry are the same run, as entries are shared and never change.
 */
export class SharedEntries {
  readonly #writer = new Writer();
  readonly #number = new Uint8Array(8);
  /** The frame without entries, which only tells the commit index. */
  readonly #none: Uint8Array = this.#encode([]);
  #entries: readonly Entry[] = [];
  #bytes: Uint8Array = this.#none;
  /** How often entries were encoded; for tests. */
  encodings = 0;

  /** A frame 1 without its commit index. */
  frame(entries: readonly Entry[]): Uint8Array {
    if (entries.length === 0) return this.#none;
    const last = this.#entries;
    const isSame =
      entries.length === last.length && entries[0] === last[0] && entries[entries.length - 1] === last[last.length - 1];
    if (isSame) return this.#bytes;
    this.encodings++;
    this.#entries = entries;
    this.#bytes = this.#encode(entries);
    return this.#bytes;
  }

  #encode(entries: readonly Entry[]): Uint8Array {
    const writer = this.#writer;
    writer.reset();
    let room = 9;
    for (const entry of entries) room += 8 + entrySize(entry);
    writer.ensure(room);
    writer.byte(ENTRIES);
    this.#uint64(entries.length);
    for (const entry of entries) {
      this.#uint64(entrySize(entry));
      Entry.encodeTo(writer, entry);
    }
    return writer.finish();
  }

  #uint64(value: number): void {
    writeUint64(this.#number, 0, value);
    this.#writer.raw(this.#number);
  }
}

export class MsgAppEncoder implements MessageEncoder {
  readonly #shared: SharedEntries;
  #term = 0;
  #index = 0;

  constructor(shared: SharedEntries) {
    this.#shared = shared;
  }

  encode(message: Message): readonly Uint8Array[] {
    const { index, logTerm, term, entries, commit } = message;
    if (index === this.#index && logTerm === this.#term && logTerm === term) {
      this.#index += entries.length;
      return [this.#shared.frame(entries), lengthPrefix(commit)];
    }
    this.#term = term;
    this.#index = entries.at(-1)?.index ?? index;
    const bytes = Message.encode(message);
    return [APPEND_FRAME, lengthPrefix(bytes.length), bytes];
  }

  linkHeartbeat(): Uint8Array {
    return HEARTBEAT_FRAME;
  }
}

const LINK_IS_ALIVE = Message.create({ type: MessageType.HEARTBEAT });

/** What the frame being received waits for. */
type Stage = "type" | "count" | "entries" | "commit" | "length" | "message";

export class MsgAppDecoder implements MessageDecoder {
  readonly #local: bigint;
  readonly #remote: bigint;
  readonly #maxBytes: number;
  readonly #queue = new ByteQueue();
  #stage: Stage = "type";
  /** Of a frame of entries: those that have come, how many there will be, and what all take so far. */
  #entries: Entry[] = [];
  #count = 0;
  #bytes = 0;
  /** Of the entry or message being received; -1: its length has not come. */
  #length = -1;
  /** What the stream has come to. */
  #term = 0;
  #index = 0;

  /** `remote` sends to `local`: frames of entries name neither. */
  constructor({ local, remote }: { readonly local: bigint; readonly remote: bigint }, maxBytes = MESSAGE_MAX_BYTES) {
    this.#local = local;
    this.#remote = remote;
    this.#maxBytes = maxBytes;
  }

  get pendingBytes(): number {
    return this.#queue.length + (this.#stage === "type" ? 0 : 1);
  }

  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  next(): Message | undefined {
    const queue = this.#queue;
    for (;;) {
      switch (this.#stage) {
        case "type":
          if (queue.length < 1) return undefined;
          if (this.#begin(queue.byte())) return LINK_IS_ALIVE;
          break;
        case "count":
          if (queue.length < 8) return undefined;
          this.#beginEntries(queue.uint64());
          break;
        case "entries":
          if (!this.#takeEntries()) return undefined;
          this.#stage = "commit";
          break;
        case "commit":
          if (queue.length < 8) return undefined;
          return this.#endEntries(queue.uint64());
        case "length":
          if (queue.length < 8) return undefined;
          this.#length = boundedLength(queue.uint64(), this.#maxBytes);
          this.#stage = "message";
          break;
        case "message":
          if (queue.length < this.#length) return undefined;
          return this.#takeMessage();
      }
    }
  }

  /** Whether that was all of the frame. */
  #begin(type: number): boolean {
    switch (type) {
      case LINK_HEARTBEAT:
        return true;
      case ENTRIES:
        this.#stage = "count";
        return false;
      case APPEND:
        this.#stage = "length";
        return false;
      default:
        throw new FrameError(`a frame of type ${type}; 0, 1 and 2 are known`);
    }
  }

  #beginEntries(count: number): void {
    boundedLength(count * 8, this.#maxBytes); // each has a length at least
    this.#entries = [];
    this.#count = count;
    this.#bytes = 0;
    this.#length = -1;
    this.#stage = "entries";
  }

  /** Whether all entries have come. */
  #takeEntries(): boolean {
    const queue = this.#queue;
    const entries = this.#entries;
    while (entries.length < this.#count) {
      if (this.#length < 0) {
        if (queue.length < 8) return false;
        const length = queue.uint64();
        this.#bytes = boundedLength(this.#bytes + 8 + length, this.#maxBytes);
        this.#length = length;
      }
      if (queue.length < this.#length) return false;
      const entry = decoded(Entry.decode, queue.take(this.#length), "an entry");
      const expected = this.#index + entries.length + 1;
      if (entry.index !== expected)
        throw new FrameError(`entry ${entry.index} where the stream has come to ${expected}`);
      entries.push(entry);
      this.#length = -1;
    }
    return true;
  }

  #endEntries(commit: number): Message {
    const entries = this.#entries;
    const index = this.#index;
    this.#index += entries.length;
    this.#stage = "type";
    const term = this.#term;
    const ends = { from: this.#remote, to: this.#local };
    return Message.create({ type: MessageType.APP, ...ends, term, logTerm: term, index, entries, commit });
  }

  #takeMessage(): Message {
    const message = decoded(Message.decode, this.#queue.take(this.#length), "an append");
    this.#term = message.term;
    this.#index = message.entries.at(-1)?.index ?? message.index;
    this.#stage = "type";
    return message;
  }
}
