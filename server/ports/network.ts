/**
 * The other members, as a member sees them: raft messages to and from, snapshots with the whole state, and questions
 * that members ask each other. The real one is `transport/`, which speaks etcd's peer protocol; a simulated one may
 * drop, delay, reorder and duplicate messages, cut a link one way, and break snapshots and questions off.
 *
 *     network = new ...               knows who we are; nothing goes out or comes in yet
 *     network.start(receiver)         from here on the receiver is called
 *     network.addPeer(id, urls) ...   one for each other member, also when it is down
 *     network.send(ready.messages)    at once, never waits
 *     network.close()                 after it the receiver is not called any more
 *
 * What holds of messages: none is promised to arrive, and two may change places. One that certainly did not leave is
 * reported by `unreachable`; silence means nothing. The receiver is never called from inside a call to the network.
 */
import type { Message } from "../proto/raftpb.ts";

export interface Network {
  /** Once, before anything else. */
  start(receiver: Receiver): void;

  /**
   * Sends each message to the member in its `to`; those to 0n or to nobody known are passed over. Messages are taken down
   * before this returns, so they may be changed or used again afterwards; they leave when the caller gives the loop back,
   * all to one member in one write. MsgSnap must come by `sendSnapshot`. Entries of the log are shared and never changed:
   * those that go to several members are encoded once.
   *
   * Never waits: with more than a bound queued to one member, further messages to it are dropped and reported by
   * `unreachable`. What waits for one member holds up no other, and heartbeats do not wait behind appends.
   */
  send(messages: readonly Message[]): void;

  /**
   * Sends a whole state beside all other traffic. What became of it is told once by `Receiver.snapshotStatus`, also when
   * the member is not known or another snapshot to it is under way, which are failures.
   */
  sendSnapshot(snapshot: OutgoingSnapshot): void;

  /** Talks to a member from now on. Nothing when it is known already. `urls` are its peer URLs, at least one. */
  addPeer(id: bigint, urls: readonly string[]): void;
  /**
   * Lets messages go out to somebody who is no member as far as we have applied: a leader whose joining we have yet to
   * learn must hear our answers. Nothing more is done for it. `addPeer` takes its place.
   */
  addRemote(id: bigint, urls: readonly string[]): void;
  /** Its peer URLs are others now. Nothing when it is not known. */
  updatePeer(id: bigint, urls: readonly string[]): void;
  /** Breaks off everything with a member. Nothing when it is not known. */
  removePeer(id: bigint): void;

  /** Since when (monotonic milliseconds) the member can be reached; undefined: it cannot be, or is not known. */
  activeSince(id: bigint): number | undefined;

  /**
   * Asks a member, found at one of `urls`; they are tried in turn until one answers. Rejects with `EtcdError` when the
   * member refused, with `WorldError` when none answered within `timeoutMs` each or the answer made no sense.
   */
  ask<K extends QuestionKind>(
    urls: readonly string[],
    kind: K,
    question: Questions[K],
    timeoutMs: number,
  ): Promise<Answers[K]>;

  /** Breaks off everything; resolves when nothing is left of it. Snapshots under way are reported as failed first. */
  close(): Promise<void>;
}

/** What a member does with what the network brings. */
export interface Receiver {
  /**
   * A message for us, from somebody who was not removed. It is ours: byte fields are views of memory that nobody writes
   * to again. Called many times in one turn of the loop, so the work is better put off to the end of the turn.
   */
  message(message: Message): void;
  /** A message to `id` was lost, or its connection broke while some waited: raft goes back to probing. */
  unreachable(id: bigint): void;
  /** What became of a snapshot that was sent: raft holds appends to `id` back until it knows. */
  snapshotStatus(id: bigint, wasDelivered: boolean): void;
  /** Whether `id` was a member once and is not any more: it gets nothing but a refusal. */
  isRemoved(id: bigint): boolean;
  /** A member says that we were removed from the cluster: told once. The member must stop. */
  selfRemoved(): void;
  /**
   * Somebody sends us a whole state; `message` is its MsgSnap. The answer takes the bbolt file that follows. Throws, or
   * rejects, to refuse; the text goes to the sender.
   */
  openSnapshot(message: Message): SnapshotSink | Promise<SnapshotSink>;
  /** Answers what other members ask. */
  readonly answers: AnswerTable;
}

/** A state on its way out. */
export interface OutgoingSnapshot {
  /** MsgSnap, its snapshot holding index, term, configuration and the members as etcd's v2 store has them. */
  readonly message: Message;
  /** About how long `body` is: for the log. */
  readonly sizeBytes: number;
  /**
   * The bbolt file. Read no faster than the member takes it; closed early (`return`) when it fails. It may be closed
   * without having been read from, so what must be let go of is best opened by the first read.
   */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Where a state goes that comes in. Calls never overlap. */
export interface SnapshotSink {
  /** The next bytes; they may be kept. While a promise is open no more come. Throws or rejects to break off. */
  write(bytes: Uint8Array): void | Promise<void>;
  /**
   * All have come. To resolve when they are as good as ours, on disk and loaded, which may take long; then `Receiver.message` gets the MsgSnap, and
   * the sender is told that it was delivered.
   */
  end(): Promise<void>;
  /** It broke off, here or there: what has come is worth nothing. Not called after `end` has resolved. */
  abort(reason: Error): void;
}

/** What members ask each other, by kind. */
export interface Questions {
  version: undefined;
  members: undefined;
  downgradeEnabled: undefined;
  /** 0: at the newest revision. Asked by a member of another cluster it is refused by the network itself. */
  hashKv: { readonly revision: number };
  leaseRenew: { readonly id: bigint };
  leaseTimeToLive: { readonly id: bigint; readonly keys: boolean };
  promote: PromoteQuestion;
}

export interface Answers {
  version: PeerVersion;
  members: PeerMembers;
  downgradeEnabled: boolean;
  hashKv: PeerHash;
  /** Seconds to live; a lease that is not there is refused with LeaseNotFound. */
  leaseRenew: number;
  leaseTimeToLive: PeerLease;
  /** The members after the promotion. */
  promote: readonly PeerMember[];
}

export type QuestionKind = keyof Questions;

/**
 * One function a kind. It may throw, or reject with, `EtcdError`: LeaseNotFound, NotPrimaryLessor and Timeout of leases,
 * Compacted and FutureRevision of hashes, MemberNotFound, MemberNotLearner and LearnerNotReady of promotions reach the
 * one who asks as what they are; all others, and other errors, as `WorldError` with their text.
 */
export type AnswerTable = {
  readonly [K in QuestionKind]: (question: Questions[K]) => Answers[K] | Promise<Answers[K]>;
};

export interface PromoteQuestion {
  readonly id: bigint;
  /** Of the user who wants it; "": none. */
  readonly token: string;
}

export interface PeerVersion {
  /** Of etcd: "3.7.3". Must be a semantic version: anything else freezes the version of the cluster. */
  readonly server: string;
  /** "3.7.0", or "not_decided". */
  readonly cluster: string;
  /** "3.7.0", or "unknown"; "" from a member before 3.6. */
  readonly storage: string;
}

export interface PeerMembers {
  /** Of the member that answers; what an `AnswerTable` gives here is not looked at. */
  readonly clusterId: bigint;
  readonly members: readonly PeerMember[];
}

export interface PeerMember {
  readonly id: bigint;
  /** "": it has not started yet. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

export interface PeerHash {
  /** Of the store when it was asked. */
  readonly revision: number;
  readonly hash: number;
  readonly compactRevision: number;
  readonly hashRevision: number;
}

export interface PeerLease {
  readonly ttlSeconds: number;
  readonly grantedTtlSeconds: number;
  readonly keys: readonly Uint8Array[];
}
