/**
 * raftpb: what raft writes to the log and sends to its peers. These are proto2, and like etcd up to 3.6 we write every
 * number and flag even when it is zero; etcd 3.7 leaves out what it did not set, and reads both.
 */
import { EMPTY_BYTES } from "../base/bytes.ts";
import {
  always,
  bool,
  bytes,
  codec,
  enumeration,
  type MessageCodec,
  message,
  readSubmessage,
  submessages,
  type TypeOf,
  uint64Id,
  uint64Ids,
  writeSubmessage,
} from "./codec.ts";
import { type Reader, varintSize, type Writer } from "./wire.ts";

export const EntryType = { NORMAL: 0, CONF_CHANGE: 1, CONF_CHANGE_V2: 2 } as const;

export const MessageType = {
  HUP: 0,
  BEAT: 1,
  PROP: 2,
  APP: 3,
  APP_RESP: 4,
  VOTE: 5,
  VOTE_RESP: 6,
  SNAP: 7,
  HEARTBEAT: 8,
  HEARTBEAT_RESP: 9,
  UNREACHABLE: 10,
  SNAP_STATUS: 11,
  CHECK_QUORUM: 12,
  TRANSFER_LEADER: 13,
  TIMEOUT_NOW: 14,
  READ_INDEX: 15,
  READ_INDEX_RESP: 16,
  PRE_VOTE: 17,
  PRE_VOTE_RESP: 18,
  STORAGE_APPEND: 19,
  STORAGE_APPEND_RESP: 20,
  STORAGE_APPLY: 21,
  STORAGE_APPLY_RESP: 22,
  FORGET_LEADER: 23,
} as const;

export const ConfChangeType = { ADD_NODE: 0, REMOVE_NODE: 1, UPDATE_NODE: 2, ADD_LEARNER_NODE: 3 } as const;
export const ConfChangeTransition = { AUTO: 0, JOINT_IMPLICIT: 1, JOINT_EXPLICIT: 2 } as const;

/** One entry of the log. */
export interface Entry {
  /** An `EntryType`. */
  type: number;
  term: number;
  index: number;
  /** An InternalRaftRequest, a ConfChange or ConfChangeV2, or nothing. */
  data: Uint8Array;
}

export const Entry: MessageCodec<Entry> = codec("raftpb.Entry", {
  empty: () => ({ type: 0, term: 0, index: 0, data: EMPTY_BYTES }),
  read(reader) {
    let type = 0;
    let term = 0;
    let index = 0;
    let data = EMPTY_BYTES;
    while (reader.at < reader.end) {
      const tag = reader.tag();
      switch (tag) {
        case 0x08:
          type = reader.enumeration();
          break;
        case 0x10:
          term = reader.uint64();
          break;
        case 0x18:
          index = reader.uint64();
          break;
        case 0x22:
          data = reader.view();
          break;
        default:
          reader.unknown(tag, 4);
      }
    }
    return { type, term, index, data };
  },
  write: writeEntry,
});

function writeEntry(writer: Writer, entry: Entry): void {
  writer.byte(0x08);
  writer.varint(entry.type);
  writer.byte(0x10);
  writer.varint(entry.term);
  writer.byte(0x18);
  writer.varint(entry.index);
  writer.field(0x22, entry.data);
}

/** How many bytes `Entry.encode` will take. */
export function entrySize(entry: Entry): number {
  const { length } = entry.data;
  const data = length === 0 ? 0 : 1 + varintSize(length) + length;
  return 3 + varintSize(entry.type) + varintSize(entry.term) + varintSize(entry.index) + data;
}

/** What a member must never forget: its term, whom it voted for in it (0n: nobody), and how far it saw commits. */
export interface HardState {
  term: number;
  vote: bigint;
  commit: number;
}

export const HardState: MessageCodec<HardState> = codec("raftpb.HardState", {
  empty: () => ({ term: 0, vote: 0n, commit: 0 }),
  read(reader) {
    let term = 0;
    let vote = 0n;
    let commit = 0;
    while (reader.at < reader.end) {
      const tag = reader.tag();
      switch (tag) {
        case 0x08:
          term = reader.uint64();
          break;
        case 0x10:
          vote = reader.uint64Id();
          break;
        case 0x18:
          commit = reader.uint64();
          break;
        default:
          reader.unknown(tag, 3);
      }
    }
    return { term, vote, commit };
  },
  write(writer, state) {
    writer.byte(0x08);
    writer.varint(state.term);
    writer.byte(0x10);
    writer.id(state.vote);
    writer.byte(0x18);
    writer.varint(state.commit);
  },
});

/** Who votes and who learns; the outgoing ones only while a joint configuration is left. */
export const ConfState = message("raftpb.ConfState", {
  voters: uint64Ids(1),
  learners: uint64Ids(2),
  votersOutgoing: uint64Ids(3),
  learnersNext: uint64Ids(4),
  autoLeave: always(bool(5)),
});
export type ConfState = TypeOf<typeof ConfState>;

/** The configuration, index and term at which a snapshot was taken. */
export interface SnapshotMetadata {
  confState: ConfState | undefined;
  index: number;
  term: number;
}

export const SnapshotMetadata: MessageCodec<SnapshotMetadata> = codec("raftpb.SnapshotMetadata", {
  empty: () => ({ confState: undefined, index: 0, term: 0 }),
  read(reader) {
    let confState: ConfState | undefined;
    let index = 0;
    let term = 0;
    while (reader.at < reader.end) {
      const tag = reader.tag();
      switch (tag) {
        case 0x0a:
          confState = readSubmessage(reader, ConfState);
          break;
        case 0x10:
          index = reader.uint64();
          break;
        case 0x18:
          term = reader.uint64();
          break;
        default:
          reader.unknown(tag, 3);
      }
    }
    return { confState, index, term };
  },
  /** Without a configuration an empty one is written, as etcd does. */
  write(writer, metadata) {
    writer.byte(0x0a);
    writeSubmessage(writer, ConfState, metadata.confState ?? ConfState.create());
    writer.byte(0x10);
    writer.varint(metadata.index);
    writer.byte(0x18);
    writer.varint(metadata.term);
  },
});

export interface Snapshot {
  data: Uint8Array;
  metadata: SnapshotMetadata | undefined;
}

export const Snapshot: MessageCodec<Snapshot> = codec("raftpb.Snapshot", {
  empty: () => ({ data: EMPTY_BYTES, metadata: undefined }),
  read(reader) {
    let data = EMPTY_BYTES;
    let metadata: SnapshotMetadata | undefined;
    while (reader.at < reader.end) {
      const tag = reader.tag();
      switch (tag) {
        case 0x0a:
          data = reader.view();
          break;
        case 0x12:
          metadata = readSubmessage(reader, SnapshotMetadata);
          break;
        default:
          reader.unknown(tag, 2);
      }
    }
    return { data, metadata };
  },
  /** Without metadata an empty one is written, as etcd does. */
  write(writer, snapshot) {
    writer.field(0x0a, snapshot.data);
    writer.byte(0x12);
    writeSubmessage(writer, SnapshotMetadata, snapshot.metadata ?? SnapshotMetadata.create());
  },
});

/** What one member tells another; which fields count depends on `type`. */
export interface Message {
  /** A `MessageType`. */
  type: number;
  to: bigint;
  from: bigint;
  /** 0 in messages that a member gives itself, and in forwarded proposals. */
  term: number;
  /** Term of the entry at `index`. */
  logTerm: number;
  index: number;
  entries: Entry[];
  commit: number;
  vote: bigint;
  snapshot: Snapshot | undefined;
  reject: boolean;
  rejectHint: number;
  context: Uint8Array;
  /** Only in messages to a member's own storage; they never cross the wire. */
  responses: Message[];
}

export const Message: MessageCodec<Message> = codec("raftpb.Message", {
  empty: () => ({
    type: 0,
    to: 0n,
    from: 0n,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    vote: 0n,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    context: EMPTY_BYTES,
    responses: [],
  }),
  read: readMessage,
  write: writeMessage,
});

function readMessage(reader: Reader): Message {
  let type = 0;
  let to = 0n;
  let from = 0n;
  let term = 0;
  let logTerm = 0;
  let index = 0;
  const entries: Entry[] = [];
  let commit = 0;
  let vote = 0n;
  let snapshot: Snapshot | undefined;
  let reject = false;
  let rejectHint = 0;
  let context = EMPTY_BYTES;
  const responses: Message[] = [];
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        type = reader.enumeration();
        break;
      case 0x10:
        to = reader.uint64Id();
        break;
      case 0x18:
        from = reader.uint64Id();
        break;
      case 0x20:
        term = reader.uint64();
        break;
      case 0x28:
        logTerm = reader.uint64();
        break;
      case 0x30:
        index = reader.uint64();
        break;
      case 0x3a:
        entries.push(readSubmessage(reader, Entry));
        break;
      case 0x40:
        commit = reader.uint64();
        break;
      case 0x4a:
        snapshot = readSubmessage(reader, Snapshot);
        break;
      case 0x50:
        reject = reader.bool();
        break;
      case 0x58:
        rejectHint = reader.uint64();
        break;
      case 0x62:
        context = reader.view();
        break;
      case 0x68:
        vote = reader.uint64Id();
        break;
      case 0x72:
        responses.push(readSubmessage(reader, Message));
        break;
      default:
        reader.unknown(tag, 14);
    }
  }
  return {
    type,
    to,
    from,
    term,
    logTerm,
    index,
    entries,
    commit,
    vote,
    snapshot,
    reject,
    rejectHint,
    context,
    responses,
  };
}

function writeMessage(writer: Writer, message: Message): void {
  writer.byte(0x08);
  writer.varint(message.type);
  writer.byte(0x10);
  writer.id(message.to);
  writer.byte(0x18);
  writer.id(message.from);
  writer.byte(0x20);
  writer.varint(message.term);
  writer.byte(0x28);
  writer.varint(message.logTerm);
  writer.byte(0x30);
  writer.varint(message.index);
  if (message.entries.length > 0) writeEntries(writer, message.entries);
  writer.byte(0x40);
  writer.varint(message.commit);
  if (message.snapshot !== undefined) {
    writer.byte(0x4a);
    writeSubmessage(writer, Snapshot, message.snapshot);
  }
  writer.byte(0x50);
  writer.byte(message.reject ? 1 : 0);
  writer.byte(0x58);
  writer.varint(message.rejectHint);
  writer.field(0x62, message.context);
  writer.byte(0x68);
  writer.id(message.vote);
  for (const response of message.responses) {
    writer.byte(0x72);
    writeSubmessage(writer, Message, response);
  }
}

/** Sizes first, so that an append of many megabytes is laid out once and nothing in it is moved. */
function writeEntries(writer: Writer, entries: readonly Entry[]): void {
  let room = 0;
  for (const entry of entries) room += entrySize(entry) + 6;
  writer.ensure(room);
  for (const entry of entries) {
    writer.byte(0x3a);
    writer.varint(entrySize(entry));
    writeEntry(writer, entry);
  }
}

/** One change of the members: `type` is a `ConfChangeType`, `context` the member as JSON. */
export const ConfChange = message("raftpb.ConfChange", {
  id: always(uint64Id(1)),
  type: always(enumeration(2)),
  nodeId: always(uint64Id(3)),
  context: bytes(4),
});
export type ConfChange = TypeOf<typeof ConfChange>;

export const ConfChangeSingle = message("raftpb.ConfChangeSingle", {
  type: always(enumeration(1)),
  nodeId: always(uint64Id(2)),
});
export type ConfChangeSingle = TypeOf<typeof ConfChangeSingle>;

/** Several changes through a joint configuration. Never in a log that etcd reads: it stops there. */
export const ConfChangeV2 = message("raftpb.ConfChangeV2", {
  transition: always(enumeration(1)),
  changes: submessages(2, ConfChangeSingle),
  context: bytes(3),
});
export type ConfChangeV2 = TypeOf<typeof ConfChangeV2>;
