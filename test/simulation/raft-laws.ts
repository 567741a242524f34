/**
 * What must hold after each event of a raft-only world (figure 3 of the paper, and what disks and reads owe it). The
 * first thing that is wrong throws an Error with the name of the law in front. Everything seen is kept across crashes: a
 * member that forgets does not make it untrue.
 *
 * No log is read twice. An entry is one object wherever it is, so that all that is known of (term, index) is kept once
 * for everybody: the object, and what stands before it. Two logs that hold the same entry then are equal up to it, by
 * induction over the entries that each was given ("log matching"), and a log holds all that is committed when it holds
 * the last of it ("leader completeness").
 */
import type { ConfState, Entry, Message } from "../../server/proto/raftpb.ts";
import { MessageType } from "../../server/proto/raftpb.ts";
import { equalConfStates } from "../../server/raft/conf-change.ts";
import type { LogStorage } from "../../server/raft/log-storage.ts";
import type { RawNode } from "../../server/raft/raw-node.ts";
import type { Ready } from "../../server/raft/ready.ts";
import { beyondBounds } from "./raft-bounds.ts";
import type { RaftDisk } from "./raft-disk.ts";
import type { AppliedState } from "./raft-state.ts";
import type { Counts } from "./raft-timeline.ts";
import type { RaftWeather } from "./raft-weather.ts";

export type Law =
  | "election safety"
  | "elected by a quorum"
  | "leader completeness"
  | "leader append-only"
  | "log matching"
  | "committed on a quorum"
  | "committed stays"
  | "state machine safety"
  | "configuration"
  | "monotone"
  | "one vote a term"
  | "durable before sent"
  | "linearizable reads"
  | "bounds";

/** A member as the laws look at it. */
export interface Watched {
  readonly id: bigint;
  /** Its place, from 0 on. */
  readonly at: number;
  readonly node: RawNode;
  readonly storage: LogStorage;
  readonly disk: RaftDisk;
  readonly isUp: boolean;
}

/** What was seen of a member in its present life. */
interface Seen {
  term: number;
  commit: number;
  applied: number;
  /** The last term that it led, and the last entry that it was given since. */
  ledTerm: number;
  ledLast: number;
}

/** All entries of one term: its leader only appends, so they follow one another. */
interface TermEntries {
  readonly first: number;
  readonly termBefore: number;
  readonly entries: Entry[];
}

interface Committed {
  readonly term: number;
  /** The term of the leader that committed it. */
  readonly byTerm: number;
}

export class RaftLaws {
  readonly #members: readonly Watched[];
  readonly #weather: RaftWeather;
  readonly #points: Counts;
  readonly #passOver: ReadonlySet<Law>;

  readonly #seen: Seen[];
  /** By place: the highest term that it spoke of, and whom it voted for by term. */
  readonly #spoke: number[];
  readonly #votes: bigint[][];
  readonly #leaders: bigint[] = [];
  /** By the term of the leader that handed its place on. */
  readonly #handedTo: bigint[] = [];
  readonly #terms: TermEntries[] = [];
  /** Entry i at i - 1. */
  readonly #committed: Committed[] = [];
  readonly #digests: number[] = [];
  /** The commit index when a read was asked, by its number. */
  readonly #floors: number[] = [];

  /** `passOver`: laws not looked at, so that a planted mistake can be shown to break those that follow from them. */
  constructor(parts: {
    members: readonly Watched[];
    weather: RaftWeather;
    points: Counts;
    passOver: ReadonlySet<Law>;
  }) {
    this.#members = parts.members;
    this.#weather = parts.weather;
    this.#points = parts.points;
    this.#passOver = parts.passOver;
    this.#seen = parts.members.map(() => ({ term: 0, commit: 0, applied: 0, ledTerm: 0, ledLast: 0 }));
    this.#spoke = parts.members.map(() => 0);
    this.#votes = parts.members.map(() => []);
  }

  /** The highest index that anybody has committed. */
  get committedIndex(): number {
    return this.#committed.length;
  }

  /** The terms that had a leader. */
  get ledTerms(): number {
    let count = 0;
    for (const leader of this.#leaders) if (leader !== undefined) count++;
    return count;
  }

  #broken(law: Law, what: string): void {
    if (!this.#passOver.has(law)) throw new Error(`${law}: ${what}`);
  }

  // ---- what a member is

  /** A life begins: the commit index may be an old one, what others were told may not. */
  started(member: Watched): void {
    const { node } = member;
    if (node.term < (this.#spoke[member.at] as number))
      this.#broken(
        "monotone",
        `${member.id} comes back in term ${node.term} and had spoken of ${this.#spoke[member.at]}`,
      );
    const lastTerm = termAt(member, node.lastIndex) ?? 0;
    if (lastTerm > node.term)
      this.#broken("monotone", `${member.id} comes back in term ${node.term} with an entry of term ${lastTerm}`);
    this.#seen[member.at] = {
      term: node.term,
      commit: node.commitIndex,
      applied: node.appliedIndex,
      ledTerm: 0,
      ledLast: 0,
    };
  }

  /** After whatever `member` did. */
  see(member: Watched): void {
    const { node } = member;
    const seen = this.#seen[member.at] as Seen;
    const { term, commitIndex, appliedIndex } = node;
    if (term !== seen.term) {
      if (term < seen.term) this.#broken("monotone", `the term of ${member.id} fell from ${seen.term} to ${term}`);
      seen.term = term;
    }
    if (node.isLeader && seen.ledTerm !== term) this.#elected(member, seen);
    if (commitIndex !== seen.commit) {
      if (commitIndex < seen.commit) this.#broken("monotone", `the commit index of ${member.id} fell`);
      this.#noteCommits(member, seen.commit + 1, commitIndex);
      seen.commit = commitIndex;
    }
    if (appliedIndex !== seen.applied) {
      if (appliedIndex < seen.applied) this.#broken("monotone", `the applied index of ${member.id} fell`);
      if (appliedIndex > commitIndex) this.#broken("monotone", `${member.id} applied more than is committed`);
      if (appliedIndex > member.disk.lastIndex)
        this.#broken(
          "durable before sent",
          `${member.id} applied ${appliedIndex}, its disk ends at ${member.disk.lastIndex}`,
        );
      seen.applied = appliedIndex;
    }
  }

  #elected(member: Watched, seen: Seen): void {
    const { node, id } = member;
    const { term } = node;
    const known = this.#leaders[term];
    if (known !== undefined) this.#broken("election safety", `${known} and ${id} lead term ${term}`);
    this.#leaders[term] = id;
    this.#points.add(this.#handedTo[term - 1] === id ? "transfer done" : "election won");
    seen.ledTerm = term;
    seen.ledLast = node.lastIndex - 1;
    const { voters, votersOutgoing } = node.confState;
    if (!voters.includes(id) && !votersOutgoing.includes(id))
      this.#broken("elected by a quorum", `${id} leads term ${term} and is no voter`);
    for (const half of [voters, votersOutgoing]) {
      const given = half.filter((voter) => this.#votedFor(voter, term) === id).length;
      if (half.length > 0 && given * 2 <= half.length)
        this.#broken("elected by a quorum", `${id} leads term ${term} with ${given} votes of ${half.length}`);
    }
    this.#holdsCommitted(member);
  }

  #votedFor(voter: bigint, term: number): bigint | undefined {
    const member = this.#members[Number(voter) - 1] as Watched;
    // Of a member alone no message tells; what its disk says does.
    const { hardState } = member.disk;
    return this.#votes[member.at]?.[term] ?? (hardState.term === term ? hardState.vote : undefined);
  }

  #holdsCommitted(leader: Watched): void {
    const index = this.#committed.length;
    const last = this.#committed[index - 1];
    if (last === undefined || index < leader.storage.firstIndex()) return;
    if (leader.node.entry(index)?.term !== last.term && last.byTerm <= leader.node.term)
      this.#broken(
        "leader completeness",
        `${leader.id} leads term ${leader.node.term} without the committed entry ${index} of term ${last.term}`,
      );
  }

  #noteCommits(member: Watched, from: number, to: number): void {
    const known = this.#committed.length;
    for (let index = Math.min(from, known + 1); index <= to; index++) {
      const term = termAt(member, index);
      if (term === undefined) continue;
      const committed = this.#committed[index - 1];
      if (committed === undefined) this.#committed[index - 1] = { term, byTerm: member.node.term };
      else if (committed.term !== term)
        this.#broken("committed stays", `${member.id} has term ${term} at ${index}, committed was ${committed.term}`);
    }
    if (to <= known) return;
    if (this.#committed.length !== to)
      this.#broken("committed stays", `${member.id} commits ${to}, which it does not hold`);
    if (!member.node.isLeader)
      this.#broken("committed on a quorum", `${member.id} does not lead and is the first to commit ${to}`);
    // Section 5.4.2: what an earlier leader began may be replaced even when a quorum holds it.
    else if (this.#committed[to - 1]?.term !== member.node.term)
      this.#broken("committed on a quorum", `${member.id} commits ${to}, which is not of its own term, by counting`);
    this.#onQuorum(member, to);
    for (const other of this.#members)
      if (other.isUp && other.node.isLeader && other.node.term > member.node.term) this.#holdsCommitted(other);
  }

  #onQuorum({ id, node }: Watched, index: number): void {
    const { term } = this.#committed[index - 1] as Committed;
    const { voters, votersOutgoing } = node.confState;
    for (const half of [voters, votersOutgoing]) {
      let holders = 0;
      for (const voter of half) if (this.#members[Number(voter) - 1]?.disk.holds(index, term)) holders++;
      if (half.length > 0 && holders * 2 <= half.length)
        this.#broken("committed on a quorum", `${id} committed ${index}, on ${holders} disks of ${half.length} voters`);
    }
  }

  // ---- what a member is given

  /** Raft told `member` to store and apply what is in `ready`. */
  handedOut(member: Watched, ready: Ready): void {
    const { entries } = ready;
    const first = entries[0];
    if (first === undefined) return;
    const seen = this.#seen[member.at] as Seen;
    if (member.node.isLeader) {
      if (first.index <= seen.ledLast)
        this.#broken("leader append-only", `${member.id} replaces its own entry ${first.index}`);
      seen.ledLast = (entries.at(-1) as Entry).index;
    } else if (first.index <= member.storage.lastIndex()) this.#points.add("entries replaced");
    let termBefore = this.#termBefore(member, first.index - 1);
    for (const entry of entries) {
      this.#matches(member, entry, termBefore);
      termBefore = entry.term;
    }
  }

  /** Of a snapshot that is not on disk yet raft shows no term: it stands for what was committed. */
  #termBefore(member: Watched, index: number): number | undefined {
    if (member.node.pendingSnapshotIndex === index) return this.#committed[index - 1]?.term;
    return termAt(member, index);
  }

  /** Whether this is the one entry that there is at its place, behind the one that stands before it everywhere. */
  #matches(member: Watched, entry: Entry, termBefore: number | undefined): void {
    const { term, index } = entry;
    let known = this.#terms[term];
    if (known === undefined) {
      known = { first: index, termBefore: termBefore ?? 0, entries: [] };
      this.#terms[term] = known;
    }
    const at = index - known.first;
    const before = at === 0 ? known.termBefore : term;
    if (at < 0 || termBefore !== before)
      this.#broken("log matching", `${member.id} has term ${termBefore} before (${term}, ${index}), others ${before}`);
    const same = known.entries[at];
    if (same === entry) return;
    if (same !== undefined || at > known.entries.length || this.#leaders[term] !== member.id)
      this.#broken("log matching", `${member.id} has another entry at (${term}, ${index}) than its leader made`);
    known.entries[at] = entry;
  }

  /** `member` has applied everything up to `state`. */
  applied(member: Watched, { index, digest }: AppliedState): void {
    if (index > this.#committed.length)
      this.#broken("state machine safety", `${member.id} applied ${index}, which nobody committed`);
    const known = this.#digests[index];
    if (known !== undefined && known !== digest)
      this.#broken("state machine safety", `${member.id} differs at ${index}`);
    this.#digests[index] = digest;
  }

  /** What raft counts with is the configuration of what was applied. */
  configured(member: Watched, applied: ConfState): void {
    if (!equalConfStates(member.node.confState, applied))
      this.#broken("configuration", `${member.id} counts with another configuration than it applied`);
  }

  // ---- what leaves a member

  /** A message leaves; `needs` is the number of the write that must be on disk before. */
  sent(member: Watched, message: Message, needs: number): void {
    const { type, term } = message;
    const { disk, id } = member;
    if (disk.durable < needs)
      this.#broken("durable before sent", `${id} sends kind ${type} before write ${needs} is synced`);
    if (vouchesForTerm(message)) {
      if (term > disk.hardState.term)
        this.#broken("durable before sent", `${id} speaks of term ${term}, its disk of ${disk.hardState.term}`);
      if (term > (this.#spoke[member.at] as number)) this.#spoke[member.at] = term;
    }
    if (type === MessageType.TIMEOUT_NOW) this.#handedTo[term] = message.to;
    if (type === MessageType.APP) this.#entriesLeave(member, message);
    if (type === MessageType.VOTE) this.#voted(member, term, id);
    else if (type === MessageType.VOTE_RESP && !message.reject) this.#voted(member, term, message.to);
    else if (type === MessageType.APP_RESP && !message.reject && message.index > disk.lastIndex) {
      // An acknowledgement of an earlier term was true then, and that term is over on the disk too: it is only late.
      if (term === disk.hardState.term)
        this.#broken("durable before sent", `${id} acknowledges ${message.index}, its disk ends at ${disk.lastIndex}`);
    }
  }

  /** A leader may lose its place, and its newest entries, between an append and its leaving: others know them first. */
  #entriesLeave(member: Watched, { logTerm, entries }: Message): void {
    let termBefore = logTerm;
    for (const entry of entries) {
      this.#matches(member, entry, termBefore);
      termBefore = entry.term;
    }
  }

  #voted(member: Watched, term: number, candidate: bigint): void {
    const { hardState } = member.disk;
    if (hardState.term === term && hardState.vote !== candidate)
      this.#broken("durable before sent", `${member.id} votes for ${candidate}, its disk says ${hardState.vote}`);
    const votes = this.#votes[member.at] as bigint[];
    const known = votes[term];
    if (known !== undefined && known !== candidate)
      this.#broken("one vote a term", `${member.id} votes for ${known} and for ${candidate} in term ${term}`);
    votes[term] = candidate;
  }

  // ---- reads

  /** A read is asked; answered with less than what is committed now it would be stale. */
  readAsked(context: number): void {
    this.#floors[context] = this.#committed.length;
  }

  readAnswered(context: number, index: number): void {
    const floor = this.#floors[context];
    if (floor === undefined) this.#broken("linearizable reads", `an answer to ${context}, which nobody asked`);
    else if (index < floor)
      this.#broken("linearizable reads", `read ${context} was answered ${index}, but ${floor} was committed before`);
  }

  /** What a leader has let out and taken on. Dear: now and then. */
  bounded({ node }: Watched): void {
    const beyond = beyondBounds(node, this.#weather);
    if (beyond !== undefined) this.#broken("bounds", beyond);
  }
}

/** Term of the entry at `index` of the log in memory, or of the last one compacted. */
function termAt({ node, storage }: Watched, index: number): number | undefined {
  return node.entry(index)?.term ?? (node.pendingSnapshotIndex === undefined ? storage.term(index) : undefined);
}

/** Whether a member that said this may never fall behind its term. */
function vouchesForTerm({ type, reject }: Message): boolean {
  switch (type) {
    case MessageType.PRE_VOTE:
    case MessageType.PROP:
    case MessageType.READ_INDEX:
    case MessageType.TRANSFER_LEADER:
      return false;
    case MessageType.PRE_VOTE_RESP:
      return reject;
    default:
      return true;
  }
}
