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

/** How far the frame being received has come. */
type Stage =
  | { readonly at: "type" }
  | { readonly at: "entryCount" }
  | { readonly at: "entryLength"; readonly entries: Entry[]; readonly count: number; readonly bytes: number }
  | {
      readonly at: "entry";
      readonly entries: Entry[];
      readonly count: number;
      readonly bytes: number;
      readonly length: number;
    }
  | { readonly at: "commit"; readonly entries: Entry[] }
  | { readonly at: "messageLength" }
  | { readonly at: "message"; readonly length: number };

const AT_TYPE: Stage = { at: "type" };
const LINK_IS_ALIVE = Message.create({ type: MessageType.HEARTBEAT });

export class MsgAppDecoder implements MessageDecoder {
  readonly #local: bigint;
  readonly #remote: bigint;
  readonly #maxBytes: number;
  readonly #queue = new ByteQueue();
  #stage: Stage = AT_TYPE;
  #term = 0;
  #index = 0;

  /** `remote` sends to `local`: frames of entries name neither. */
  constructor({ local, remote }: { readonly local: bigint; readonly remote: bigint }, maxBytes = MESSAGE_MAX_BYTES) {
    this.#local = local;
    this.#remote = remote;
    this.#maxBytes = maxBytes;
  }

  get pendingBytes(): number {
    return this.#queue.length + (this.#stage === AT_TYPE ? 0 : 1);
  }

  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  next(): Message | undefined {
    for (;;) {
      if (this.#queue.length < this.#wanted()) return undefined;
      const message = this.#advance();
      if (message !== undefined) return message;
    }
  }

  /** Bytes without which the frame does not get further. */
  #wanted(): number {
    switch (this.#stage.at) {
      case "type":
        return 1;
      case "entry":
      case "message":
        return this.#stage.length;
      default:
        return 8;
    }
  }

  /** One step; what is wanted is there. Answers a message when one is complete. */
  #advance(): Message | undefined {
    const stage = this.#stage;
    switch (stage.at) {
      case "type":
        return this.#begin(this.#queue.byte());
      case "entryCount":
        return this.#beginEntries(this.#queue.uint64());
      case "entryLength": {
        const length = this.#queue.uint64();
        const bytes = boundedLength(stage.bytes + 8 + length, this.#maxBytes);
        this.#stage = { ...stage, at: "entry", length, bytes };
        return undefined;
      }
      case "entry":
        return this.#takeEntry(stage.entries, stage.count, stage.bytes, stage.length);
      case "commit":
        return this.#endEntries(stage.entries, this.#queue.uint64());
      case "messageLength":
        this.#stage = { at: "message", length: boundedLength(this.#queue.uint64(), this.#maxBytes) };
        return undefined;
      case "message":
        return this.#takeMessage(stage.length);
    }
  }

  #begin(type: number): Message | undefined {
    switch (type) {
      case LINK_HEARTBEAT:
        return LINK_IS_ALIVE;
      case ENTRIES:
        this.#stage = { at: "entryCount" };
        return undefined;
      case APPEND:
        this.#stage = { at: "messageLength" };
        return undefined;
      default:
        throw new FrameError(`a frame of type ${type}; 0, 1 and 2 are known`);
    }
  }

  #beginEntries(count: number): undefined {
    boundedLength(count * 8, this.#maxBytes); // each has a length at least
    this.#stage = count === 0 ? { at: "commit", entries: [] } : { at: "entryLength", entries: [], count, bytes: 0 };
  }

  #takeEntry(entries: Entry[], count: number, bytes: number, length: number): undefined {
    const entry = decoded(Entry.decode, this.#queue.take(length), "an entry");
    const expected = this.#index + entries.length + 1;
    if (entry.index !== expected) throw new FrameError(`entry ${entry.index} where the stream has come to ${expected}`);
    entries.push(entry);
    this.#stage = entries.length === count ? { at: "commit", entries } : { at: "entryLength", entries, count, bytes };
  }

  #endEntries(entries: Entry[], commit: number): Message {
    const index = this.#index;
    this.#index += entries.length;
    this.#stage = AT_TYPE;
    return Message.create({
      type: MessageType.APP,
      from: this.#remote,
      to: this.#local,
      term: this.#term,
      logTerm: this.#term,
      index,
      entries,
      commit,
    });
  }

  #takeMessage(length: number): Message {
    const message = decoded(Message.decode, this.#queue.take(length), "an append");
    this.#term = message.term;
    this.#index = message.entries.at(-1)?.index ?? message.index;
    this.#stage = AT_TYPE;
    return message;
  }
}
