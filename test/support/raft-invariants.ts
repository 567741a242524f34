/**
 * What must hold in a raft cluster at every moment (figure 3 of the paper, and what our disks owe it). A cluster tells
 * what it sees; the first thing that is wrong throws with the name of the invariant in front. Everything seen is kept
 * across crashes: a member that forgets does not make it untrue.
 */
import type { Entry, Message } from "../../server/proto/raftpb.ts";
import { MessageType } from "../../server/proto/raftpb.ts";
import type { RaftStatus } from "../../server/raft/status.ts";

/** A member as the invariants look at it. */
export interface Observed {
  readonly id: bigint;
  status(): RaftStatus;
  /** The entry at `index` of the log in memory; undefined when it is not there or compacted. */
  entry(index: number): Entry | undefined;
  /** Term of the entry at `index` on the disk; undefined when it is not there; 0 when compacted there. */
  durableTerm(index: number): number | undefined;
  /** The term and vote that the disk holds. */
  durableVote(): { readonly term: number; readonly vote: bigint };
}

function broken(invariant: string, what: string): never {
  throw new Error(`${invariant}: ${what}`);
}

export class RaftInvariants {
  /** Set to look at fewer things: a planted mistake must be caught by the one that is named for it. */
  readonly #only: string | undefined;
  readonly #leaderOf = new Map<number, bigint>();
  readonly #votes = new Map<string, bigint>();
  readonly #committed: { readonly term: number; readonly byTerm: number; readonly text: string }[] = [];
  readonly #digests: (number | undefined)[] = [];
  readonly #termOf = new Map<bigint, number>();
  readonly #commitOf = new Map<bigint, number>();
  readonly #reads = new Map<bigint, number>();
  readonly #notedOf = new Map<bigint, number>();
  readonly #ledBefore = new Map<bigint, number>();

  constructor(only?: string) {
    this.#only = only;
  }

  /** The highest index that anybody has committed. */
  get committedIndex(): number {
    return this.#committed.length;
  }

  /** Checks everything that can be seen of `member` after it did something. `all` are all members, dead ones too. */
  afterStep(member: Observed, all: readonly Observed[]): void {
    const status = member.status();
    this.#check("monotone", () => this.#monotone(status));
    this.#check("election safety", () => this.#electionSafety(status));
    this.#noteCommits(member, status, all);
    this.#check("leader completeness", () => this.#leaderCompleteness(member, status));
    this.#check("log matching", () => {
      for (const other of all) if (other.id !== member.id) this.#logMatching(member, other);
    });
  }

  /** A message leaves `member`. */
  onSend(member: Observed, message: Message): void {
    this.#check("durable before sent", () => this.#durableBeforeSent(member, message));
    this.#check("one vote a term", () => this.#oneVote(message));
  }

  /** `id` has applied `index` and its state has `digest` now. */
  onApply(id: bigint, index: number, digest: number): void {
    this.#check("state machine safety", () => {
      if (index > this.#committed.length)
        broken("state machine safety", `${id} applied ${index}, which nobody committed`);
      const known = this.#digests[index];
      if (known !== undefined && known !== digest) broken("state machine safety", `${id} differs at ${index}`);
    });
    this.#digests[index] = digest;
  }

  /** A read is asked: it may not be answered with less than what is committed now. */
  onReadAsked(context: bigint): void {
    this.#reads.set(context, this.#committed.length);
  }

  onReadAnswered(context: bigint, index: number): void {
    this.#check("linearizable reads", () => {
      const floor = this.#reads.get(context);
      if (floor === undefined) broken("linearizable reads", `answer to ${context}, which nobody asked`);
      if (index < floor)
        broken("linearizable reads", `${context} was answered ${index}, but ${floor} was committed before`);
    });
  }

  /** A crashed member comes back: its commit index may be an old one, its term not. */
  onRestart(id: bigint): void {
    this.#commitOf.delete(id);
    this.#notedOf.delete(id);
    this.#ledBefore.delete(id);
  }

  #check(name: string, check: () => void): void {
    if (this.#only === undefined || this.#only === name) check();
  }

  #monotone(status: RaftStatus): void {
    if (status.term < (this.#termOf.get(status.id) ?? 0)) broken("monotone", `the term of ${status.id} fell`);
    if (status.commit < (this.#commitOf.get(status.id) ?? 0))
      broken("monotone", `the commit index of ${status.id} fell`);
    if (status.applied > status.commit) broken("monotone", `${status.id} applied more than is committed`);
    if (status.applied > status.stableIndex) broken("monotone", `${status.id} applied more than its disk holds`);
    // Not the term in memory but the one on disk must survive, so it is noted only where it has left the member.
    this.#commitOf.set(status.id, status.commit);
  }

  #electionSafety(status: RaftStatus): void {
    if (status.role !== "leader") return;
    const known = this.#leaderOf.get(status.term);
    if (known !== undefined && known !== status.id) {
      broken("election safety", `${known} and ${status.id} lead term ${status.term}`);
    }
    this.#leaderOf.set(status.term, status.id);
  }

  /** Notes what `member` takes for committed; what is new must be on the disks of a quorum. */
  #noteCommits(member: Observed, status: RaftStatus, all: readonly Observed[]): void {
    // What was looked at once stays, but for the last few, which are looked at again.
    const from = Math.max(1, status.firstIndex, (this.#notedOf.get(member.id) ?? 0) - 8);
    this.#notedOf.set(member.id, status.commit);
    for (let index = from; index <= status.commit; index++) {
      const entry = member.entry(index);
      if (entry === undefined) continue;
      const known = this.#committed[index - 1];
      if (known === undefined) {
        if (index !== this.#committed.length + 1)
          broken("committed stays", `${member.id} commits ${index} out of order`);
        this.#check("committed on a quorum", () => this.#onQuorum(status, all, index, entry.term));
        this.#committed.push({ term: entry.term, byTerm: status.term, text: textOf(entry) });
      } else if (known.term !== entry.term || known.text !== textOf(entry)) {
        this.#check("committed stays", () => broken("committed stays", `${member.id} has another entry at ${index}`));
      }
    }
  }

  #onQuorum(status: RaftStatus, all: readonly Observed[], index: number, term: number): void {
    const { voters, votersOutgoing } = status.confState;
    for (const half of [voters, votersOutgoing]) {
      if (half.length === 0) continue;
      const holders = half.filter((id) => {
        const durable = all.find((member) => member.id === id)?.durableTerm(index);
        return durable === term || durable === 0;
      });
      if (holders.length * 2 <= half.length) {
        broken(
          "committed on a quorum",
          `${status.id} committed ${index}, which is on the disks of ${holders.join() || "nobody"}`,
        );
      }
    }
  }

  #leaderCompleteness(member: Observed, status: RaftStatus): void {
    if (status.role !== "leader") return;
    // A leader only appends, so it is looked at when it begins, and then for what was committed since.
    const from = this.#ledBefore.get(member.id) === status.term ? Math.max(1, status.commit - 16) : status.firstIndex;
    this.#ledBefore.set(member.id, status.term);
    for (let index = from; index <= this.#committed.length; index++) {
      const known = this.#committed[index - 1];
      if (known === undefined || known.byTerm > status.term || index < status.firstIndex) continue;
      if (member.entry(index)?.term !== known.term) {
        broken("leader completeness", `${member.id} leads term ${status.term} without the committed entry ${index}`);
      }
    }
  }

  #logMatching(left: Observed, right: Observed): void {
    const [leftStatus, rightStatus] = [left.status(), right.status()];
    let index = Math.min(leftStatus.lastIndex, rightStatus.lastIndex);
    const first = Math.max(leftStatus.firstIndex, rightStatus.firstIndex);
    while (index >= first && left.entry(index)?.term !== right.entry(index)?.term) index--;
    // Below an entry of equal index and term everything is equal. The nearest ones suffice: the rest was looked at
    // when it was the nearest.
    for (const stop = Math.max(first, index - 8); index >= stop; index--) {
      const [ours, theirs] = [left.entry(index), right.entry(index)];
      if (ours === undefined || theirs === undefined) continue;
      if (ours.term !== theirs.term || textOf(ours) !== textOf(theirs)) {
        broken("log matching", `${left.id} and ${right.id} agree later but differ at ${index}`);
      }
    }
  }

  #durableBeforeSent(member: Observed, message: Message): void {
    const durable = member.durableVote();
    const vouchesForTerm =
      message.type !== MessageType.PRE_VOTE &&
      message.type !== MessageType.PROP &&
      message.type !== MessageType.READ_INDEX &&
      message.type !== MessageType.TRANSFER_LEADER &&
      !(message.type === MessageType.PRE_VOTE_RESP && !message.reject);
    if (vouchesForTerm) {
      if (message.term > durable.term) {
        broken("durable before sent", `${member.id} speaks of term ${message.term}, its disk of ${durable.term}`);
      }
      // From here on the member may never fall behind this term, whatever happens to it.
      this.#termOf.set(member.id, Math.max(message.term, this.#termOf.get(member.id) ?? 0));
    }
    if (message.type === MessageType.VOTE_RESP && !message.reject && durable.term === message.term) {
      if (durable.vote !== message.to) {
        broken("durable before sent", `${member.id} votes for ${message.to}, its disk says ${durable.vote}`);
      }
    }
    // An acknowledgement of an earlier term was true then, and that term is over on the disk too: it is only late.
    const isAck = message.type === MessageType.APP_RESP && !message.reject && message.term === durable.term;
    if (isAck && message.index > 0) {
      if (member.durableTerm(message.index) === undefined) {
        broken("durable before sent", `${member.id} acknowledges ${message.index}, which its disk does not hold`);
      }
    }
  }

  #oneVote(message: Message): void {
    const isVote = message.type === MessageType.VOTE_RESP && !message.reject;
    if (!isVote && message.type !== MessageType.VOTE) return;
    // Whoever asks for votes has given itself its own.
    const key = `${message.from} in term ${message.term}`;
    const candidate = isVote ? message.to : message.from;
    const known = this.#votes.get(key);
    if (known !== undefined && known !== candidate) {
      broken("one vote a term", `${key} votes for ${known} and for ${candidate}`);
    }
    this.#votes.set(key, candidate);
  }
}

function textOf(entry: Entry): string {
  return `${entry.type}:${Buffer.from(entry.data).toString("latin1")}`;
}
