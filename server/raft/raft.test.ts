/**
 * Random histories of whole clusters under every fault that a network and a disk know, with the invariants looked at
 * after every step; and planted mistakes, which those invariants must catch.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TestCluster, type TestMember } from "../../test/support/raft-cluster.ts";
import { RaftInvariants } from "../../test/support/raft-invariants.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import { ConfChange, ConfChangeType, type Message, MessageType } from "../proto/raftpb.ts";
import { Log } from "./log.ts";
import { newMessage } from "./message.ts";
import { Raft } from "./raft.ts";
import { ReadQueue } from "./read-index.ts";
import { Tracker } from "./tracker.ts";

const FIVE = [1n, 2n, 3n, 4n, 5n];

/** What a history did, so that a test can tell that it did something. */
interface History {
  readonly cluster: TestCluster;
  readonly counts: Map<string, number>;
}

/** Which faults a history has, drawn from its seed: each on or off, so that some histories are calm in some way. */
interface Weather {
  readonly drop: number;
  readonly duplicate: number;
  readonly reorder: boolean;
  readonly partition: number;
  readonly crash: number;
  readonly change: number;
  readonly compact: number;
}

class Soak implements History {
  readonly cluster: TestCluster;
  readonly counts = new Map<string, number>();
  readonly #random: Prng;
  readonly #weather: Weather;
  #proposals = 0;
  #reads = 0n;

  constructor(seed: number, invariants = new RaftInvariants()) {
    const random = new Prng(seed);
    this.#random = random;
    const maybe = (rate: number) => (random.chance(0.6) ? rate * (0.2 + random.below(100) / 100) : 0);
    this.#weather = {
      drop: maybe(0.1),
      duplicate: maybe(0.1),
      reorder: random.chance(0.5),
      partition: maybe(0.004),
      crash: maybe(0.006),
      change: maybe(0.02),
      compact: maybe(0.02),
    };
    const size = random.pick([1, 2, 3, 3, 3, 5, 5]);
    this.cluster = new TestCluster({
      voters: FIVE.slice(0, size),
      spare: FIVE.slice(size),
      invariants,
      random: (bound) => random.below(bound),
      raft: {
        preVote: random.chance(0.7),
        checkQuorum: random.chance(0.7),
        stepDownOnRemoval: random.chance(0.3),
        electionTicks: 3 + random.below(6),
        inflightMax: random.pick([1, 2, 8, 256]),
        maxMessageBytes: random.pick([40, 200, 1024 * 1024]),
      },
    });
  }

  run(events: number): this {
    for (let at = 0; at < events; at++) this.#event();
    return this;
  }

  #event(): void {
    const random = this.#random;
    const { members } = this.cluster;
    const member = random.pick(members);
    const weather = this.#weather;
    if (random.chance(weather.crash)) this.#crashOrRestart(member);
    else if (random.chance(weather.partition)) this.#partition();
    else if (random.chance(weather.change)) this.#change();
    else if (random.chance(weather.compact) && member.isUp && member.state.index > 0) {
      this.#count("compact");
      member.compact(random.below(5));
    } else this.#ordinary(member);
  }

  #ordinary(member: TestMember): void {
    const random = this.#random;
    const { cluster } = this;
    const dice = random.below(100);
    if (dice < 40) {
      for (let count = random.below(4); count >= 0; count--) this.#deliver();
    } else if (!member.isUp) return;
    else if (dice < 60) {
      if (member.node.hasReady() && member.pending.length < 4) cluster.take(member);
      if (random.chance(0.5)) cluster.persist(member);
    } else if (dice < 75) cluster.persist(member);
    else if (dice < 84) cluster.tick(member);
    else if (dice < 96) {
      this.#count("propose");
      cluster.propose(member.id, `${++this.#proposals}`);
    } else if (dice < 98) cluster.ask(member.id, ++this.#reads);
    else if (dice < 99) this.#report(member);
    else if (random.chance(0.3)) member.node.transferLeader(random.pick(cluster.members).id);
    else member.disk.state = member.state;
  }

  #deliver(): void {
    const random = this.#random;
    const { network } = this.cluster;
    if (network.length === 0) return;
    const at = this.#weather.reorder ? random.below(Math.min(network.length, 50)) : 0;
    const message = network[at];
    if (message === undefined) return;
    if (!random.chance(this.#weather.duplicate)) network.splice(at, 1);
    if (random.chance(this.#weather.drop)) {
      this.#count("drop");
      return;
    }
    if (this.cluster.cut.has(`${message.from}>${message.to}`)) return;
    this.cluster.deliver(message);
    // A network that nobody empties is no network.
    if (network.length > 400) network.splice(0, 200);
  }

  #report(member: TestMember): void {
    for (const { id, state } of member.node.status().progress) {
      if (state === "snapshot") member.node.reportSnapshot(id, this.#random.chance(0.5));
      else if (this.#random.chance(0.2)) member.node.reportUnreachable(id);
    }
  }

  #crashOrRestart(member: TestMember): void {
    if (!member.isUp) {
      this.cluster.restart(member);
      return;
    }
    this.#count("crash");
    this.cluster.crash(member, this.#random.below(member.pending.length + 1), this.#random.below(3));
    if (this.#random.chance(0.7)) this.cluster.restart(member);
  }

  #partition(): void {
    this.#count("partition");
    this.cluster.heal();
    if (this.#random.chance(0.4)) return;
    for (const from of FIVE) {
      for (const to of FIVE) if (this.#random.chance(0.3)) this.cluster.cut.add(`${from}>${to}`);
    }
  }

  #change(): void {
    const random = this.#random;
    const leader = this.cluster.leader();
    if (leader === undefined) return;
    const single = () => ({
      type: random.pick([ConfChangeType.ADD_NODE, ConfChangeType.REMOVE_NODE, ConfChangeType.ADD_LEARNER_NODE]),
      nodeId: random.pick(FIVE),
    });
    const accepted = random.chance(0.7)
      ? this.cluster.change(leader.id, ConfChange.create(single()))
      : this.cluster.change(leader.id, { transition: 0, changes: [single(), single()], context: EMPTY_BYTES });
    if (accepted) this.#count("change");
  }

  /** No more faults: whoever can must agree on a leader, commit something new and bring everyone level. */
  converge(): this {
    const { cluster } = this;
    cluster.heal();
    for (const member of cluster.members) if (!member.isUp) cluster.restart(member);
    for (let rounds = 0; rounds < 60; rounds++) {
      cluster.pass(5);
      for (const member of cluster.members) this.#reportAll(member);
      this.#stopRemoved();
      const leader = cluster.leader();
      if (leader === undefined || !leader.node.propose(Uint8Array.of(1))) continue;
      cluster.pass(3);
      if (this.#isLevel(leader)) return this;
    }
    const lines = cluster.members.map(({ node }) => {
      const { id, role, term, commit, lastIndex, confState } = node.status();
      return `${id}: ${role} of term ${term}, commit ${commit} of ${lastIndex}, voters ${confState.voters}/${confState.votersOutgoing}`;
    });
    throw new Error(`liveness: the cluster does not come to rest\n${lines.join("\n")}`);
  }

  /** A transport always says in the end what became of a snapshot. */
  #reportAll(member: TestMember): void {
    for (const { id, state } of member.node.status().progress) {
      if (state === "snapshot") member.node.reportSnapshot(id, false);
    }
  }

  /** As a conductor does: who has applied its own removal stops, who is wanted again starts. */
  #stopRemoved(): void {
    for (const member of this.cluster.members) {
      const isMember = (holder: TestMember, id: bigint) => {
        const { voters, votersOutgoing, learners } = holder.state.confState;
        return [voters, votersOutgoing, learners].some((ids) => ids.includes(id));
      };
      const others = this.cluster.members.filter(
        (other) => other !== member && other.isUp && isMember(other, other.id),
      );
      const isWanted = others.some((other) => isMember(other, member.id));
      // Whoever it leaves behind must know it: they may still need its vote.
      const isKnown = others.every((other) => !isMember(member, other.id) || !isMember(other, member.id));
      const isRemoved = member.state.index > 0 && !isMember(member, member.id);
      if (member.isUp && isRemoved && isKnown) this.cluster.crash(member);
      else if (!member.isUp && isWanted) this.cluster.restart(member);
    }
  }

  #isLevel(leader: TestMember): boolean {
    const { confState, lastIndex } = leader.node.status();
    const ids = [...confState.voters, ...confState.votersOutgoing, ...confState.learners];
    return ids.every((id) => {
      const { state } = this.cluster.member(id);
      return state.index === lastIndex && state.digest === leader.state.digest;
    });
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

test("random histories keep every invariant, and come to rest when the faults end", () => {
  const total = new Map<string, number>();
  let committed = 0;
  for (let seed = 1; seed <= 30; seed++) {
    try {
      const soak = new Soak(seed).run(1500).converge();
      for (const [what, count] of soak.counts) total.set(what, (total.get(what) ?? 0) + count);
      committed += soak.cluster.invariants.committedIndex;
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  // A soak in which nothing happens proves nothing.
  for (const what of ["propose", "drop", "crash", "partition", "change", "compact"]) {
    assert.ok((total.get(what) ?? 0) > 20, `${what} happened ${total.get(what) ?? 0} times`);
  }
  assert.ok(committed > 500, `${committed} entries were committed`);
});

test("the same seed gives the same history", () => {
  const digest = () =>
    new Soak(7)
      .run(1500)
      .cluster.members.map(({ state, node }) => `${state.index} ${state.digest} ${node.term}`)
      .join();
  assert.equal(digest(), digest());
});

// Planted mistakes: each breaks one rule, in the code or in what the conductor does, and must be caught by the invariant
// that is named for it, alone.

/** Runs histories with `method` of `prototype` replaced until an invariant is broken; its message, or "". */
function planted<T extends object, K extends keyof T>(prototype: T, method: K, mistake: T[K], only?: string): string {
  const right = Object.getOwnPropertyDescriptor(prototype, method) as PropertyDescriptor;
  Object.defineProperty(prototype, method, { ...right, value: mistake });
  try {
    for (let seed = 1; seed <= 200; seed++) {
      try {
        new Soak(seed, new RaftInvariants(only)).run(1500);
      } catch (error) {
        // Our own assertions may come first; that is well, but it is not what is asked here.
        if ((error as Error).name !== "AssertionFailure") return (error as Error).message;
      }
    }
    return "";
  } finally {
    Object.defineProperty(prototype, method, right);
  }
}

test("planted: a leader that commits what only it holds is caught", () => {
  function committedIndex(this: Tracker): number {
    return Math.max(...this.members.map(({ match }) => match));
  }
  assert.match(planted(Tracker.prototype, "committedIndex", committedIndex), /^committed on a quorum/);
  assert.match(
    planted(Tracker.prototype, "committedIndex", committedIndex, "leader completeness"),
    /^leader completeness/,
  );
  assert.match(
    planted(Tracker.prototype, "committedIndex", committedIndex, "state machine safety"),
    /^state machine safety/,
  );
});

test("planted: an election won without a majority is caught", () => {
  assert.match(
    planted(Tracker.prototype, "voteResult", () => "won", "election safety"),
    /^election safety/,
  );
});

test("planted: a vote for a log that is behind is caught", () => {
  assert.match(
    planted(Log.prototype, "isUpToDate", () => true, "leader completeness"),
    /^leader completeness/,
  );
});

test("planted: a follower that does not check the entry before an append is caught", () => {
  function matches(this: Log, index: number): boolean {
    return index <= this.lastIndex();
  }
  assert.match(planted(Log.prototype, "matches", matches, "log matching"), /^log matching/);
});

test("planted: a read answered without a quorum is caught", () => {
  function takeConfirmed(this: ReadQueue): ReturnType<ReadQueue["takeConfirmed"]> {
    this.acknowledge(2n, this.heartbeatContext());
    return right.call(this, { voters: [2n], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false });
  }
  const right = ReadQueue.prototype.takeConfirmed;
  // A deposed leader that hears late answers to heartbeats needs time to meet: a plain history shows it.
  const cluster = new TestCluster({ voters: FIVE.slice(0, 3), raft: { checkQuorum: false } });
  cluster.elect(1n);
  cluster.isolate(1n);
  cluster.cut.delete("3>1");
  cluster.pass(20);
  cluster.propose(cluster.leader()?.id ?? 0n, "new");
  cluster.settle();
  ReadQueue.prototype.takeConfirmed = takeConfirmed;
  try {
    assert.throws(() => {
      cluster.ask(1n, 1n);
      cluster.deliver({ ...newMessage(MessageType.HEARTBEAT_RESP, 1n), from: 3n, term: 1, context: Uint8Array.of(1) });
      cluster.settle();
    }, /^Error: linearizable reads/);
  } finally {
    ReadQueue.prototype.takeConfirmed = right;
  }
});

test("planted: a disk that says synced and is not is caught when it forgets", () => {
  let caught = "";
  for (let seed = 1; seed <= 50 && caught === ""; seed++) {
    const soak = new Soak(seed);
    for (const member of soak.cluster.members) member.disk.write = () => {};
    try {
      soak.run(1500);
    } catch (error) {
      caught = (error as Error).message;
    }
  }
  assert.match(caught, /^(durable before sent|committed on a quorum)/);
});

/** `send` with the mistake that messages of `type` do not wait for the sync. */
function sendAtOnce(type: number): Raft["send"] {
  const right = Raft.prototype.send;
  return function send(this: Raft, message: Message): void {
    right.call(this, message);
    if (message.type !== type || message.to === this.id) return;
    this.messagesAfterSync.pop();
    this.messages.push(message);
  };
}

test("planted: votes and acknowledgements that leave before their sync are caught", () => {
  for (const type of [MessageType.APP_RESP, MessageType.VOTE_RESP]) {
    assert.match(planted(Raft.prototype, "send", sendAtOnce(type)), /^durable before sent/);
  }
  const acknowledging = sendAtOnce(MessageType.APP_RESP);
  assert.match(planted(Raft.prototype, "send", acknowledging, "committed on a quorum"), /^committed on a quorum/);
});

test("planted: a vote that is forgotten and given again is caught", () => {
  const right = Raft.prototype.send;
  Raft.prototype.send = sendAtOnce(MessageType.VOTE_RESP);
  try {
    const cluster = new TestCluster({ voters: FIVE, invariants: new RaftInvariants("one vote a term") });
    const member = cluster.member(1n);
    cluster.deliver({ ...newMessage(MessageType.VOTE, 1n), from: 2n, term: 1 });
    cluster.take(member);
    cluster.crash(member);
    cluster.restart(member);
    cluster.deliver({ ...newMessage(MessageType.VOTE, 1n), from: 3n, term: 1 });
    assert.throws(() => cluster.take(member), /^Error: one vote a term/);
  } finally {
    Raft.prototype.send = right;
  }
});
