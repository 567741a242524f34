/**
 * A raft cluster in memory: real `RawNode`s, each with a disk that forgets what was not synced, on a network that does
 * what it is told. Nothing happens by itself: a test says who ticks, what is delivered, whose disk answers, who crashes.
 * Invariants are checked after every step.
 */
import { utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { readUint64, writeUint64 } from "../../server/base/int64.ts";
import {
  ConfChange,
  ConfChangeV2,
  type ConfState,
  type Entry,
  EntryType,
  type HardState,
  type Message,
  MessageType,
  type Snapshot,
  type SnapshotMetadata,
} from "../../server/proto/raftpb.ts";
import type { AnyConfChange } from "../../server/raft/conf-change.ts";
import { emptyConfState } from "../../server/raft/conf-change.ts";
import { LogStorage } from "../../server/raft/log-storage.ts";
import { type RaftConfig, RawNode } from "../../server/raft/raw-node.ts";
import type { Ready } from "../../server/raft/ready.ts";
import type { RaftStatus } from "../../server/raft/status.ts";
import { type Observed, RaftInvariants } from "./raft-invariants.ts";

/** Who is there, and what differs from the usual configuration. */
export interface ClusterOptions {
  readonly voters: readonly bigint[];
  readonly learners?: readonly bigint[];
  /** Members that run but are in no configuration yet. */
  readonly spare?: readonly bigint[];
  readonly invariants?: RaftInvariants;
  /** Uniform in [0, bound). Without it election timeouts differ by member and are always the same. */
  random?(bound: number): number;
  readonly raft?: Partial<Omit<RaftConfig, "id" | "storage" | "applied" | "confState" | "random">>;
}

/** What was applied, as one number and the texts. */
interface State {
  readonly index: number;
  readonly digest: number;
  readonly confState: ConfState;
}

/** What is left after a crash. */
class TestDisk {
  hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  snapshot: SnapshotMetadata = { index: 0, term: 0, confState: undefined };
  entries: Entry[] = [];
  state: State;

  constructor(state: State) {
    this.state = state;
  }

  /** A write of which `entryCount` entries arrived; the hard state stands behind them. */
  write(ready: Ready, entryCount = ready.entries.length): void {
    const metadata = ready.snapshot?.metadata;
    if (metadata !== undefined && metadata.index > this.snapshot.index) {
      this.snapshot = metadata;
      this.entries = [];
    }
    for (const entry of ready.entries.slice(0, entryCount)) {
      const at = entry.index - this.snapshot.index - 1;
      if (at < 0) continue;
      if (at > this.entries.length) throw new Error(`a gap in the log on disk before ${entry.index}`);
      this.entries.length = at;
      this.entries.push(entry);
    }
    if (entryCount === ready.entries.length && ready.hardState !== undefined) this.hardState = ready.hardState;
  }

  compact(metadata: SnapshotMetadata): void {
    this.entries = this.entries.slice(metadata.index - this.snapshot.index);
    this.snapshot = metadata;
  }
}

/** One member: its node, its disk and what it has applied. */
export class TestMember implements Observed {
  readonly id: bigint;
  readonly disk: TestDisk;
  isUp = true;
  node: RawNode;
  storage: LogStorage;
  state: State;
  /** Texts of the normal entries applied since the last start. */
  texts: string[] = [];
  /** Answers to reads since the beginning. */
  readonly reads: { readonly index: number; readonly context: bigint }[] = [];
  /** Readys whose disk has not answered, oldest first. */
  readonly pending: Ready[] = [];
  readonly #options: ClusterOptions;

  constructor(id: bigint, confState: ConfState, options: ClusterOptions) {
    this.id = id;
    this.#options = options;
    this.state = { index: 0, digest: 0, confState };
    this.disk = new TestDisk(this.state);
    this.storage = new LogStorage();
    this.node = this.#start();
  }

  #start(): RawNode {
    const { random, raft } = this.#options;
    return new RawNode({
      electionTicks: 10,
      heartbeatTicks: 1,
      preVote: true,
      checkQuorum: true,
      maxMessageBytes: 1024 * 1024,
      inflightMax: 256,
      ...raft,
      id: this.id,
      storage: this.storage,
      applied: this.state.index,
      confState: this.state.confState,
      random: random ?? ((bound) => Number(this.id) % bound),
    });
  }

  /** Everything that is not on disk is gone. */
  crash(): void {
    this.isUp = false;
    this.pending.length = 0;
  }

  restart(): void {
    this.isUp = true;
    this.state = this.disk.state;
    this.texts = [];
    this.storage = new LogStorage({
      hardState: this.disk.hardState,
      snapshot: this.disk.snapshot,
      entries: this.disk.entries.slice(),
    });
    // What a follower too far behind would be sent is our state; the log may reach further back.
    if (this.state.index > 0)
      this.storage.createSnapshot(this.state.index, this.state.confState, stateBytes(this.state));
    this.node = this.#start();
  }

  /** Notes the state so far as the snapshot to send. */
  snapshot(): Snapshot {
    return this.storage.createSnapshot(this.state.index, this.state.confState, stateBytes(this.state));
  }

  /** The state so far is on disk, a snapshot of it noted, and the log before it dropped but for `keep` entries. */
  compact(keep = 0): void {
    this.disk.state = this.state;
    const snapshot = this.snapshot();
    const index = Math.max(this.storage.firstIndex() - 1, this.state.index - keep);
    this.storage.compact(index);
    const term = this.storage.term(index) ?? 0;
    if (index > this.disk.snapshot.index && index <= this.disk.snapshot.index + this.disk.entries.length) {
      this.disk.compact({ index, term, confState: snapshot.metadata?.confState });
    }
  }

  status(): RaftStatus {
    return this.node.status();
  }

  entry(index: number): Entry | undefined {
    return this.node.entry(index);
  }

  durableTerm(index: number): number | undefined {
    const { snapshot, entries } = this.disk;
    return index <= snapshot.index ? 0 : entries[index - snapshot.index - 1]?.term;
  }

  durableVote(): { term: number; vote: bigint } {
    return this.disk.hardState;
  }
}

export class TestCluster {
  readonly members: readonly TestMember[];
  readonly invariants: RaftInvariants;
  /** Messages under way, oldest first. */
  network: Message[] = [];
  /** Links that lose everything, as "from>to". */
  readonly cut = new Set<string>();
  /** Every message that left, for tests that look at them. */
  readonly sent: Message[] = [];
  /** Decides about a message before it is put on the network; false loses it. */
  filter: (message: Message) => boolean = () => true;

  constructor(options: ClusterOptions) {
    this.invariants = options.invariants ?? new RaftInvariants();
    const confState: ConfState = {
      ...emptyConfState(),
      voters: [...options.voters],
      learners: [...(options.learners ?? [])],
    };
    const ids = [...options.voters, ...(options.learners ?? []), ...(options.spare ?? [])];
    this.members = ids.map((id) => new TestMember(id, confState, options));
  }

  member(id: bigint): TestMember {
    const member = this.members.find((candidate) => candidate.id === id);
    if (member === undefined) throw new Error(`no member ${id}`);
    return member;
  }

  node(id: bigint): RawNode {
    return this.member(id).node;
  }

  /** The member that leads the highest term; undefined when nobody leads. */
  leader(): TestMember | undefined {
    let leader: TestMember | undefined;
    for (const member of this.members) {
      if (member.isUp && member.node.isLeader && member.node.term > (leader?.node.term ?? 0)) leader = member;
    }
    return leader;
  }

  // Steps

  /** Takes one Ready of `member`: what may leave at once leaves, what is committed is applied. */
  take(member: TestMember): void {
    const ready = member.node.ready();
    this.#see(member);
    this.#apply(member, ready);
    for (const read of ready.readStates) {
      this.invariants.onReadAnswered(read.context, read.index);
      member.reads.push(read);
    }
    member.pending.push(ready);
    this.#send(member, ready.messages);
  }

  /** The disk of `member` answers for the oldest Ready. */
  persist(member: TestMember): void {
    const ready = member.pending.shift();
    if (ready === undefined) return;
    member.disk.write(ready);
    if (ready.snapshot?.metadata !== undefined) {
      const { index, confState } = ready.snapshot.metadata;
      member.state = { index, digest: readUint64(ready.snapshot.data, 0), confState: confState ?? emptyConfState() };
      member.disk.state = member.state;
      this.invariants.onApply(member.id, index, member.state.digest);
    }
    member.node.persisted(ready);
    this.#see(member);
    this.#send(member, ready.messagesAfterSync);
  }

  /** Gives `message` to whom it is for, unless that one is down. */
  deliver(message: Message): void {
    const member = this.members.find((candidate) => candidate.id === message.to);
    if (member === undefined || !member.isUp) return;
    member.node.step(message);
    this.#see(member);
  }

  tick(member: TestMember): void {
    member.node.tick();
    this.#see(member);
  }

  /** Does everything that can be done without the clock: disks answer at once, messages arrive in order. */
  settle(): void {
    for (let rounds = 0; rounds < 10_000; rounds++) {
      let isQuiet = true;
      for (const member of this.members) {
        while (member.isUp && (member.node.hasReady() || member.pending.length > 0)) {
          isQuiet = false;
          if (member.node.hasReady()) this.take(member);
          this.persist(member);
        }
      }
      const messages = this.network;
      this.network = [];
      for (const message of messages) this.deliver(message);
      if (isQuiet && messages.length === 0) return;
    }
    throw new Error("the cluster never comes to rest");
  }

  /** `ticks` ticks of every clock, settling after each. */
  pass(ticks: number): void {
    for (let at = 0; at < ticks; at++) {
      for (const member of this.members) if (member.isUp) this.tick(member);
      this.settle();
    }
  }

  /** `id` campaigns and wins. */
  elect(id: bigint): TestMember {
    this.settle();
    this.node(id).campaign();
    this.settle();
    const member = this.member(id);
    if (!member.node.isLeader) throw new Error(`${id} did not win`);
    return member;
  }

  propose(id: bigint, text: string): boolean {
    const accepted = this.node(id).propose(utf8Bytes(text));
    this.#see(this.member(id));
    return accepted;
  }

  change(id: bigint, change: AnyConfChange): boolean {
    const accepted = this.node(id).proposeConfChange(change);
    this.#see(this.member(id));
    return accepted;
  }

  ask(id: bigint, context: bigint): boolean {
    this.invariants.onReadAsked(context);
    return this.node(id).readIndex(context);
  }

  /**
   * Gives `id` the log of an earlier life: one entry for each of `terms`, with its last term (or `term`) in the hard
   * state. The member starts anew on it.
   */
  seed(id: bigint, terms: readonly number[], hardState: Partial<HardState> = {}): void {
    const member = this.member(id);
    member.disk.entries = terms.map((term, at) => ({
      type: EntryType.NORMAL,
      term,
      index: at + 1,
      data: utf8Bytes(`${term}.${at + 1}`),
    }));
    member.disk.hardState = { term: terms.at(-1) ?? 0, vote: 0n, commit: 0, ...hardState };
    member.restart();
  }

  // Faults

  /** Cuts every link between `ids` and the others, both ways. */
  isolate(...ids: bigint[]): void {
    for (const left of this.members) {
      for (const right of this.members) {
        if (ids.includes(left.id) !== ids.includes(right.id)) this.cut.add(`${left.id}>${right.id}`);
      }
    }
  }

  heal(): void {
    this.cut.clear();
  }

  /** Power fails: of the writes that are out some arrived, in order, maybe a part of one more. */
  crash(member: TestMember, arrived = 0, entriesOfNext = 0): void {
    for (const ready of member.pending.slice(0, arrived)) {
      // Its state would be lost without its snapshot; that pair is one write to us.
      if (ready.snapshot !== undefined) break;
      member.disk.write(ready);
    }
    const next = member.pending[arrived];
    if (next !== undefined && next.snapshot === undefined && entriesOfNext < next.entries.length) {
      if (!member.pending.slice(0, arrived).some((ready) => ready.snapshot !== undefined)) {
        member.disk.write(next, entriesOfNext);
      }
    }
    member.crash();
  }

  restart(member: TestMember): void {
    member.restart();
    this.invariants.onRestart(member.id);
    this.#see(member);
  }

  #apply(member: TestMember, ready: Ready): void {
    for (const entry of ready.committedEntries) {
      const { digest } = member.state;
      let { confState } = member.state;
      if (entry.type === EntryType.CONF_CHANGE) confState = member.node.applyConfChange(ConfChange.decode(entry.data));
      if (entry.type === EntryType.CONF_CHANGE_V2)
        confState = member.node.applyConfChange(ConfChangeV2.decode(entry.data));
      if (entry.type === EntryType.NORMAL && entry.data.length > 0) member.texts.push(utf8Text(entry.data));
      member.state = { index: entry.index, digest: chain(digest, entry), confState };
      this.invariants.onApply(member.id, entry.index, member.state.digest);
    }
    if (ready.committedEntries.length > 0) member.node.appliedTo(member.state.index);
    this.#see(member);
  }

  #send(member: TestMember, messages: readonly Message[]): void {
    for (const message of messages) {
      // As etcd does: what is sent is the state as it is now. An older one may be of a configuration without the receiver.
      if (message.type === MessageType.SNAP) message.snapshot = member.snapshot();
      this.invariants.onSend(member, message);
      this.sent.push(message);
      if (!this.cut.has(`${member.id}>${message.to}`) && this.filter(message)) this.network.push(message);
    }
  }

  #see(member: TestMember): void {
    this.invariants.afterStep(member, this.members);
  }
}

/** The digest of a state after one more entry. */
function chain(digest: number, entry: Entry): number {
  let hash = (digest ^ (entry.index * 31 + entry.term * 7 + entry.type)) >>> 0;
  for (const byte of entry.data) hash = Math.imul(hash ^ byte, 16777619) >>> 0;
  return Math.imul(hash ^ 0x9e3779b9, 2654435761) >>> 0;
}

function stateBytes(state: State): Uint8Array {
  const bytes = new Uint8Array(8);
  writeUint64(bytes, 0, state.digest);
  return bytes;
}
