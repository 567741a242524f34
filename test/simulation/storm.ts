/**
 * What goes wrong in a simulated cluster, and what operators do to it: each kind that is on comes by itself, in times and
 * strengths that its own stream of chance decides, and mends itself after a while.
 */
import { EtcdError } from "../../server/base/error.ts";
import type { Prng } from "../../server/base/prng.ts";
import { MOMENTS, type Moment, type Place, SYNC_MS } from "./place.ts";
import { type FaultKind, type Swarm, stream } from "./swarm.ts";
import type { SimulatedNetwork } from "./world/network.ts";
import { CALM, faultsByLot } from "./world/network-faults.ts";

export interface StormHost {
  readonly network: SimulatedNetwork;
  readonly isOver: boolean;
  /** All that are of the cluster, up or down. */
  readonly places: readonly Place[];
  /** How much faster clocks go than they should: 1, but for a planted mistake. */
  readonly rateFactor: number;
  after(ms: number, action: () => void): void;
  count(kind: FaultKind): void;
  say(who: string, what: string): void;
  point(name: string): void;
  /** Adds a member by way of another: a place that is started, or undefined when that was refused. */
  addMember(by: Place): Promise<Place | undefined>;
  fail(error: unknown): void;
}

/** The fastest that a clock may go, beside the world's: what a lease may lose. */
export const RATE_MAX = 2;
const HOUR_MS = 3_600_000;
const MEMBERS_MAX = 6;
const VOTERS_MIN = 3;
/** Of no single member. */
const WORLDWIDE: ReadonlySet<FaultKind> = new Set(["blackout", "cut", "partition", "bridge", "weather"]);

export class Storm {
  readonly #swarm: Swarm;
  readonly #host: StormHost;

  constructor(swarm: Swarm, host: StormHost) {
    this.#swarm = swarm;
    this.#host = host;
  }

  begin(): void {
    for (const [kind, rate] of this.#swarm.faults) {
      const random = stream(this.#swarm.seed, `fault ${kind}`);
      this.#next(kind, 60_000 / rate, random);
    }
  }

  /** Nothing goes wrong any more, and what has gone wrong is made good. */
  end(): void {
    const { network, places } = this.#host;
    network.healAll();
    network.setFaults(CALM);
    for (const place of places) {
      place.clock.resume();
      place.clock.rate = 1;
      place.syncMs = SYNC_MS;
      place.disk.capacityBytes = Number.POSITIVE_INFINITY;
      place.ambushes.clear();
      place.disk.callOff();
      place.start();
    }
  }

  /** Between two of a kind: anything from nothing to twice the mean. */
  #next(kind: FaultKind, meanMs: number, random: Prng): void {
    this.#host.after(1 + random.below(Math.ceil(2 * meanMs)), () => {
      if (this.#host.isOver) return;
      this.#cause(kind, random);
      this.#next(kind, meanMs, random);
    });
  }

  #cause(kind: FaultKind, random: Prng): void {
    const { places } = this.#host;
    const place = random.pick(places);
    const forMs = 50 + random.below(random.chance(0.8) ? 3000 : 9000);
    // Drawn before it is known whether there is a use for it, so that the stream goes the same way.
    const happens = this.#causeAt(kind, place, random, forMs);
    if (happens === undefined) return;
    this.#host.count(kind);
    this.#host.say(WORLDWIDE.has(kind) ? "world" : place.name, happens);
  }

  /** What happened, in words; undefined when nothing did. */
  #causeAt(kind: FaultKind, place: Place, random: Prng, forMs: number): string | undefined {
    switch (kind) {
      case "crash":
      case "power":
        return this.#crash(place, kind === "power", forMs);
      case "blackout":
        for (const one of this.#host.places) this.#crash(one, true, forMs + random.below(300));
        return "the power goes out everywhere";
      case "cut":
        return this.#cut([[place, random.pick(this.#host.places)]], forMs);
      case "partition":
        return this.#partition(random, forMs);
      case "bridge":
        return this.#bridge(place, random, forMs);
      case "weather":
        this.#host.network.setFaults(faultsByLot(random));
        this.#mend(forMs, () => this.#host.network.setFaults(CALM));
        return `bad weather for ${forMs} ms`;
      case "pause":
        return this.#pause(place, forMs);
      case "slowDisk":
        return this.#slowDisk(place, 50 + random.below(2000), forMs);
      case "fullDisk":
        return this.#fullDisk(place, random.below(6000), forMs);
      case "failedSync":
        if (!place.isUp) return undefined;
        place.isDiskFaulty = true;
        place.disk.failNextSync();
        return "its next sync will fail";
      case "clockRate":
        return this.#clockRate(place, 0.5 + random.below(151) / 100, forMs);
      case "clockJump": {
        const jumpMs = random.below(2 * HOUR_MS) - HOUR_MS;
        place.clock.wallOffsetMs += jumpMs;
        return `its time of the day jumps by ${jumpMs} ms`;
      }
      case "moveLeader":
        return this.#moveLeader(place);
      case "addMember":
        return this.#addMember(place);
      case "replaceMember":
        return this.#replaceMember(place, random);
      case "defragment":
        if (!place.isAnswering || place.member === undefined) return undefined;
        this.#asked(place, "defragmented", place.member.defragment());
        return "is told to defragment";
      case "powerAtWrite":
        return this.#powerAtWrite(place, 1 + random.below(80));
      case "ambush":
        return this.#ambush(place, random.pick(MOMENTS), 1 + random.below(10));
    }
  }

  #mend(ms: number, action: () => void): void {
    this.#host.after(ms, () => {
      if (!this.#host.isOver) action();
    });
  }

  // ---- processes, disks, clocks

  #crash(place: Place, isPowerCut: boolean, forMs: number): string | undefined {
    if (!place.isUp) return undefined;
    place.crash(isPowerCut);
    this.#mend(forMs, () => place.start());
    return `${isPowerCut ? "loses its power" : "is killed"} for ${forMs} ms`;
  }

  #powerAtWrite(place: Place, operation: number): string | undefined {
    if (!place.isUp) return undefined;
    place.losePowerAt(operation);
    return `will lose its power at the ${operation}th operation of its disk`;
  }

  /** Where it hurts: what has no place by chance in a few milliseconds of a run. */
  #ambush(place: Place, moment: Moment, steps: number): string {
    // The exchange of a state is over within a few operations.
    const soon = moment.startsWith("state") ? Math.ceil(steps / 3) : steps;
    place.ambushes.set(moment, soon);
    return `will lose its power ${soon} steps behind the next: ${moment}`;
  }

  #pause(place: Place, forMs: number): string | undefined {
    const { clock } = place;
    if (!place.isUp || clock.isStopped) return undefined;
    clock.stop();
    this.#mend(forMs, () => clock.resume());
    return `is stopped for ${forMs} ms`;
  }

  #slowDisk(place: Place, syncMs: number, forMs: number): string {
    place.syncMs = syncMs;
    this.#mend(forMs, () => {
      place.syncMs = SYNC_MS;
    });
    return `its disk takes ${syncMs} ms a sync, for ${forMs} ms`;
  }

  #fullDisk(place: Place, roomBytes: number, forMs: number): string {
    place.disk.capacityBytes = place.disk.usedBytes + roomBytes;
    this.#mend(forMs, () => {
      place.disk.capacityBytes = Number.POSITIVE_INFINITY;
      place.start();
    });
    return `its disk has ${roomBytes} bytes left, for ${forMs} ms`;
  }

  #clockRate(place: Place, rate: number, forMs: number): string {
    const { clock } = place;
    clock.rate = rate * this.#host.rateFactor;
    this.#mend(forMs, () => {
      clock.rate = 1;
    });
    return `its clock goes at ${rate}, for ${forMs} ms`;
  }

  // ---- the network

  #cut(ways: readonly (readonly [Place, Place])[], forMs: number): string | undefined {
    const { network } = this.#host;
    const real = ways.filter(([from, to]) => from !== to);
    if (real.length === 0) return undefined;
    for (const [from, to] of real) network.cut(from.id, to.id);
    this.#mend(forMs, () => {
      for (const [from, to] of real) network.heal(from.id, to.id);
    });
    return `cut for ${forMs} ms: ${real.map(([from, to]) => `${from.name} to ${to.name}`).join(", ")}`;
  }

  #partition(random: Prng, forMs: number): string | undefined {
    const [left, right]: [Place[], Place[]] = [[], []];
    for (const place of this.#host.places) (random.chance(0.5) ? left : right).push(place);
    return this.#cut(bothWays(left, right), forMs);
  }

  /** Two halves that see each other through one member alone. */
  #bridge(middle: Place, random: Prng, forMs: number): string | undefined {
    const [left, right]: [Place[], Place[]] = [[], []];
    for (const place of this.#host.places) if (place !== middle) (random.chance(0.5) ? left : right).push(place);
    return this.#cut(bothWays(left, right), forMs);
  }

  // ---- operators

  #moveLeader(target: Place): string | undefined {
    const leader = this.#host.places.find(({ isAnswering, member }) => isAnswering && member?.isLeader);
    if (leader?.member === undefined || leader === target) return undefined;
    this.#asked(leader, "leader moved", leader.member.moveLeader(target.id));
    return `is to lead, in place of ${leader.name}`;
  }

  #addMember(by: Place): string | undefined {
    if (!by.isAnswering || this.#host.places.length >= MEMBERS_MAX) return undefined;
    const adding = this.#host.addMember(by).then((added) => {
      if (added !== undefined) this.#promote(added);
    });
    this.#asked(by, "member added", adding);
    return "is asked to add a learner";
  }

  /** As an operator does: again and again, until it is ready. */
  #promote(learner: Place): void {
    this.#mend(300, () => {
      const by = this.#host.places.find(({ isAnswering, standing }) => isAnswering && standing === "member");
      if (learner.standing !== "member") return;
      if (by?.member === undefined) {
        this.#promote(learner);
        return;
      }
      by.member.changes.promote(learner.id).then(
        () => {
          this.#host.point("learner promoted");
          this.#host.say(learner.name, "is promoted");
        },
        (error: unknown) => {
          if (!(error instanceof EtcdError)) this.#host.fail(error);
          else if (error.code !== "MemberNotLearner" && error.code !== "MemberNotFound") this.#promote(learner);
        },
      );
    });
  }

  #replaceMember(leaving: Place, random: Prng): string | undefined {
    const { places } = this.#host;
    const staying = places.filter((place) => place !== leaving);
    const by = random.pick(staying);
    const isAble = by.isAnswering && by.member !== undefined && leaving.standing === "member";
    if (!isAble || staying.filter(({ standing }) => standing === "member").length < VOTERS_MIN - 1) return undefined;
    leaving.standing = "leaving";
    const removing = (by.member as NonNullable<Place["member"]>).changes.remove(leaving.id).then(
      async () => {
        leaving.standing = "removed";
        this.#host.say(leaving.name, "is removed");
        leaving.crash(false);
        if (by.isAnswering) {
          const added = await this.#host.addMember(by);
          if (added !== undefined) this.#promote(added);
        }
      },
      (error: unknown) => {
        // Only then it is known that nothing has come of it.
        if (error instanceof EtcdError && error.code !== "Timeout" && error.code !== "Stopped")
          leaving.standing = "member";
        throw error;
      },
    );
    this.#asked(by, "member removed", removing);
    return `is to be removed by ${by.name}, and another to take its place`;
  }

  /** What an operator hears; a refusal is no failure. */
  #asked(place: Place, point: string, answer: Promise<unknown>): void {
    const { clock } = place;
    answer.then(
      () => this.#host.point(point),
      (error: unknown) => {
        if (error instanceof EtcdError) this.#host.say("operator", `${point}: ${error.code}`);
        else if (clock.isAlive) this.#host.fail(error);
      },
    );
  }
}

function bothWays(left: readonly Place[], right: readonly Place[]): [Place, Place][] {
  return left.flatMap((one) =>
    right.flatMap((two): [Place, Place][] => [
      [one, two],
      [two, one],
    ]),
  );
}
