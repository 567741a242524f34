/**
 * The front door of the room: one member of a raft cluster. Synchronous; it knows no clock, disk or socket.
 *
 *     tick, step, propose, readIndex ...   -> something may have to be done
 *     while (hasReady())  r = ready()      -> store, send and apply what it says (order: `ready.ts`)
 *     persisted(r)                         -> its sync has returned; then r.messagesAfterSync leave
 *     appliedTo(i)                         -> the state has applied everything up to i
 *
 * The first entries of a new cluster are the conductor's business: it makes a storage that holds the changes that add
 * the members, with a hard state that says they are committed.
 */
import { assert } from "../base/assert.ts";
import { idBytes } from "../base/int64.ts";
import {
  ConfChange,
  ConfChangeV2,
  type ConfState,
  type Entry,
  EntryType,
  type HardState,
  type Message,
  MessageType,
} from "../proto/raftpb.ts";
import type { AnyConfChange } from "./conf-change.ts";
import { startElection, startTransfer } from "./election.ts";
import { isLocal, isResponse, NONE } from "./message.ts";
import { Raft, type RaftConfig } from "./raft.ts";
import type { ReadState } from "./read-index.ts";
import type { Ready, Role, SoftState } from "./ready.ts";
import { acknowledgeOwn, handleSnapshotReport, handleUnreachable, propose, proposeConfChange } from "./replication.ts";
import { type RaftStatus, statusOf } from "./status.ts";

export type { RaftConfig };

/** Readys that may be out at once. At the bound `hasReady` says no until one is persisted. */
export const READYS_OUT_MAX = 64;

const NO_ENTRIES: readonly Entry[] = [];
const NO_MESSAGES: readonly Message[] = [];

interface ReadyOut {
  readonly ready: Ready;
  /** Our own votes: they count once they are on disk. */
  readonly toSelf: readonly Message[];
}

export class RawNode {
  readonly #raft: Raft;
  readonly #out: ReadyOut[] = [];
  #softState: SoftState;
  #hardState: HardState;

  constructor(config: RaftConfig) {
    this.#raft = new Raft(config);
    this.#softState = { leaderId: NONE, role: "follower" };
    this.#hardState = config.storage.hardState;
  }

  // Facts, cheap enough for every request

  get id(): bigint {
    return this.#raft.id;
  }

  get term(): number {
    return this.#raft.term;
  }

  get role(): Role {
    return this.#raft.role;
  }

  get isLeader(): boolean {
    return this.#raft.role === "leader";
  }

  /** It leads, and takes no proposals, for another member is about to. */
  get isHandingOver(): boolean {
    return this.isLeader && this.#raft.transferTarget !== NONE;
  }

  /** 0n: none known. */
  get leaderId(): bigint {
    return this.#raft.leaderId;
  }

  get commitIndex(): number {
    return this.#raft.log.committed;
  }

  get appliedIndex(): number {
    return this.#raft.log.applied;
  }

  get lastIndex(): number {
    return this.#raft.log.lastIndex();
  }

  /** The entry that a received snapshot is of which is not ours on disk yet; undefined: there is none. */
  get pendingSnapshotIndex(): number | undefined {
    return this.#raft.log.unstable.snapshotIndex;
  }

  /** The configuration as of what was applied. */
  get confState(): ConfState {
    return this.#raft.tracker.config;
  }

  /** The entry at `index` of our log, committed or not; undefined when it is compacted or not there. */
  entry(index: number): Entry | undefined {
    return this.#raft.log.entry(index);
  }

  status(): RaftStatus {
    return statusOf(this.#raft);
  }

  // What comes in

  /** One tick of the clock. */
  tick(): void {
    this.#raft.tick();
  }

  /** Starts an election now, whatever the clock says. Does nothing on a leader, a learner, or outside the configuration. */
  campaign(): void {
    startElection(this.#raft, this.#raft.config.preVote ? "preElection" : "election");
  }

  /** Takes in a message from a peer. What a peer has no business to send is passed over. */
  step(message: Message): void {
    const raft = this.#raft;
    if (isLocal(message.type) || message.from === raft.id) return;
    if (isResponse(message.type) && raft.tracker.progress(message.from) === undefined) return;
    // Only what is passed on to a leader belongs to no term; anything else without one would skip every check of terms.
    if (message.term === 0 && message.type !== MessageType.PROP && message.type !== MessageType.READ_INDEX) return;
    raft.step(message);
  }

  /**
   * Proposes an entry; a follower passes it on. False: dropped, because no leader is known, leadership is being handed
   * over, we were removed, or too much is uncommitted. True promises nothing: only a committed entry has happened.
   */
  propose(data: Uint8Array): boolean {
    const raft = this.#raft;
    if (raft.role === "leader") return propose(raft, EntryType.NORMAL, data);
    return raft.role === "follower" && raft.forwardProposal(EntryType.NORMAL, data);
  }

  /**
   * Proposes a change of the configuration; it takes effect when its entry is applied (`applyConfChange`). False also
   * when an earlier change may be unapplied or the change is impossible.
   */
  proposeConfChange(change: AnyConfChange): boolean {
    const raft = this.#raft;
    const isV2 = "changes" in change;
    const type = isV2 ? EntryType.CONF_CHANGE_V2 : EntryType.CONF_CHANGE;
    const data = isV2 ? ConfChangeV2.encode(change) : ConfChange.encode(change);
    if (raft.role === "leader") return proposeConfChange(raft, type, data, change);
    return raft.role === "follower" && raft.forwardProposal(type, data);
  }

  /** To be called when a committed entry with a change of the configuration is applied; with node id 0n it has no effect. */
  applyConfChange(change: AnyConfChange): ConfState {
    return this.#raft.applyConfChange(change);
  }

  /**
   * Asks for the index that a linearizable read must wait for; the answer comes in `readStates` with `context`, a fresh
   * number for every attempt. False: no leader is known, or too many wait. A leader that has not committed in its own
   * term yet keeps the question until it has. The answer may never come (the leader changed): ask again.
   */
  readIndex(context: bigint): boolean {
    const raft = this.#raft;
    if (raft.role === "leader") return raft.readIndex(raft.id, idBytes(context));
    return raft.role === "follower" && raft.forwardRead(raft.id, idBytes(context));
  }

  /** Hands leadership to `target`, a voter; a follower passes the wish on. Given up after an election timeout. */
  transferLeader(target: bigint): void {
    const raft = this.#raft;
    if (raft.role === "follower") {
      raft.forwardTransfer(target);
      return;
    }
    const member = raft.role === "leader" ? raft.tracker.progress(target) : undefined;
    if (member !== undefined) startTransfer(raft, member);
  }

  /** A follower that has reason to believe that its leader is dead may vote for another before its own timeout. */
  forgetLeader(): void {
    if (this.#raft.role === "follower") this.#raft.leaderId = NONE;
  }

  /** The transport lost a message to `id`, or the way to it. */
  reportUnreachable(id: bigint): void {
    const member = this.#raft.role === "leader" ? this.#raft.tracker.progress(id) : undefined;
    if (member !== undefined) handleUnreachable(member);
  }

  /** The snapshot sent to `id` was delivered, or failed. Must be said of every snapshot: until then appends wait. */
  reportSnapshot(id: bigint, wasDelivered: boolean): void {
    const member = this.#raft.role === "leader" ? this.#raft.tracker.progress(id) : undefined;
    if (member !== undefined) handleSnapshotReport(member, wasDelivered);
  }

  // What goes out

  /** Whether there is something to store, send or apply. */
  hasReady(): boolean {
    const raft = this.#raft;
    if (this.#out.length >= READYS_OUT_MAX) return false;
    return (
      raft.log.unstable.hasEntriesToWrite ||
      raft.log.hasEntriesToApply ||
      raft.messages.length > 0 ||
      raft.messagesAfterSync.length > 0 ||
      raft.readStates.length > 0 ||
      raft.appendDue ||
      raft.heartbeatDue ||
      raft.log.unstable.hasSnapshotToTake ||
      this.#softStateChanged() ||
      this.#hardStateChanged()
    );
  }

  /** Answers to `readIndex` that have come, ahead of the next Ready: they rest on nothing that it has to store. */
  takeReadStates(): readonly ReadState[] {
    const raft = this.#raft;
    const { readStates } = raft;
    if (readStates.length > 0) raft.readStates = [];
    return readStates;
  }

  /** What must now be done. Each thing is handed out once; `persisted` must be called for each Ready, in order. */
  ready(): Ready {
    const raft = this.#raft;
    assert(this.#out.length < READYS_OUT_MAX, "Readys are persisted before more are taken");
    raft.flush();
    const before = this.#hardState;
    const hardState = this.#takeHardState();
    const snapshot = raft.log.unstable.takeSnapshot();
    const entries = raft.log.unstable.beginWrite();
    const toSelf = this.#takeMessagesToSelf();
    const ready: Ready = {
      softState: this.#takeSoftState(),
      hardState,
      entries,
      snapshot,
      committedEntries: this.#takeEntriesToApply(),
      messages: raft.messages,
      messagesAfterSync: raft.messagesAfterSync,
      readStates: raft.readStates,
      // A vote or term must not be forgotten; a commit index is found out again.
      mustSync:
        entries.length > 0 ||
        snapshot !== undefined ||
        (hardState !== undefined && (hardState.term !== before.term || hardState.vote !== before.vote)),
    };
    raft.messages = [];
    raft.messagesAfterSync = [];
    raft.readStates = [];
    this.#out.push({ ready, toSelf });
    return ready;
  }

  /**
   * What `ready` told to store is on disk and synced: our own acknowledgements count from here on. Called for every
   * Ready, in the order in which they were taken.
   */
  persisted(ready: Ready): void {
    const raft = this.#raft;
    const out = this.#out.shift();
    assert(out?.ready === ready, "Readys are persisted in the order in which they were taken");
    const storage = raft.log.storage;
    if (ready.hardState !== undefined) {
      storage.setHardState(ready.hardState);
      raft.durableTerm = ready.hardState.term;
    }
    if (ready.snapshot?.metadata !== undefined) {
      const { index, confState } = ready.snapshot.metadata;
      raft.log.snapshotStable(ready.snapshot, index);
      if (confState !== undefined) raft.restoreConfiguration(confState);
    }
    raft.log.endWrite();
    acknowledgeOwn(raft);
    for (const message of out.toSelf) raft.step(message);
  }

  /** The state has applied everything up to and with `index`. */
  appliedTo(index: number): void {
    this.#raft.appliedTo(index);
  }

  #softStateChanged(): boolean {
    return this.#softState.leaderId !== this.#raft.leaderId || this.#softState.role !== this.#raft.role;
  }

  #takeSoftState(): SoftState | undefined {
    if (!this.#softStateChanged()) return undefined;
    this.#softState = { leaderId: this.#raft.leaderId, role: this.#raft.role };
    return this.#softState;
  }

  #hardStateChanged(): boolean {
    const { term, vote, commit } = this.#hardState;
    const raft = this.#raft;
    return commit !== raft.log.committed || term !== raft.term || vote !== raft.vote;
  }

  #takeHardState(): HardState | undefined {
    if (!this.#hardStateChanged()) return undefined;
    this.#hardState = { term: this.#raft.term, vote: this.#raft.vote, commit: this.#raft.log.committed };
    return this.#hardState;
  }

  #takeEntriesToApply(): readonly Entry[] {
    const raft = this.#raft;
    if (!raft.log.hasEntriesToApply) return NO_ENTRIES;
    const { entries, bytes } = raft.log.takeEntriesToApply();
    raft.uncommittedBytes = Math.max(0, raft.uncommittedBytes - bytes);
    return entries;
  }

  #takeMessagesToSelf(): readonly Message[] {
    const raft = this.#raft;
    if (!raft.messagesAfterSync.some((message) => message.to === raft.id)) return NO_MESSAGES;
    const toSelf = raft.messagesAfterSync.filter((message) => message.to === raft.id);
    raft.messagesAfterSync = raft.messagesAfterSync.filter((message) => message.to !== raft.id);
    return toSelf;
  }
}
