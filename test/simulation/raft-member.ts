/**
 * One member of a raft-only world through all its lives: the real `RawNode`, a disk, a state of one number, and around
 * them what the conductor of a real member does, in its order (`server/member/loop.ts`): what may leave leaves, what is
 * ready is written, one sync at a time covers all that was written before it, and only then acknowledgements leave.
 */
import type { Prng } from "../../server/base/prng.ts";
import {
  ConfChange,
  ConfChangeV2,
  type ConfState,
  type Entry,
  EntryType,
  type Message,
  MessageType,
} from "../../server/proto/raftpb.ts";
import { LogStorage, type LogStorageStart } from "../../server/raft/log-storage.ts";
import { type RaftConfig, RawNode } from "../../server/raft/raw-node.ts";
import type { Ready, SoftState } from "../../server/raft/ready.ts";
import { RaftDisk } from "./raft-disk.ts";
import type { RaftLaws, Watched } from "./raft-laws.ts";
import { type AppliedState, applied, receivedState, snapshotData } from "./raft-state.ts";
import { type Counts, longTailed, type Timeline } from "./raft-timeline.ts";
import type { RaftWeather } from "./raft-weather.ts";

/** Messages that wait for a member that is paused, at most; more are lost. */
const WAITING_MAX = 2000;
/** What a sync takes, and what is committed waits to be applied, once all is healed. */
const CALM_US = 100;

/** What is done wrong on purpose, to see that it is noticed. */
export interface PlantedMistakes {
  /** Disks say that they have synced and hold the last writes back. */
  readonly disksLie?: boolean;
  /** What depends on a sync leaves before it. */
  readonly sendsEarly?: boolean;
  /** What a member finds on its disk when it starts. */
  readonly remembered?: (start: LogStorageStart) => LogStorageStart;
  /** Another raft in place of the real one. */
  readonly node?: (config: RaftConfig) => RawNode;
}

/** The world as a member knows it. */
export interface MemberWorld {
  readonly timeline: Timeline;
  readonly weather: RaftWeather;
  readonly points: Counts;
  laws(): RaftLaws;
  readonly disks: Prng;
  readonly clocks: Prng;
  readonly members: Prng;
  readonly mistakes: PlantedMistakes;
  /** Puts a message on the network. */
  send(from: RaftMember, message: Message): void;
  /** Whether `member` dies at this named point of a round. */
  diesAt(member: RaftMember, point: string): boolean;
  /** Whether all is healed: no disk stalls and nobody is slow any more. */
  isCalm(): boolean;
}

/** What is out to be synced. */
interface Written {
  readonly ready: Ready;
  /** The write that must be on disk before its messages leave; the last that had to be synced. */
  readonly needs: number;
  readonly state: AppliedState | undefined;
}

export class RaftMember implements Watched {
  readonly id: bigint;
  readonly at: number;
  readonly disk: RaftDisk;
  readonly #world: MemberWorld;
  node: RawNode;
  storage = new LogStorage();
  state: AppliedState;
  isUp = false;
  isPaused = false;
  /** Counts its lives. */
  life = 0;
  /** How fast its clock goes; 1: right. */
  clockRate = 1;
  /** Its disk answers no sync before this time. */
  diskStallsToUs = 0;

  #waiting: (() => void)[] = [];
  #unsynced: Written[] = [];
  #isSyncing = false;
  #roundIsDue = false;
  #toApply: Entry[] = [];
  #applyIsDue = false;
  #lastNeeded = 0;

  constructor(at: number, confState: ConfState, world: MemberWorld) {
    this.at = at;
    this.id = BigInt(at + 1);
    this.#world = world;
    this.state = { index: 0, digest: 0, confState };
    this.disk = new RaftDisk(this.state, world.mistakes.disksLie ?? false);
    this.node = this.#makeNode();
  }

  // ---- life and death

  /** From what its disk holds. */
  start(): void {
    const { disk } = this;
    this.state = disk.state;
    const kept = { hardState: disk.hardState, snapshot: disk.snapshot, entries: disk.entries.slice() };
    this.storage = new LogStorage(this.#world.mistakes.remembered?.(kept) ?? kept);
    // What a follower too far behind would be sent is our state; the log may reach further back.
    if (this.state.index > 0) this.#noteSnapshot();
    this.node = this.#makeNode();
    this.life++;
    this.isUp = true;
    this.#world.laws().started(this);
    this.#world.timeline.tell(
      () => `${this.id} starts in term ${this.node.term}, ${this.state.index} applied, log to ${this.node.lastIndex}`,
    );
    this.#tickLater();
    this.#turn();
  }

  /** The process dies, or the power goes out: nothing is left but what is on the disk. */
  die(cause: "process" | "power"): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.isPaused = false;
    this.#world.timeline.tell(() => `${this.id} dies (${cause})`);
    if (cause === "process") this.disk.processDies();
    else if (this.disk.powerGoesOut(this.#world.disks)) this.#world.points.add("write torn");
    this.#waiting = [];
    this.#unsynced = [];
    this.#isSyncing = false;
    this.#roundIsDue = false;
    this.#toApply = [];
    this.#applyIsDue = false;
    this.#lastNeeded = 0;
  }

  /** Stopped in the middle of whatever it does, until it is resumed. */
  pause(): void {
    if (this.isUp) this.isPaused = true;
  }

  /** Goes on with all that has come meanwhile. */
  resume(): void {
    this.isPaused = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [at, action] of waiting.entries()) {
      if (!this.isUp) return;
      // It may have been stopped again by what it did.
      if (this.isPaused) {
        this.#waiting.push(...waiting.slice(at));
        return;
      }
      action();
      this.#turn();
    }
  }

  #makeNode(): RawNode {
    const config = {
      ...this.#world.weather.raft,
      id: this.id,
      storage: this.storage,
      applied: this.state.index,
      confState: this.state.confState,
      random: (bound: number) => this.#world.members.below(bound),
    };
    return this.#world.mistakes.node?.(config) ?? new RawNode(config);
  }

  // ---- what comes in

  /** Does something in the process of `life`: at once, or when it goes on; never once that has died. */
  run(life: number, action: () => void): void {
    if (life !== this.life || !this.isUp) return;
    if (this.isPaused) {
      this.#waiting.push(action);
      return;
    }
    action();
    this.#turn();
  }

  /** A message arrives. False: nobody is there to take it. */
  receive(message: Message): boolean {
    if (!this.isUp || this.#waiting.length >= WAITING_MAX) return false;
    this.run(this.life, () => this.node.step(message));
    return true;
  }

  #tickLater(): void {
    const { life } = this;
    const { weather, clocks, timeline } = this.#world;
    const delayUs = Math.floor(weather.tickUs / this.clockRate) + clocks.below(200);
    timeline.after(delayUs, () => {
      if (life !== this.life || !this.isUp) return;
      this.#tickLater();
      // Who is stopped sees no tick, and afterwards none of those it missed.
      if (this.isPaused) return;
      const { role, term } = this.node;
      this.node.tick();
      if (role === "leader" && this.node.isLeader) this.#world.laws().bounded(this);
      else if (role === "leader" && this.node.term === term) this.#world.points.add("stepped down without a quorum");
      this.#turn();
    });
  }

  // ---- rounds

  #turn(): void {
    // What it did may have killed it: a round noted now would be taken for one of its next life, which then asks for none.
    if (!this.isUp) return;
    this.#world.laws().see(this);
    const { gatherUs } = this.#world.weather.process;
    if (gatherUs === 0) {
      this.#rounds();
      return;
    }
    if (this.#roundIsDue) return;
    this.#roundIsDue = true;
    const { life } = this;
    this.#world.timeline.after(this.#world.members.below(gatherUs), () => {
      if (life !== this.life) return;
      this.#roundIsDue = false;
      if (this.isUp && !this.isPaused) this.#rounds();
      else if (this.isPaused) this.#waiting.push(() => undefined);
    });
  }

  #rounds(): void {
    while (this.isUp && this.node.hasReady()) this.#round(this.node.ready());
    if (this.isUp) this.#world.laws().see(this);
  }

  #round(ready: Ready): void {
    const { mistakes } = this.#world;
    const laws = this.#world.laws();
    laws.see(this);
    laws.handedOut(this, ready);
    if (ready.softState !== undefined) this.#tellRole(ready.softState);
    const needs = ready.mustSync ? this.disk.written + 1 : this.#lastNeeded;
    this.#lastNeeded = needs;
    for (const message of ready.messages) this.#send(message, dependsOnWrites(message) ? needs : 0);
    if (this.#world.diesAt(this, "died before its write")) return;
    for (const entry of ready.committedEntries) this.#toApply.push(entry);
    for (const { context, index } of ready.readStates) laws.readAnswered(Number(context), index);
    // A state that takes the place of ours follows on all that was committed before.
    if (ready.snapshot !== undefined || this.#world.weather.process.applyUs === 0) this.#apply(this.#toApply.length);
    else this.#applyLater();
    const state = receivedState(ready);
    this.disk.write(ready, state);
    this.#unsynced.push({ ready, needs, state });
    if (mistakes.sendsEarly === true) for (const message of ready.messagesAfterSync) this.#send(message, needs);
    if (this.#world.diesAt(this, "died before its sync")) return;
    this.#syncBeside();
  }

  #tellRole({ role, leaderId }: SoftState): void {
    this.#world.timeline.tell(() => `${this.id} is ${role} of ${leaderId} in term ${this.node.term}`);
  }

  /** One sync for all that has been written until now; what comes meanwhile has the next. */
  #syncBeside(): void {
    if (this.#isSyncing) return;
    // Before the first that needs it nothing has to wait, and order is kept.
    while (this.#unsynced.length > 0 && this.#unsynced[0]?.ready.mustSync === false) {
      this.#finish(this.#unsynced.shift() as Written);
      if (!this.isUp) return;
    }
    if (this.#unsynced.length === 0) return;
    this.#isSyncing = true;
    const { life, disk } = this;
    const covered = this.#unsynced.length;
    const { written } = disk;
    this.#world.timeline.after(this.#syncTimeUs(), () => {
      if (life === this.life && this.isUp) disk.synced(written);
      this.run(life, () => {
        if (this.#world.diesAt(this, "died after its sync")) return;
        this.#isSyncing = false;
        for (const out of this.#unsynced.splice(0, covered)) {
          this.#finish(out);
          if (!this.isUp) return;
        }
        this.#syncBeside();
      });
    });
  }

  #syncTimeUs(): number {
    const { weather, disks, timeline, points } = this.#world;
    if (this.#world.isCalm()) return CALM_US;
    let delayUs = longTailed(disks, weather.disk.syncUs);
    if (disks.chance(weather.disk.stallShare)) {
      points.add("sync stalled");
      delayUs += disks.below(weather.disk.stallUs);
    }
    return Math.max(delayUs, this.diskStallsToUs - timeline.nowUs);
  }

  /** The sync under it has returned: from here on it counts. */
  #finish({ ready, needs, state }: Written): void {
    if (state !== undefined) {
      this.state = state;
      this.#world.laws().applied(this, state);
      this.#world.points.add("snapshot taken in");
    }
    this.node.persisted(ready);
    if (state !== undefined) this.#world.laws().configured(this, state.confState);
    this.#world.laws().see(this);
    if (this.#world.mistakes.sendsEarly === true) return;
    for (const message of ready.messagesAfterSync) this.#send(message, needs);
  }

  #send(message: Message, needs: number): void {
    // As etcd does: what is sent is the state as it is now. An older one may be of a configuration without the receiver.
    if (message.type === MessageType.SNAP) {
      this.#noteSnapshot();
      message.snapshot = this.storage.snapshot;
    }
    this.#world.laws().sent(this, message, needs);
    this.#world.send(this, message);
  }

  // ---- applying

  #applyLater(): void {
    if (this.#applyIsDue || this.#toApply.length === 0) return;
    this.#applyIsDue = true;
    const { life } = this;
    const { timeline, members, weather } = this.#world;
    const delayUs = longTailed(members, weather.process.applyUs);
    timeline.after(this.#world.isCalm() ? CALM_US : delayUs, () => {
      this.run(life, () => {
        this.#applyIsDue = false;
        this.#apply(Math.min(this.#toApply.length, 1 + members.below(64)));
        this.#applyLater();
      });
    });
  }

  /** Applies the oldest `count` of what is committed. */
  #apply(count: number): void {
    if (count === 0) return;
    for (const entry of this.#toApply.splice(0, count)) {
      const confState = this.#changeConfiguration(entry) ?? this.state.confState;
      this.state = applied(this.state, entry, confState);
      this.#world.laws().applied(this, this.state);
    }
    this.node.appliedTo(this.state.index);
  }

  #changeConfiguration(entry: Entry): ConfState | undefined {
    if (entry.type === EntryType.NORMAL) return undefined;
    const change =
      entry.type === EntryType.CONF_CHANGE ? ConfChange.decode(entry.data) : ConfChangeV2.decode(entry.data);
    const before = this.state.confState;
    const confState = this.node.applyConfChange(change);
    // A smaller quorum may have committed more.
    this.#world.laws().see(this);
    this.#namePoints(before, confState);
    return confState;
  }

  #namePoints(before: ConfState, after: ConfState): void {
    const { points } = this.#world;
    if (before.votersOutgoing.length === 0 && after.votersOutgoing.length > 0) points.add("joint entered");
    if (before.votersOutgoing.length > 0 && after.votersOutgoing.length === 0) points.add("joint left");
    if (after.learners.length > before.learners.length) points.add("learner added");
    if (after.voters.some((id) => before.learners.includes(id))) points.add("learner promoted");
    if (before.voters.some((id) => !after.voters.includes(id))) points.add("voter removed");
    if (this.node.isLeader && !after.voters.includes(this.id)) points.add("leader removed");
  }

  // ---- the log

  /** The state is on disk, and the log before it dropped but for `keep` entries. */
  compact(keep: number): void {
    if (this.state.index === 0) return;
    this.#noteSnapshot();
    const index = Math.max(this.storage.firstIndex() - 1, this.state.index - keep);
    this.storage.compact(index);
    this.disk.compact(this.state, index);
    this.#world.points.add("log compacted");
  }

  #noteSnapshot(): void {
    this.storage.createSnapshot(this.state.index, this.state.confState, snapshotData(this.state));
  }
}

/** Kinds that vouch for something written; said here anew, not asked of raft. */
function dependsOnWrites({ type, reject }: Message): boolean {
  return type === MessageType.VOTE || (!reject && (type === MessageType.VOTE_RESP || type === MessageType.APP_RESP));
}
