/**
 * Several whole members in a simulated world: clients call all of them while links fail, processes die, disks fill up,
 * clocks go wrong and operators change the cluster. Then the world heals: everybody must come level, leases must end, and
 * the checkers must find every answer that a client was given and every event that a watcher was told of right. A run is a
 * function of its seed.
 */
import { EtcdError } from "../../server/base/error.ts";
import type { Prng } from "../../server/base/prng.ts";
import { memberIdOf } from "../../server/cluster/ids.ts";
import type { Member } from "../../server/member/member.ts";
import type { Change } from "../checkers/history.ts";
import { changesWords } from "../checkers/words.ts";
import { Agreed } from "./agreed.ts";
import { Client, type ClientHost } from "./clients.ts";
import { EventLog } from "./event-log.ts";
import { judge } from "./judge.ts";
import { KnownLeases } from "./leases.ts";
import { Lists } from "./lists.ts";
import { OPTIONS } from "./one-member.ts";
import { countIn, type Outcome, type RunOptions, Violation } from "./outcome.ts";
import { Place, type PlaceHost, urlOf } from "./place.ts";
import { POINTS, powerCutAt, SAID } from "./points.ts";
import { Recorder } from "./recorder.ts";
import { RATE_MAX, Storm, type StormHost } from "./storm.ts";
import { type Swarm, stream, swarmOf } from "./swarm.ts";
import { type WatcherHost, WatchingClient } from "./watchers.ts";
import { SimClock } from "./world/clock.ts";
import { SimulatedNetwork } from "./world/network.ts";

/** A run with less has shown nothing, and is not counted. */
export const OPERATIONS_MIN = 1000;
export const FAULT_KINDS_MIN = 3;
const CLIENTS = 5;
const WATCHERS = 3;
/** The storm is over when it has shown enough, but no sooner and no later than this; then all must be well again. */
const STORM_MIN_MS = 8000;
const STORM_MAX_MS = 90_000;
const CALM_MS = 90_000;
/** How often is looked whether something has come about. */
const LOOK_MS = 100;
/** Compactions have come to their end by then. */
const SETTLE_MS = 1000;

/** What a simulated world gets wrong on purpose: the checks must notice. */
export interface Mistakes {
  /** Disks say that they have synced and have not. */
  readonly liesAboutSync?: boolean;
  /** Clients take what may be stale for the newest. */
  readonly readsStale?: boolean;
  /** Clocks go ten times as fast as a lease allows for. */
  readonly hasWildClocks?: boolean;
  /** Watchers are not told of one event in a hundred. */
  readonly losesEvents?: boolean;
  /** A client sends a write again that it has heard nothing of for a moment. */
  readonly repeatsWrites?: boolean;
  /** A client appends to a list without asking whether it has changed since it was read. */
  readonly losesUpdates?: boolean;
}

/** A run of the whole server. */
export interface ClusterRun extends Outcome {
  readonly leaders: number;
  /** Answered calls of clients, by kind. */
  readonly calls: Readonly<Record<string, number>>;
  /** Events that watchers were told of. */
  readonly events: number;
}

export { POINTS };

/** Rejects with a `Violation` at the first promise that was not kept, or when the members do not come level. */
export async function runCluster(
  seed: number,
  mistakes: Mistakes = {},
  { log: take, ...less }: RunOptions = {},
): Promise<ClusterRun> {
  const world = new ClusterWorld(swarmOf(seed, less), mistakes, take);
  return world.run();
}

class ClusterWorld {
  readonly #swarm: Swarm;
  readonly #mistakes: Mistakes;
  readonly #clock = new SimClock();
  readonly #network: SimulatedNetwork;
  readonly #log: EventLog;
  readonly #agreed: Agreed;
  readonly #recorder: Recorder;
  readonly #leases = new KnownLeases();
  readonly #lists = new Lists();
  readonly #places: Place[];
  readonly #watchers: WatchingClient[] = [];
  readonly #faults: Record<string, number> = {};
  readonly #calls: Record<string, number> = {};
  readonly #points: Record<string, number> = {};
  /** Who led in which term. */
  readonly #leaders = new Map<number, string>();
  #operations = 0;
  #names = 0;
  #values = 0;
  #ofRegisters = 0;
  #failure: Violation | undefined;
  #isOver = false;
  /** When the storm was over. */
  #overMs = 0;

  constructor(swarm: Swarm, mistakes: Mistakes, take: ((line: string) => void) | undefined) {
    this.#swarm = swarm;
    this.#mistakes = mistakes;
    const now = () => this.#clock.monotonicMs();
    this.#log = new EventLog(now, take);
    this.#network = new SimulatedNetwork({ clock: this.#clock, seed: stream(swarm.seed, "network").uint32() });
    this.#recorder = new Recorder(now);
    this.#agreed = new Agreed(
      () => this.#recorder.moment(),
      (revision, changes) => this.#agreedOn(revision, changes),
    );
    const names = Array.from({ length: swarm.members }, () => `m${this.#names++}`);
    const initialCluster = new Map(names.map((name) => [name, [urlOf(name)]]));
    this.#places = names.map((name) => {
      const id = memberIdOf([urlOf(name)], OPTIONS.clusterToken);
      return this.#place(new Place(this.#placeHost(), { name, id, initialCluster }));
    });
  }

  async run(): Promise<ClusterRun> {
    try {
      await this.#live();
    } catch (error) {
      throw this.#violation(error);
    }
    const operations = this.#operations;
    const kinds = Object.keys(this.#faults).length;
    const isVoid = operations < OPERATIONS_MIN || kinds < FAULT_KINDS_MIN;
    return {
      members: this.#swarm.members,
      simulatedMs: this.#clock.monotonicMs(),
      operations,
      faults: this.#faults,
      calls: this.#calls,
      points: this.#points,
      events: this.#watchers.reduce((sum, { events }) => sum + events, 0),
      leaders: this.#leaders.size,
      traceHash: `${this.#log.hash}${this.#network.trace.hash.toString(16).padStart(8, "0")}`,
      void: isVoid ? `${operations} calls of clients and ${kinds} kinds of faults` : undefined,
    };
  }

  async #live(): Promise<void> {
    for (const place of this.#places) place.start();
    await this.#until("all members serve", () => this.#places.every(({ isServing }) => isServing));
    for (let client = 0; client < CLIENTS; client++) {
      const random = stream(this.#swarm.seed, `client ${client}`);
      void new Client(`client ${client}`, this.#clientHost(), random, this.#swarm.calls).run();
    }
    if (this.#swarm.calls.has("watch")) for (let at = 0; at < WATCHERS; at++) this.#watch(`watcher ${at}`);
    const storm = new Storm(this.#swarm, this.#stormHost());
    storm.begin();
    await this.#weather();
    this.#isOver = true;
    this.#overMs = this.#clock.monotonicMs();
    this.#log.say("world", "the storm is over");
    storm.end();
    await this.#converge();
    this.#judge();
  }

  #judge(): void {
    const evidence = {
      operations: this.#recorder.calls,
      lists: this.#lists.transactions(),
      watchers: this.#watchers.flatMap(({ watchers }) => watchers),
      log: this.#agreed.log(true),
      appliedMs: (revision: number) => this.#agreed.appliedMs(revision),
      rateMax: this.#swarm.faults.has("clockRate") ? RATE_MAX : 1,
    };
    try {
      judge(evidence, (name) => countIn(this.#points, name));
    } catch (error) {
      // It has happened by then: a shorter run shows it too.
      throw new Violation((error as Error).message, this.#overMs, error);
    }
  }

  #watch(name: string): void {
    const watcher = new WatchingClient(name, this.#watcherHost(), stream(this.#swarm.seed, name));
    this.#watchers.push(watcher);
    void watcher.run();
  }

  /** Until it has shown enough. */
  async #weather(): Promise<void> {
    const { untilMs } = this.#swarm;
    for (;;) {
      const nowMs = this.#clock.monotonicMs();
      const leftMs = (untilMs ?? STORM_MAX_MS) - nowMs;
      if (leftMs <= 0) return;
      await this.#pass(Math.min(LOOK_MS, leftMs));
      const isEnough = this.#operations >= OPERATIONS_MIN && Object.keys(this.#faults).length >= FAULT_KINDS_MIN;
      if (untilMs === undefined && isEnough && nowMs >= STORM_MIN_MS) return;
    }
  }

  /** All members serve, agree, and have let go of what has ended. */
  async #converge(): Promise<void> {
    const staying = () => this.#places.filter(({ standing }) => standing !== "removed");
    await this.#until("all members serve again", () => staying().every(({ isServing }) => isServing));
    await this.#until("all leases have ended", () =>
      staying().every(({ member }) => member?.lessor.leases().length === 0),
    );
    await this.#until("all members are level", () => new Set(staying().map(progressOf)).size === 1);
    await this.#until("all watchers are level", () => this.#watchers.every(({ isLevel }) => isLevel));
    await this.#pass(SETTLE_MS);
    const hashes = staying().map((place) => `${place.name} ${hashOf(place)}`);
    if (new Set(hashes.map((line) => line.split(" ")[1])).size > 1)
      throw new Error(`members that are level hold different data: ${hashes.join(", ")}`);
    if (this.#agreed.revision !== staying()[0]?.member?.store.currentRevision)
      throw new Error(
        `revision ${this.#agreed.revision} was applied, and is gone: ${staying().map(progressOf).join(", ")}`,
      );
  }

  // ---- what the others are told of the world

  #placeHost(): PlaceHost {
    return {
      clock: this.#clock,
      network: this.#network,
      seed: this.#swarm.seed,
      options: { walSegmentBytes: this.#swarm.walSegmentBytes },
      came: (place, moment) => {
        countIn(this.#points, moment);
        this.#log.mark(`${place.name} ${moment}`);
      },
      said: (place, level, message) => {
        const point = SAID[message];
        if (point !== undefined) countIn(this.#points, point);
        if (level !== "debug") this.#log.say(place.name, message);
        if (point === "snapshot loaded") place.comes("state loaded");
        if (point !== "snapshot installed") return;
        place.seenRevision = 0;
        place.comes("state exchanged");
        if (this.#watchers.some((watcher) => watcher.isAt(place)))
          countIn(this.#points, "state exchanged under a watch");
      },
      applied: (place, member, kind, isOk) => this.#applied(place, member, kind, isOk),
      became: (place, member, _hasLeader, isLeader) => this.#became(place, member, isLeader),
      died: (place, error, isOrdered) => this.#died(place, error, isOrdered),
      removed: (place) => {
        place.standing = "removed";
        place.crash(false);
      },
    };
  }

  #clientHost(): ClientHost {
    const world = this;
    return {
      agreed: this.#agreed,
      recorder: this.#recorder,
      lists: this.#lists,
      leases: this.#leases,
      get isOver() {
        return world.#isOver || world.#failure !== undefined;
      },
      readsStale: this.#mistakes.readsStale ?? false,
      losesUpdates: this.#mistakes.losesUpdates ?? false,
      repeatsWrites: this.#mistakes.repeatsWrites ?? false,
      place: (random) => this.#callable(random),
      rest: (ms) => this.#rest(ms),
      nextValue: () => `value ${this.#values++}`,
      nextOfRegisters: () => this.#ofRegisters++,
      count: (kind) => {
        this.#operations++;
        countIn(this.#calls, kind);
      },
      point: (name) => countIn(this.#points, name),
      say: (who, what) => this.#log.say(who, what),
      fail: (error) => this.#fail(error),
    };
  }

  #watcherHost(): WatcherHost {
    return {
      agreed: this.#agreed,
      losesEvents: this.#mistakes.losesEvents ?? false,
      place: (random) => this.#callable(random),
      rest: (ms) => this.#rest(ms),
      point: (name) => countIn(this.#points, name),
      say: (who, what) => this.#log.say(who, what),
      fail: (error) => this.#fail(error),
    };
  }

  #stormHost(): StormHost {
    const world = this;
    return {
      network: this.#network,
      get isOver() {
        return world.#isOver || world.#failure !== undefined;
      },
      get places() {
        return world.#places.filter(({ standing }) => standing !== "removed");
      },
      rateFactor: this.#mistakes.hasWildClocks ? 10 : 1,
      after: (ms, action) => void this.#clock.after(ms, action),
      count: (kind) => countIn(this.#faults, kind),
      point: (name) => countIn(this.#points, name),
      say: (who, what) => this.#log.say(who, what),
      addMember: (by) => this.#addMember(by),
      fail: (error) => this.#fail(error),
    };
  }

  #place(place: Place): Place {
    place.disk.liesAboutSync = this.#mistakes.liesAboutSync ?? false;
    return place;
  }

  /** One that is called: it may be stopped, and then answers later. */
  #callable(random: Prng): Place | undefined {
    const place = random.pick(this.#places);
    return place.member !== undefined && place.isServing ? place : undefined;
  }

  // ---- what members do

  #applied(place: Place, member: Member, kind: string, isOk: boolean): void {
    this.#log.mark(`${place.name} ${kind} ${isOk} ${member.store.currentRevision}`);
    if (kind === "compaction" && isOk) place.comes("compaction");
    if (member.store.currentRevision <= place.seenRevision) return;
    try {
      place.seenRevision = this.#agreed.take(place.name, member.store, place.seenRevision);
    } catch (error) {
      this.#fail(error);
    }
  }

  #agreedOn(revision: number, changes: readonly Change[]): void {
    for (const change of changes) this.#log.mark(`${revision} ${changesWords([change])}`);
  }

  #became(place: Place, member: Member, isLeader: boolean): void {
    if (!isLeader) return;
    const { raftTerm } = member.header();
    const other = this.#leaders.get(raftTerm);
    if (other === place.name) return;
    if (other !== undefined) this.#fail(new Error(`both ${other} and ${place.name} lead in term ${raftTerm}`));
    this.#leaders.set(raftTerm, place.name);
    countIn(this.#points, "leader elected");
    this.#log.say(place.name, `leads in term ${raftTerm}`);
  }

  /** For a fault of its disk a process may end: what it had not synced is lost. For anything else it must not. */
  #died(place: Place, error: unknown, isOrdered: boolean): void {
    if (!isOrdered) {
      this.#fail(error);
      return;
    }
    countIn(this.#points, place.sprung === undefined ? "disk failed a member" : powerCutAt(place.sprung));
    this.#log.say(place.name, `gives up: ${(error as Error).message}`);
    const { clock } = place;
    this.#clock.soon(() => {
      if (clock.isAlive) place.crash(true);
      this.#clock.after(500, () => place.start());
    });
  }

  async #addMember(by: Place): Promise<Place | undefined> {
    const { member } = by;
    if (member === undefined) return undefined;
    const name = `m${this.#names++}`;
    const { id } = await member.changes.add([urlOf(name)], true);
    const members = await member.members(false);
    const initialCluster = new Map(members.map(({ peerUrls }) => [nameIn(peerUrls), peerUrls]));
    const joined = { clusterId: member.clusterId, members };
    const place = this.#place(new Place(this.#placeHost(), { name, id, initialCluster, joined }));
    this.#places.push(place);
    this.#log.say(name, `is added by ${by.name}`);
    place.start();
    return place;
  }

  // ---- time

  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(ms, resolve));
  }

  async #pass(ms: number): Promise<void> {
    await this.#clock.run(() => this.#failure !== undefined, ms);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    for (let passedMs = 0; passedMs < CALM_MS; passedMs += LOOK_MS) {
      if (holds()) return;
      await this.#pass(LOOK_MS);
    }
    for (const watcher of this.#watchers) this.#log.say("world", watcher.state);
    const state = this.#places.map(
      (place) => `${place.name} (${place.standing}): ${progressOf(place)}, serving: ${place.isServing}`,
    );
    throw new Error(`not within ${CALM_MS / 1000} s of calm: ${what}\n${state.join("\n")}`);
  }

  #fail(error: unknown): void {
    this.#failure ??= this.#violation(error);
    if (this.#failure.cause === error) this.#log.say("world", `a promise was not kept: ${this.#failure.message}`);
  }

  #violation(error: unknown): Violation {
    if (error instanceof Violation) return error;
    const message = error instanceof EtcdError ? error.code : error instanceof Error ? error.message : String(error);
    return new Violation(message, this.#clock.monotonicMs(), error);
  }
}

/** The name of the place that has these peer URLs. */
function nameIn(urls: readonly string[]): string {
  return new URL(urls[0] as string).hostname;
}

/** How far a member is: the same on all that are level. */
function progressOf({ member }: Place): string {
  if (member === undefined) return "down";
  const { raftAppliedIndex } = member.status();
  return `revision ${member.store.currentRevision}, entry ${raftAppliedIndex}`;
}

function hashOf({ member }: Place): number {
  const steps = member?.store.hashKv(0);
  for (;;) {
    const step = steps?.next();
    if (step?.done === true) return step.value.hash;
  }
}
