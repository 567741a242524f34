/**
 * One member's part in the consensus: its role, term and vote, and what a message or a tick makes of them. It answers
 * and never acts: messages pile up in `messages` and `messagesAfterSync`, entries in the log, until the front door
 * (`raw-node.ts`) hands them out. Elections are in `election.ts`, the log's way to the others in `replication.ts`.
 *
 *                 timeout                 quorum would vote          quorum voted
 *     follower ----------> preCandidate -----------------> candidate -----------> leader
 *        ^                      |                              |                     |
 *        +----------------------+------------------------------+---------------------+
 *              lost, or a leader or a higher term is heard of, or a quorum is not
 */
import { assert, unreachable } from "../base/assert.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import { readUnsignedId } from "../base/int64.ts";
import { type ConfState, EntryType, type Message, MessageType } from "../proto/raftpb.ts";
import { type AnyConfChange, changeConfiguration, checkConfState } from "./conf-change.ts";
import {
  handleTimeoutNow,
  handleVoteRequest,
  handleVoteResponse,
  holdsLease,
  learnCommit,
  refuse,
  startElection,
  startTransfer,
} from "./election.ts";
import { Log } from "./log.ts";
import type { LogStorage } from "./log-storage.ts";
import { isVoteKind, NONE, newMessage, waitsForSync } from "./message.ts";
import type { Progress } from "./progress.ts";
import { READS_WAITING_MAX, ReadQueue, type ReadState } from "./read-index.ts";
import type { Role } from "./ready.ts";
import {
  broadcastAppend,
  broadcastHeartbeat,
  handleAppend,
  handleAppendResponse,
  handleHeartbeat,
  handleHeartbeatResponse,
  handleSnapshot,
  maybeCommit,
  propose,
  proposeForwarded,
} from "./replication.ts";
import { Tracker } from "./tracker.ts";

export interface RaftConfig {
  /** Not 0n. */
  readonly id: bigint;
  /** Ticks without a leader before a campaign, at least; drawn anew each time from [electionTicks, 2 * electionTicks). */
  readonly electionTicks: number;
  /** Ticks between a leader's heartbeats; fewer than electionTicks. */
  readonly heartbeatTicks: number;
  /** What is on disk: hard state, snapshot and entries. From now on only raft and compaction change it. */
  readonly storage: LogStorage;
  /** How far the state has been applied: what is handed out to be applied begins after it. */
  readonly applied: number;
  /** The configuration as of `applied`. Without it: that of the storage's snapshot, and `applied` is the snapshot's. */
  readonly confState?: ConfState | undefined;
  /** Ask whether an election could be won before raising the term (thesis section 9.6). */
  readonly preVote: boolean;
  /** A leader that hears of no quorum for an election timeout steps down; nobody votes while a leader is heard of. */
  readonly checkQuorum: boolean;
  /** Bound of the entries in one append, and of those handed out and not yet applied; one entry may exceed it. */
  readonly maxMessageBytes: number;
  /** Appends to one member that may be unacknowledged. */
  readonly inflightMax: number;
  /** The same in bytes; 0, the default, for no bound. */
  readonly inflightBytesMax?: number | undefined;
  /** Bytes proposed and not yet committed at which a leader drops proposals. */
  readonly uncommittedBytesMax?: number | undefined;
  /** A leader that is removed or demoted steps down at once; as in etcd the default is that it does not. */
  readonly stepDownOnRemoval?: boolean | undefined;
  /** A uniform integer in [0, bound). */
  random(bound: number): number;
}

/** What a leader without a quorum may pile up before it drops proposals. */
const UNCOMMITTED_BYTES_MAX = 128 * 1024 * 1024;

/** A read asked of a leader that has committed nothing in its own term yet. */
interface PostponedRead {
  readonly from: bigint;
  readonly context: Uint8Array;
}

export class Raft {
  readonly id: bigint;
  readonly config: RaftConfig;
  readonly log: Log;
  readonly tracker: Tracker;
  readonly uncommittedBytesMax: number;

  term = 0;
  vote = NONE;
  role: Role = "follower";
  leaderId = NONE;
  /** Whom a leader is handing its place to: until then, or an election timeout, it takes no proposals. */
  transferTarget = NONE;
  /** Our own progress; undefined when we are not in the configuration. */
  self: Progress | undefined;
  /** The term that our disk holds: what vouches for the term may leave at once. */
  durableTerm: number;

  /** Ticks since the leader was heard of or the campaign began; for a leader, since the quorum was checked. */
  electionElapsed = 0;
  /** Ticks since the last heartbeats. Of a leader. */
  heartbeatElapsed = 0;
  /** In [electionTicks, 2 * electionTicks), drawn at every change of role or term so that members do not collide. */
  electionTimeout = 0;

  /** No change of the configuration is proposed until this index is applied: so at most one is unapplied. */
  pendingConfIndex = 0;
  /** Bytes of our proposals that were not yet handed out to be applied. May be too low, never too high. */
  uncommittedBytes = 0;
  /** Something new is to be sent to the others: done once for all proposals of a turn, when the Ready is made. */
  appendDue = false;
  /** A read waits for a round of heartbeats. */
  heartbeatDue = false;

  /** Reads waiting for a quorum. Of a leader. */
  reads = new ReadQueue();
  #postponedReads: PostponedRead[] = [];

  /** Collected until the next Ready takes them. */
  messages: Message[] = [];
  /** These may be addressed to ourselves: our own vote counts only once it is on disk. */
  messagesAfterSync: Message[] = [];
  readStates: ReadState[] = [];

  constructor(config: RaftConfig) {
    assert(config.id !== NONE, "a member has an id");
    assert(config.heartbeatTicks > 0, "a heartbeat takes time");
    assert(config.electionTicks > config.heartbeatTicks, "an election timeout outlasts a heartbeat");
    assert(config.maxMessageBytes > 0, "a message has room");
    this.id = config.id;
    this.config = config;
    this.uncommittedBytesMax = config.uncommittedBytesMax ?? UNCOMMITTED_BYTES_MAX;
    this.tracker = new Tracker({
      inflightMax: config.inflightMax,
      inflightBytesMax: config.inflightBytesMax ?? 0,
    });
    this.log = new Log(config.storage, { applied: config.applied, applyingBytesMax: config.maxMessageBytes });
    const { term, vote } = config.storage.hardState;
    this.term = term;
    this.vote = vote;
    this.durableTerm = term;
    // A write torn between entries and hard state leaves entries of a term that the latter does not know. No vote was
    // given in it, for that would have been synced before.
    if (this.log.lastTerm() > term) {
      this.term = this.log.lastTerm();
      this.vote = NONE;
    }
    this.#restoreConfiguration(config.confState ?? config.storage.confState);
    this.becomeFollower(this.term, NONE);
  }

  // Time

  /** One tick of the clock. */
  tick(): void {
    this.electionElapsed++;
    if (this.role === "leader") this.#tickLeader();
    else if (this.electionElapsed >= this.electionTimeout && this.isPromotable) {
      this.electionElapsed = 0;
      startElection(this, this.config.preVote ? "preElection" : "election");
    }
  }

  #tickLeader(): void {
    this.heartbeatElapsed++;
    if (this.electionElapsed >= this.config.electionTicks) {
      this.electionElapsed = 0;
      if (this.config.checkQuorum && !this.tracker.checkQuorumActive(this.id)) {
        this.becomeFollower(this.term, NONE);
        return;
      }
      // Whoever could not take over within an election timeout will not: go on leading.
      this.transferTarget = NONE;
    }
    if (this.heartbeatElapsed >= this.config.heartbeatTicks) {
      this.heartbeatElapsed = 0;
      broadcastHeartbeat(this);
    }
  }

  // Roles

  becomeFollower(term: number, leaderId: bigint): void {
    this.#reset(term);
    this.role = "follower";
    this.leaderId = leaderId;
  }

  /** Neither term nor vote change: that is the point of asking first. */
  becomePreCandidate(): void {
    assert(this.role !== "leader", "a leader does not campaign");
    this.tracker.votes.clear();
    this.role = "preCandidate";
    this.leaderId = NONE;
  }

  becomeCandidate(): void {
    assert(this.role !== "leader", "a leader does not campaign");
    this.#reset(this.term + 1);
    this.role = "candidate";
    this.vote = this.id;
  }

  becomeLeader(): void {
    assert(this.role === "candidate", "only a candidate becomes leader");
    assert(this.durableTerm === this.term, "the term of a leader is on its disk");
    const self = this.self;
    assert(self !== undefined, "a leader is in the configuration");
    this.#reset(this.term);
    this.role = "leader";
    this.leaderId = this.id;
    self.becomeReplicate();
    self.recentActive = true;
    // Some entry up to here may change the configuration; waiting for all of them is simpler than looking.
    this.pendingConfIndex = this.log.lastIndex();
    const accepted = propose(this, EntryType.NORMAL, EMPTY_BYTES);
    assert(accepted, "the first entry of a leader is never dropped");
  }

  #reset(term: number): void {
    assert(term >= this.term, "a term never falls");
    if (term !== this.term) {
      this.term = term;
      this.vote = NONE;
    }
    this.leaderId = NONE;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.electionTimeout = this.config.electionTicks + this.config.random(this.config.electionTicks);
    this.transferTarget = NONE;
    this.tracker.votes.clear();
    const next = this.log.lastIndex() + 1;
    // Our own disk counts like everyone's: up to what it holds.
    for (const member of this.tracker.members) {
      member.reset({ match: member.id === this.id ? this.log.stableIndex : 0, next });
    }
    this.pendingConfIndex = 0;
    this.uncommittedBytes = 0;
    this.appendDue = false;
    this.heartbeatDue = false;
    this.reads = new ReadQueue();
    this.#postponedReads = [];
  }

  /** Whether we may campaign: a voter, and not in the middle of taking in a snapshot. */
  get isPromotable(): boolean {
    return this.self !== undefined && !this.self.isLearner && !this.log.hasPendingSnapshot;
  }

  // Messages

  /** Puts a message out: at once, or behind the sync it depends on. */
  send(message: Message): void {
    message.from = this.id;
    if (isVoteKind(message.type)) {
      assert(message.term > 0, "a campaign names its term");
    } else if (message.type !== MessageType.PROP && message.type !== MessageType.READ_INDEX) {
      // Those two are passed on to whoever leads and belong to no term.
      message.term = this.term;
    }
    // An answer to a heartbeat vouches for the term only, which is rarely new: a slow disk need not delay it.
    const waits =
      waitsForSync(message.type) || (message.type === MessageType.HEARTBEAT_RESP && this.durableTerm !== this.term);
    if (waits) {
      this.messagesAfterSync.push(message);
    } else {
      assert(message.to !== this.id, "nobody writes to himself");
      this.messages.push(message);
    }
  }

  /** Takes in a message from a peer, or one of our own that waited for the disk. */
  step(message: Message): void {
    // A message without a term is a proposal or a read passed on: it is for whoever leads.
    if (message.term > this.term) {
      if (!this.#meetHigherTerm(message)) return;
    } else if (message.term < this.term && message.term !== 0) {
      this.#answerLowerTerm(message);
      return;
    }
    if (message.type === MessageType.VOTE || message.type === MessageType.PRE_VOTE) {
      handleVoteRequest(this, message);
      return;
    }
    switch (this.role) {
      case "leader":
        this.#stepLeader(message);
        break;
      case "candidate":
      case "preCandidate":
        this.#stepCandidate(message);
        break;
      case "follower":
        this.#stepFollower(message);
        break;
      default:
        unreachable(this.role);
    }
  }

  /** Section 5.1: a higher term makes a follower of everyone. False: the message is to be ignored. */
  #meetHigherTerm(message: Message): boolean {
    switch (message.type) {
      case MessageType.VOTE:
        if (holdsLease(this, message)) return false;
        break;
      case MessageType.PRE_VOTE:
        // It asks about a term that nobody is in yet.
        return !holdsLease(this, message);
      case MessageType.PRE_VOTE_RESP:
        // Granted: the term is the one we asked about. Refused: it is that of the other, and we are behind.
        if (!message.reject) return true;
        break;
      default:
        break;
    }
    const fromLeader =
      message.type === MessageType.APP || message.type === MessageType.HEARTBEAT || message.type === MessageType.SNAP;
    this.becomeFollower(message.term, fromLeader ? message.from : NONE);
    return true;
  }

  #refuseVote(type: typeof MessageType.VOTE_RESP | typeof MessageType.PRE_VOTE_RESP, to: bigint): void {
    const answer = newMessage(type, to);
    answer.term = this.term;
    refuse(this, answer);
    this.send(answer);
  }

  #answerLowerTerm(message: Message): void {
    const { type } = message;
    if (type === MessageType.HEARTBEAT || type === MessageType.APP) {
      // A leader left behind. So section 5.1 has it; etcd answers with pre-vote or check-quorum alone, where the votes that
      // would tell it may be ignored. They may also never reach it: who was left out of the configuration's newer changes
      // asks the voters of an older one. A removed member hears from no leader, so it cannot disturb by this.
      this.send(newMessage(MessageType.APP_RESP, message.from));
    } else if (type === MessageType.PRE_VOTE) {
      // Must be answered: where pre-vote is being switched on, a candidate with a short log and a high term and its
      // peers would else wait for each other for ever.
      this.#refuseVote(MessageType.PRE_VOTE_RESP, message.from);
    } else if (type === MessageType.VOTE) {
      // So section 5.1 has it, and etcd does not. Of two voters who need each other's vote, the one that cannot win may be
      // ahead in terms and stay so: both campaign at the same pace.
      this.#refuseVote(MessageType.VOTE_RESP, message.from);
    }
  }

  #stepLeader(message: Message): void {
    switch (message.type) {
      case MessageType.PROP:
        proposeForwarded(this, message.entries);
        return;
      case MessageType.READ_INDEX:
        this.readIndex(message.from, message.entries[0]?.data ?? EMPTY_BYTES);
        return;
      default:
        break;
    }
    const member = this.tracker.progress(message.from);
    if (member === undefined) return;
    switch (message.type) {
      case MessageType.APP_RESP:
        handleAppendResponse(this, member, message);
        break;
      case MessageType.HEARTBEAT_RESP:
        handleHeartbeatResponse(this, member, message);
        break;
      case MessageType.TRANSFER_LEADER:
        startTransfer(this, member);
        break;
      default:
        break;
    }
  }

  #stepCandidate(message: Message): void {
    if (message.reject && isVoteKind(message.type)) learnCommit(this, message);
    switch (message.type) {
      case MessageType.APP:
      case MessageType.HEARTBEAT:
      case MessageType.SNAP:
        // The term has a leader, and it is not us.
        this.becomeFollower(message.term, message.from);
        this.#stepFollower(message);
        break;
      case MessageType.VOTE_RESP:
        if (this.role === "candidate") handleVoteResponse(this, message);
        break;
      case MessageType.PRE_VOTE_RESP:
        if (this.role === "preCandidate") handleVoteResponse(this, message);
        break;
      default:
        break;
    }
  }

  #stepFollower(message: Message): void {
    switch (message.type) {
      case MessageType.APP:
        this.#heardFrom(message.from);
        handleAppend(this, message);
        break;
      case MessageType.HEARTBEAT:
        this.#heardFrom(message.from);
        handleHeartbeat(this, message);
        break;
      case MessageType.SNAP:
        this.#heardFrom(message.from);
        handleSnapshot(this, message);
        break;
      case MessageType.TIMEOUT_NOW:
        handleTimeoutNow(this);
        break;
      case MessageType.PROP:
        for (const entry of message.entries) this.forwardProposal(entry.type, entry.data);
        break;
      case MessageType.READ_INDEX:
        this.forwardRead(message.from, message.entries[0]?.data ?? EMPTY_BYTES);
        break;
      case MessageType.TRANSFER_LEADER:
        this.forwardTransfer(message.from);
        break;
      case MessageType.READ_INDEX_RESP:
        this.#takeReadAnswer(message);
        break;
      case MessageType.VOTE_RESP:
      case MessageType.PRE_VOTE_RESP:
        // Of a campaign that is over.
        if (message.reject) learnCommit(this, message);
        break;
      default:
        break;
    }
  }

  #heardFrom(leaderId: bigint): void {
    this.electionElapsed = 0;
    this.leaderId = leaderId;
  }

  // What a follower passes on

  /** Sends a proposal to the leader; those of one turn share a message. False: there is nobody to send it to. */
  forwardProposal(type: number, data: Uint8Array): boolean {
    if (this.leaderId === NONE || this.leaderId === this.id) return false;
    const entry = { type, term: 0, index: 0, data };
    const last = this.messages.at(-1);
    if (last?.type === MessageType.PROP && last.to === this.leaderId && this.#hasRoom(last, data)) {
      last.entries.push(entry);
      return true;
    }
    const message = newMessage(MessageType.PROP, this.leaderId);
    message.entries.push(entry);
    this.send(message);
    return true;
  }

  #hasRoom(message: Message, data: Uint8Array): boolean {
    // A few at most: counting bytes again for each of many would cost the square of them.
    if (message.entries.length >= 64) return false;
    let bytes = data.length;
    for (const entry of message.entries) bytes += entry.data.length;
    return bytes <= this.config.maxMessageBytes;
  }

  /** Asks the leader for a read index, which answers `from` itself. False: there is none. */
  forwardRead(from: bigint, context: Uint8Array): boolean {
    if (this.leaderId === NONE) return false;
    const message = newMessage(MessageType.READ_INDEX, this.leaderId);
    message.entries.push({ type: EntryType.NORMAL, term: 0, index: 0, data: context });
    this.send(message);
    message.from = from;
    return true;
  }

  forwardTransfer(target: bigint): void {
    if (this.leaderId === NONE) return;
    const message = newMessage(MessageType.TRANSFER_LEADER, this.leaderId);
    this.send(message);
    // The message names the target where others name the sender.
    message.from = target;
  }

  // Reads

  /**
   * A read asked of us as leader: it may be answered at our commit index once something of our own term is committed
   * (before, entries that were acknowledged by an earlier leader may still be missing from it) and a quorum has
   * confirmed that we still lead. False: too many wait.
   */
  readIndex(from: bigint, context: Uint8Array): boolean {
    assert(this.role === "leader", "a read index is given by the leader");
    if (this.log.term(this.log.committed) !== this.term) {
      if (this.#postponedReads.length >= READS_WAITING_MAX) return false;
      this.#postponedReads.push({ from, context });
      return true;
    }
    if (this.tracker.isSingleton && this.tracker.config.voters[0] === this.id) {
      this.answerRead({ from, index: this.log.committed, context });
      return true;
    }
    if (this.reads.isFull) return false;
    this.reads.add({ from, index: this.log.committed, context }, this.id);
    this.heartbeatDue = true;
    return true;
  }

  /** Called when the commit index has reached our own term. */
  releasePostponedReads(): void {
    if (this.#postponedReads.length === 0) return;
    const reads = this.#postponedReads;
    this.#postponedReads = [];
    for (const { from, context } of reads) this.readIndex(from, context);
  }

  answerRead(read: { from: bigint; index: number; context: Uint8Array }): void {
    if (read.from === this.id) {
      this.readStates.push({ index: read.index, context: readUnsignedId(read.context) });
      return;
    }
    const message = newMessage(MessageType.READ_INDEX_RESP, read.from);
    message.index = read.index;
    message.entries.push({ type: EntryType.NORMAL, term: 0, index: 0, data: read.context });
    this.send(message);
  }

  #takeReadAnswer(message: Message): void {
    const context = message.entries[0]?.data;
    if (message.entries.length !== 1 || context?.length !== 8) return;
    this.readStates.push({ index: message.index, context: readUnsignedId(context) });
  }

  // Configuration and applying

  /** Takes a committed change of the configuration into effect: called when its entry is applied. */
  applyConfChange(change: AnyConfChange): ConfState {
    const result = changeConfiguration(this.tracker.config, change);
    assert("config" in result, "a committed change of the configuration is possible");
    this.#switchTo(result.config);
    return result.config;
  }

  /** The state has applied everything up to and with `index`. */
  appliedTo(index: number): void {
    this.log.appliedTo(index);
    this.leaveJointIfDue();
  }

  /** A joint configuration that is to be left by itself is left once its own entry is applied. */
  leaveJointIfDue(): void {
    if (this.role !== "leader" || !this.tracker.config.autoLeave || this.log.applied < this.pendingConfIndex) return;
    // Dropped while leadership is handed over; the next applied entry, or the next leader, tries again.
    if (propose(this, EntryType.CONF_CHANGE_V2, EMPTY_BYTES)) this.pendingConfIndex = this.log.lastIndex();
  }

  /** The configuration of a snapshot. */
  restoreConfiguration(config: ConfState): void {
    this.#restoreConfiguration(config);
  }

  #restoreConfiguration(config: ConfState): void {
    const checked = checkConfState(config);
    assert("config" in checked, "a stored configuration does not contradict itself");
    this.tracker.switchTo(checked.config, this.log.lastIndex());
    this.self = this.tracker.progress(this.id);
  }

  #switchTo(config: ConfState): void {
    const knewSelf = this.self !== undefined;
    this.tracker.switchTo(config, this.log.lastIndex());
    this.self = this.tracker.progress(this.id);
    if (this.role !== "leader") return;
    if (this.self === undefined || this.self.isLearner) {
      if (this.config.stepDownOnRemoval === true) {
        this.becomeFollower(this.term, NONE);
        return;
      }
    } else if (!knewSelf) {
      this.self.acknowledged(this.log.stableIndex);
    }
    // A smaller quorum may already hold more; and whoever is new is probed now rather than at the next heartbeat.
    maybeCommit(this);
    this.appendDue = true;
    if (this.transferTarget !== NONE && !this.tracker.isVoter(this.transferTarget)) this.transferTarget = NONE;
  }

  /** Sends what is due since the last time: once, however many proposals and reads there were. */
  flush(): void {
    if (this.appendDue) {
      this.appendDue = false;
      broadcastAppend(this);
    }
    if (this.heartbeatDue) {
      this.heartbeatDue = false;
      broadcastHeartbeat(this);
    }
  }
}
