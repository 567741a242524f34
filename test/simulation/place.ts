/** One member of a simulated cluster through all its lives: its disk, its store, its process. */
import { Prng } from "../../server/base/prng.ts";
import { makeDurableFolder } from "../../server/member/durable-folder.ts";
import { Member } from "../../server/member/member.ts";
import { NO_METRICS } from "../../server/member/member-metrics.ts";
import type { JoinedCluster, MemberOptions } from "../../server/member/options.ts";
import type { LogFields } from "../../server/ports/logger.ts";
import type { Network, Receiver } from "../../server/ports/network.ts";
import { LifeClock } from "./life-clock.ts";
import { OPTIONS } from "./one-member.ts";
import { stream } from "./swarm.ts";
import { MemoryBackend } from "./world/backend.ts";
import type { SimClock } from "./world/clock.ts";
import { type Operation, SimDisk } from "./world/disk.ts";
import type { SimulatedNetwork } from "./world/network.ts";

/** So that some who were away find the log cut, and others do not. */
const LOG = { snapshotCount: 60, snapshotCatchupEntries: 30, transitBytes: 2 ** 20 };
/** What a member may be about when its power goes out. */
export const MOMENTS = [
  "new file of the log",
  "old file of the log",
  "state loaded",
  "state exchanged",
  "compaction",
] as const;
export type Moment = (typeof MOMENTS)[number];
/** A compaction is over within some milliseconds. */
const COMPACTION_MS = 12;

/** How long a sync takes on a disk that is well. */
export const SYNC_MS = 2;

/** What a place tells the world that it stands in. */
export interface PlaceHost {
  readonly clock: SimClock;
  readonly network: SimulatedNetwork;
  readonly seed: number;
  /** In place of what members are told otherwise. */
  readonly options?: Partial<MemberOptions>;
  /** A place has come to one of the moments at which its power may go out. */
  came?(place: Place, moment: Moment): void;
  /** A member has said something. */
  said(place: Place, level: string, message: string, fields?: LogFields): void;
  /** An entry was applied, and with it perhaps a revision. */
  applied(place: Place, member: Member, kind: string, isOk: boolean): void;
  became(place: Place, member: Member, hasLeader: boolean, isLeader: boolean): void;
  /** The process ends by itself; `isOrdered`: for a fault of the disk that it was meant to meet. */
  died(place: Place, error: unknown, isOrdered: boolean): void;
  removed(place: Place): void;
}

export class Place {
  readonly name: string;
  readonly id: bigint;
  readonly url: string;
  readonly disk: SimDisk;
  backend: MemoryBackend;
  clock: LifeClock;
  member: Member | undefined;
  isServing = false;
  /** Whether it belongs to the cluster: "leaving" when its removal was asked for. */
  standing: "member" | "leaving" | "removed" = "member";
  /** A fault of the disk was ordered in this life: the process may give up. */
  isDiskFaulty = false;
  syncMs = SYNC_MS;
  /** The revision up to which its changes were compared. */
  seenRevision = 0;
  /** Its power is to go out once it comes to one of these moments, so many operations of its disk or milliseconds later. */
  readonly ambushes = new Map<Moment, number>();
  /** The moment at which the power was made to go out in this life. */
  sprung: Moment | undefined;
  readonly #host: PlaceHost;
  /** Undefined: it was there from the beginning. */
  readonly #joined: JoinedCluster | undefined;
  readonly #initialCluster: ReadonlyMap<string, readonly string[]>;

  constructor(
    host: PlaceHost,
    {
      name,
      id,
      ...rest
    }: {
      name: string;
      id: bigint;
      initialCluster: ReadonlyMap<string, readonly string[]>;
      joined?: JoinedCluster;
    },
  ) {
    this.#host = host;
    this.name = name;
    this.id = id;
    this.url = urlOf(name);
    this.#joined = rest.joined;
    this.#initialCluster = rest.initialCluster;
    this.clock = new LifeClock(host.clock);
    const prng = new Prng(stream(host.seed, `disk ${name}`).uint32());
    this.disk = new SimDisk({
      prng,
      later: (action) => void this.clock.after(this.syncMs, action),
      told: (operation, what) => this.#does(operation, what),
      cut: (error) => this.#powerless(error),
    });
    this.backend = new MemoryBackend({ sync: (done) => void this.clock.after(this.syncMs + 1, done) });
    makeDurableFolder(this.disk, "/data");
  }

  get isUp(): boolean {
    return this.member !== undefined;
  }

  /** Can be called now, and answers. */
  get isAnswering(): boolean {
    return this.member !== undefined && this.isServing && !this.clock.isStopped;
  }

  /** Begins a life on what the one before has left. */
  start(): void {
    if (this.member !== undefined || this.standing === "removed") return;
    const host = this.#host;
    const clock = new LifeClock(host.clock);
    clock.wallOffsetMs = this.clock.wallOffsetMs;
    this.clock = clock;
    this.seenRevision = 0;
    const options: MemberOptions = {
      ...OPTIONS,
      ...LOG,
      ...host.options,
      name: this.name,
      initialCluster: this.#initialCluster,
      joined: this.#joined,
    };
    try {
      this.member = this.#make(options);
    } catch (error) {
      const isOrdered = this.#isFaulty;
      this.#gone();
      host.died(this, error, isOrdered);
      return;
    }
    this.member.start().then(
      () => {
        this.isServing = clock.isAlive;
      },
      () => undefined,
    );
  }

  /** The process dies, or with it the power: then what was not synced is gone. */
  crash(isPowerCut: boolean): void {
    if (this.member === undefined) return;
    this.#gone();
    if (isPowerCut) this.disk.crash();
    else this.disk.kill();
  }

  /** Resolves when the process takes up something new: not while it is stopped, never when it is dead. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.clock.soon(resolve));
  }

  /** The power goes out at the n-th operation of the disk from now, and with it the process ends. */
  losePowerAt(operation: number): void {
    this.isDiskFaulty = true;
    this.disk.crashAtOperation(operation);
  }

  /** Its power is out. Where it goes on for what it knows, as after a failure to prepare a file, it dies all the same. */
  #powerless(error: Error): void {
    const { clock } = this;
    this.#host.clock.after(1, () => {
      if (clock.isAlive && this.member !== undefined) this.#host.died(this, error, true);
    });
  }

  /** It is about something at which its power may go out. */
  comes(moment: Moment): void {
    if (!this.isUp) return; // what it mends at its start is no such moment
    this.#host.came?.(this, moment);
    const steps = this.ambushes.get(moment);
    if (steps === undefined) return;
    this.ambushes.delete(moment);
    this.sprung = moment;
    if (moment !== "compaction") this.losePowerAt(steps);
    else
      this.clock.after(steps % COMPACTION_MS, () => {
        this.#host.died(this, new Error("the power went out in a compaction"), true);
      });
  }

  #does(operation: Operation, what: string): void {
    if (operation === "truncate" && what.includes(".wal ")) this.comes("new file of the log");
    else if (operation === "rename" && /\.wal -> .*(?<!\.wal)$/.test(what)) this.comes("old file of the log");
    else if (operation === "remove" && what.endsWith(".wal")) this.comes("old file of the log");
  }

  get #isFaulty(): boolean {
    return this.isDiskFaulty || this.disk.capacityBytes !== Number.POSITIVE_INFINITY;
  }

  #gone(): void {
    this.clock.isAlive = false;
    this.isServing = false;
    this.member = undefined;
    this.isDiskFaulty = false;
    this.sprung = undefined;
    this.#host.network.crash(this.id);
    this.backend = this.backend.crash();
  }

  #make(options: MemberOptions): Member {
    const host = this.#host;
    const { clock } = this;
    const random = stream(host.seed, `member ${this.name} at ${host.clock.monotonicMs()}`);
    const say = (level: string) => (message: string, fields?: LogFields) => host.said(this, level, message, fields);
    const made: Member = new Member(options, {
      clock,
      disk: this.disk,
      random,
      backend: this.backend,
      logger: { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") },
      metrics: {
        ...NO_METRICS,
        applied: (kind, isOk) => host.applied(this, made, kind, isOk),
        leaderChanged: (hasLeader, isLeader) => host.became(this, made, hasLeader, isLeader),
      },
      openNetwork: ({ memberId, clusterId }) =>
        stoppable(host.network.join({ id: memberId, urls: [this.url], clusterId }), clock),
      removed: () => {
        if (clock.isAlive) host.removed(this);
      },
      heapShare: () => 0,
      fatal: (error) => {
        if (clock.isAlive) host.died(this, error, this.#isFaulty);
      },
    });
    return made;
  }
}

export function urlOf(name: string): string {
  return `http://${name}:2380`;
}

/** A network whose messages wait while the process is stopped, as they do in the buffers of a socket. */
function stoppable(network: Network, clock: LifeClock): Network {
  const turn = () => new Promise<void>((resolve) => clock.soon(resolve));
  const tell = (action: () => void) => (clock.isStopped ? clock.soon(action) : action());
  const later =
    <Q, A>(answer: (question: Q) => A | Promise<A>) =>
    (question: Q) =>
      clock.isStopped ? turn().then(() => answer(question)) : answer(question);
  const held = (receiver: Receiver): Receiver => ({
    message: (message) => tell(() => receiver.message(message)),
    unreachable: (id) => tell(() => receiver.unreachable(id)),
    snapshotStatus: (id, wasDelivered) => tell(() => receiver.snapshotStatus(id, wasDelivered)),
    isRemoved: (id) => receiver.isRemoved(id),
    selfRemoved: () => tell(() => receiver.selfRemoved()),
    openSnapshot: (message) =>
      clock.isStopped ? turn().then(() => receiver.openSnapshot(message)) : receiver.openSnapshot(message),
    answers: {
      version: later(receiver.answers.version),
      members: later(receiver.answers.members),
      downgradeEnabled: later(receiver.answers.downgradeEnabled),
      hashKv: later(receiver.answers.hashKv),
      leaseRenew: later(receiver.answers.leaseRenew),
      leaseTimeToLive: later(receiver.answers.leaseTimeToLive),
      promote: later(receiver.answers.promote),
    },
  });
  return {
    start: (receiver) => network.start(held(receiver)),
    send: (messages) => network.send(messages),
    sendSnapshot: (snapshot) => network.sendSnapshot(snapshot),
    addPeer: (id, urls) => network.addPeer(id, urls),
    addRemote: (id, urls) => network.addRemote(id, urls),
    updatePeer: (id, urls) => network.updatePeer(id, urls),
    removePeer: (id) => network.removePeer(id),
    activeSince: (id) => network.activeSince(id),
    ask: (urls, kind, question, timeoutMs) => network.ask(urls, kind, question, timeoutMs),
    close: () => network.close(),
  };
}
