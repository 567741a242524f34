/**
 * What the conductor must now store, send and apply. The order that must hold:
 *
 *     1  `messages` may leave at once, beside the writing
 *     2  `snapshot`, then `entries` with `hardState`, go to disk in one write; synced if `mustSync`
 *     3  `RawNode.persisted(ready)`
 *     4  `messagesAfterSync` leave
 *
 * A snapshot in `messages` (kind SNAP) only says that the receiver is too far behind: the conductor puts the state as it
 * is now in its place, for an older one may be of a configuration without the receiver, and reports what became of it.
 *
 * `committedEntries` and `readStates` rest on nothing in the same Ready: they are on disk already and may be used at any
 * time. Several Readys may be out at once (a slow disk then holds back no heartbeat); steps 2 to 4 keep their order.
 */
import type { Entry, HardState, Message, Snapshot } from "../proto/raftpb.ts";
import type { ReadState } from "./read-index.ts";

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** What is true now and need not be kept. */
export interface SoftState {
  /** 0n: nobody that we know of. */
  readonly leaderId: bigint;
  readonly role: Role;
}

export interface Ready {
  /** Given when it has changed. */
  readonly softState: SoftState | undefined;
  /** To be saved before the messages after the sync leave; given when it has changed. */
  readonly hardState: HardState | undefined;
  /** To be appended to the log on disk; from the first of them on they replace what is there. */
  readonly entries: readonly Entry[];
  /**
   * A received snapshot: its state is made ours on disk before `persisted` is called, and before that everything is
   * applied that was handed out earlier. Its configuration counts from `persisted` on.
   */
  readonly snapshot: Snapshot | undefined;
  /** Committed and on our own disk: to be applied, in order. */
  readonly committedEntries: readonly Entry[];
  readonly messages: readonly Message[];
  /** What vouches for something on our own disk: votes, and acknowledgements of appends. */
  readonly messagesAfterSync: readonly Message[];
  readonly readStates: readonly ReadState[];
  /** Whether what is stored must be synced before `persisted`; a commit index alone need not be. */
  readonly mustSync: boolean;
}
