/**
 * Several whole members in a simulated world: clients write and read through all of them while links fail, processes die
 * and the power goes out. Then the world heals: everybody must come level, and one history must explain every answer that
 * a client was given. A run is a function of its seed.
 */
import { utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { Prng } from "../../server/base/prng.ts";
import { memberIdOf } from "../../server/cluster/ids.ts";
import { makeDurableFolder } from "../../server/member/durable-folder.ts";
import { Member } from "../../server/member/member.ts";
import { NO_METRICS } from "../../server/member/member-metrics.ts";
import type { MemberOptions } from "../../server/member/options.ts";
import { PutRequest, RangeRequest } from "../../server/proto/etcdserverpb.ts";
import { KeyValue } from "../../server/proto/mvccpb.ts";
import { ClientHistory, type Stored } from "./client-history.ts";
import { LifeClock } from "./life-clock.ts";
import { OPTIONS } from "./one-member.ts";
import { MemoryBackend } from "./world/backend.ts";
import { SimClock } from "./world/clock.ts";
import { SimDisk } from "./world/disk.ts";
import { SimulatedNetwork } from "./world/network.ts";
import { CALM, faultsByLot } from "./world/network-faults.ts";

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
/** What a member says when another's state has become its own. */
const INSTALLED = "installed the state that another member sent";
const CLIENTS = 12;
const KEYS = 5;
/** Of faults, and until everybody must be level again. */
const STORM_MS = 30_000;
const CALM_MS = 60_000;
/** Between two faults, on average. */
const FAULT_EVERY_MS = 1200;
const REST_MS = 15;
/** A client goes on with something else when it hears nothing; what it hears later counts. */
const PATIENCE_MS = 1500;
const KINDS = ["crash", "power", "cut", "partition", "heal", "heal", "weather", "all", "start", "start", "start"];
/** So that some who were away find the log cut, and others do not. */
const LOG = { snapshotCount: 60, snapshotCatchupEntries: 30, transitBytes: 2 ** 20 };

export interface ClusterRun {
  readonly members: number;
  readonly writes: number;
  readonly reads: number;
  /** How often each kind of fault was there. */
  readonly faults: Readonly<Record<string, number>>;
  readonly leaders: number;
  /** States of a member that took the place of another's. */
  readonly snapshots: number;
  /** Of everything that the network did. */
  readonly trace: number;
}

export interface Mistakes {
  /** Disks say that they have synced and have not. */
  readonly liesAboutSync?: boolean;
  /** Clients take what may be stale for the newest. */
  readonly readsStale?: boolean;
}

/** Throws an Error at the first promise that was not kept, or when the members do not come level. */
export async function runCluster(seed: number, mistakes: Mistakes = {}): Promise<ClusterRun> {
  const world = new ClusterWorld(seed, mistakes);
  return world.run();
}

/** One member through all its lives. */
class Place {
  readonly name: string;
  readonly id: bigint;
  readonly url: string;
  readonly disk: SimDisk;
  backend: MemoryBackend;
  clock: LifeClock;
  member: Member | undefined;
  isServing = false;

  constructor(name: string, clock: SimClock, seed: number) {
    this.name = name;
    this.url = `http://${name}:2380`;
    this.id = memberIdOf([this.url], OPTIONS.clusterToken);
    this.disk = new SimDisk({ prng: new Prng(seed), later: (action) => void this.clock.after(2, action) });
    this.clock = new LifeClock(clock);
    this.backend = new MemoryBackend({ sync: (done) => void this.clock.after(3, done) });
    makeDurableFolder(this.disk, "/data");
  }
}

class ClusterWorld {
  readonly #random: Prng;
  readonly #clock = new SimClock();
  readonly #network: SimulatedNetwork;
  readonly #places: Place[];
  readonly #history = new ClientHistory();
  readonly #mistakes: Mistakes;
  readonly #faults: Record<string, number> = {};
  readonly #leaders = new Set<string>();
  #snapshots = 0;
  #failure: unknown;
  #isOver = false;
  #values = 0;

  constructor(seed: number, mistakes: Mistakes) {
    this.#random = new Prng(seed);
    this.#mistakes = mistakes;
    this.#network = new SimulatedNetwork({ clock: this.#clock, seed: seed + 1 });
    const count = this.#random.pick([3, 3, 5]);
    this.#places = Array.from({ length: count }, (_, at) => new Place(`m${at}`, this.#clock, seed * 10 + at));
    for (const { disk } of this.#places) disk.liesAboutSync = mistakes.liesAboutSync ?? false;
  }

  async run(): Promise<ClusterRun> {
    for (const place of this.#places) this.#start(place);
    await this.#until("all members serve", () => this.#places.every(({ isServing }) => isServing));
    this.#network.setFaults(faultsByLot(this.#random));
    for (let client = 0; client < CLIENTS; client++) void this.#client();
    this.#fault();
    await this.#pass(STORM_MS);
    await this.#heal();
    this.#history.check(this.#stored());
    const { writes, reads } = this.#history;
    return {
      members: this.#places.length,
      writes: writes.length,
      reads: reads.length,
      faults: this.#faults,
      leaders: this.#leaders.size,
      snapshots: this.#snapshots,
      trace: this.#network.trace.hash,
    };
  }

  // ---- members

  #start(place: Place): void {
    place.clock = new LifeClock(this.#clock);
    const options: MemberOptions = {
      ...OPTIONS,
      ...LOG,
      name: place.name,
      initialCluster: new Map(this.#places.map(({ name, url }) => [name, [url]])),
    };
    const member = new Member(options, {
      clock: place.clock,
      disk: place.disk,
      random: this.#random,
      backend: place.backend,
      logger: {
        ...SILENT,
        info: (message) => {
          if (message === INSTALLED) this.#snapshots++;
        },
      },
      metrics: {
        ...NO_METRICS,
        leaderChanged: (_, isLeader) =>
          void (isLeader && this.#leaders.add(`${place.name} ${member.header().raftTerm}`)),
      },
      openNetwork: ({ memberId, clusterId }) => this.#network.join({ id: memberId, urls: [place.url], clusterId }),
      heapShare: () => 0,
      fatal: (error) => {
        this.#failure ??= error;
      },
    });
    place.member = member;
    const { clock } = place;
    member.start().then(
      () => {
        place.isServing = clock.isAlive;
      },
      () => undefined,
    );
  }

  /** The process dies, or with it the power: then what was not synced is gone. */
  #crash(place: Place, isPowerCut: boolean): void {
    if (place.member === undefined) return;
    place.clock.isAlive = false;
    place.isServing = false;
    place.member = undefined;
    this.#network.crash(place.id);
    if (isPowerCut) place.disk.crash();
    else place.disk.kill();
    place.backend = place.backend.crash();
  }

  // ---- faults

  #fault(): void {
    if (this.#isOver) return;
    const kind = this.#random.pick(KINDS);
    this.#faults[kind] = (this.#faults[kind] ?? 0) + 1;
    this.#cause(kind);
    this.#clock.after(1 + this.#random.below(2 * FAULT_EVERY_MS), () => this.#fault());
  }

  #cause(kind: string): void {
    const place = this.#random.pick(this.#places);
    switch (kind) {
      case "crash":
      case "power":
        this.#crash(place, kind === "power");
        return;
      case "all":
        if (this.#random.chance(0.3)) for (const one of this.#places) this.#crash(one, true);
        return;
      case "start":
        for (const one of this.#places) if (one.member === undefined) this.#start(one);
        return;
      case "cut":
        this.#network.cut(place.id, this.#random.pick(this.#places).id);
        return;
      case "partition": {
        const [left, right]: [bigint[], bigint[]] = [[], []];
        for (const { id } of this.#places) (this.#random.chance(0.5) ? left : right).push(id);
        this.#network.partition(left, right);
        return;
      }
      case "heal":
        this.#network.healAll();
        return;
      default:
        this.#network.setFaults(faultsByLot(this.#random));
    }
  }

  /** Nothing goes wrong any more: all come back, and level. */
  async #heal(): Promise<void> {
    this.#isOver = true;
    this.#network.healAll();
    this.#network.setFaults(CALM);
    for (const place of this.#places) if (place.member === undefined) this.#start(place);
    await this.#until("all members serve again", () => this.#places.every(({ isServing }) => isServing));
    await this.#until("all members are level", () => new Set(this.#places.map(levelOf)).size === 1);
  }

  // ---- clients

  async #client(): Promise<void> {
    while (!this.#isOver && this.#failure === undefined) {
      const { member, isServing } = this.#random.pick(this.#places);
      if (member !== undefined && isServing) {
        const call = this.#random.chance(0.5) ? this.#write(member) : this.#read(member);
        // A call to a process that dies is never answered.
        await Promise.race([call.catch(() => undefined), this.#rest(PATIENCE_MS)]);
      }
      await this.#rest(this.#random.below(2 * REST_MS));
    }
  }

  async #write(member: Member): Promise<void> {
    const key = `key ${this.#random.below(KEYS)}`;
    const value = `value ${this.#values++}`;
    const beganMs = this.#clock.monotonicMs();
    const { header } = await member.put(PutRequest.create({ key: utf8Bytes(key), value: utf8Bytes(value) }));
    this.#history.writes.push({ key, value, revision: header?.revision ?? 0, ...this.#times(beganMs) });
  }

  async #read(member: Member): Promise<void> {
    const key = `key ${this.#random.below(KEYS)}`;
    const beganMs = this.#clock.monotonicMs();
    const serializable = this.#mistakes.readsStale ?? false;
    const { header, kvs } = await member.range(RangeRequest.create({ key: utf8Bytes(key), serializable }));
    const value = kvs[0] === undefined ? undefined : utf8Text(KeyValue.decode(kvs[0]).value);
    this.#history.reads.push({ key, value, revision: header?.revision ?? 0, ...this.#times(beganMs) });
  }

  #times(beganMs: number): { beganMs: number; endedMs: number } {
    return { beganMs, endedMs: this.#clock.monotonicMs() };
  }

  // ---- the end

  /** All changes, by revision. Of whichever member: they are level. */
  #stored(): Map<number, Stored> {
    const { store } = (this.#places[0] as Place).member as Member;
    const stored = new Map<number, Stored>();
    for (const { kv, revision } of store.events(2, store.currentRevision, Number.POSITIVE_INFINITY)) {
      const { key, value } = KeyValue.decode(kv);
      stored.set(revision.main, { key: utf8Text(key), value: utf8Text(value) });
    }
    return stored;
  }

  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(ms, resolve));
  }

  async #pass(ms: number): Promise<void> {
    await this.#clock.run(() => this.#failure !== undefined, ms);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    const came = await this.#clock.run(() => this.#failure !== undefined || holds(), CALM_MS);
    if (this.#failure !== undefined) throw this.#failure;
    if (came) return;
    const state = this.#places.map((place) => `${place.name}: ${levelOf(place)}, serving: ${place.isServing}`);
    throw new Error(`not within ${CALM_MS / 1000} s of calm: ${what}\n${state.join("\n")}`);
  }
}

/** How far a member is and what it holds: the same on all that are level. */
function levelOf({ member }: Place): string {
  if (member === undefined) return "down";
  const steps = member.store.hashKv(0);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return `revision ${member.store.currentRevision} hash ${step.value.hash}`;
}
