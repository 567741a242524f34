/**
 * Message kinds: which never cross the wire, which only answer, and which must wait for our own sync. Raft's messages
 * are `raftpb.Message`; this file makes them and sorts them.
 */
import { EMPTY_BYTES } from "../base/bytes.ts";
import { type Message, MessageType } from "../proto/raftpb.ts";

/** "Nobody": no leader, no vote, no transfer target. No member has this id. */
export const NONE = 0n;

/** A message of `type` to `to` with every other field at its default, always in the same shape. */
export function newMessage(type: number, to: bigint): Message {
  return {
    type,
    to,
    from: NONE,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    vote: NONE,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    context: EMPTY_BYTES,
    responses: [],
  };
}

/** Kinds that a member tells itself (ticks, transport reports, storage answers): one that arrives from a peer is a mistake. */
export function isLocal(type: number): boolean {
  switch (type) {
    case MessageType.HUP:
    case MessageType.BEAT:
    case MessageType.UNREACHABLE:
    case MessageType.SNAP_STATUS:
    case MessageType.CHECK_QUORUM:
    case MessageType.STORAGE_APPEND:
    case MessageType.STORAGE_APPEND_RESP:
    case MessageType.STORAGE_APPLY:
    case MessageType.STORAGE_APPLY_RESP:
      return true;
    default:
      return false;
  }
}

/** Kinds that only answer: worthless from a sender that is not in the configuration (a member removed long ago). */
export function isResponse(type: number): boolean {
  switch (type) {
    case MessageType.APP_RESP:
    case MessageType.VOTE_RESP:
    case MessageType.HEARTBEAT_RESP:
    case MessageType.READ_INDEX_RESP:
    case MessageType.PRE_VOTE_RESP:
      return true;
    default:
      return false;
  }
}

/** Kinds of a campaign: they carry a term of their own choosing, all others that of the sender. */
export function isVoteKind(type: number): boolean {
  switch (type) {
    case MessageType.VOTE:
    case MessageType.VOTE_RESP:
    case MessageType.PRE_VOTE:
    case MessageType.PRE_VOTE_RESP:
      return true;
    default:
      return false;
  }
}

/**
 * Kinds that vouch for what must be on our own disk (thesis section 3.8): an acknowledged append, a vote, and the plea
 * for votes of a term that a crash must not forget. Rejections wait too: they are rare and may rest on unsynced state.
 */
export function waitsForSync(type: number): boolean {
  switch (type) {
    case MessageType.APP_RESP:
    case MessageType.VOTE:
    case MessageType.VOTE_RESP:
    case MessageType.PRE_VOTE_RESP:
      return true;
    default:
      return false;
  }
}

/** The kind that answers a plea for votes. */
export function voteResponseType(type: number): number {
  return type === MessageType.VOTE ? MessageType.VOTE_RESP : MessageType.PRE_VOTE_RESP;
}
