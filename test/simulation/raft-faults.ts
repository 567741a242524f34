/**
 * The schedule of faults of a raft-only world: now and then one of those that the seed has switched on, each with its
 * own end. Whoever is down comes back after a while; nothing here lasts into the time when all is healed.
 */
import type { Prng } from "../../server/base/prng.ts";
import type { RaftMember } from "./raft-member.ts";
import type { RaftNetwork } from "./raft-network.ts";
import { type Counts, longTailed, MS, type Timeline } from "./raft-timeline.ts";
import { electionTimeoutUs, type FaultKind, type RaftWeather } from "./raft-weather.ts";

/** Old messages that come again at once. */
const REPLAYED = 24;

export class RaftFaults {
  readonly #timeline: Timeline;
  readonly #weather: RaftWeather;
  readonly #random: Prng;
  readonly #counts: Counts;
  readonly #members: readonly RaftMember[];
  readonly #network: RaftNetwork;
  /** Counts partitions: only the newest one is ended by its own end. */
  #partitions = 0;
  #isOver = false;

  constructor(parts: {
    timeline: Timeline;
    weather: RaftWeather;
    random: Prng;
    counts: Counts;
    members: readonly RaftMember[];
    network: RaftNetwork;
  }) {
    this.#timeline = parts.timeline;
    this.#weather = parts.weather;
    this.#random = parts.random;
    this.#counts = parts.counts;
    this.#members = parts.members;
    this.#network = parts.network;
  }

  /** From now on, until `stop`. */
  start(): void {
    if (this.#weather.faults.length === 0) return;
    this.#timeline.after(longTailed(this.#random, this.#weather.faultUs), () => {
      if (this.#isOver) return;
      this.#strike(this.#random.pick(this.#weather.faults));
      this.start();
    });
  }

  /** Whatever is broken is mended, for good. */
  stop(): void {
    this.#isOver = true;
    this.#network.calm();
    for (const member of this.#members) {
      member.clockRate = 1;
      member.diskStallsToUs = 0;
      if (!member.isUp) member.start();
      else if (member.isPaused) member.resume();
    }
  }

  /** Whether `member` dies now, at a named point of its round. */
  diesAt(member: RaftMember, point: string): boolean {
    const { deathShare } = this.#weather.process;
    if (this.#isOver || deathShare === 0 || !this.#random.chance(deathShare)) return false;
    this.#counts.add(point);
    this.#kill(member, this.#random.chance(0.5) ? "power" : "process");
    return true;
  }

  #strike(kind: FaultKind): void {
    this.#counts.add(kind);
    const member = this.#random.pick(this.#members);
    this.#timeline.note(100, member.at, kind.length);
    this.#timeline.tell(() => `fault: ${kind}, ${member.id}`);
    switch (kind) {
      case "crash":
        this.#kill(member, "process");
        break;
      case "power cut":
        this.#kill(member, "power");
        break;
      case "power cut of all":
        for (const each of this.#members) this.#kill(each, "power");
        break;
      case "pause":
        member.pause();
        this.#later(() => {
          if (member.isPaused) member.resume();
        });
        break;
      case "clog":
        for (const other of this.#members)
          if (this.#random.chance(0.5)) this.#network.clog(member.at, other.at, this.#durationUs());
        break;
      case "clock rate":
        member.clockRate = this.#random.pick([0.5, 0.7, 1, 1.4, 2]);
        break;
      case "disk stall":
        member.diskStallsToUs = this.#timeline.nowUs + this.#durationUs();
        break;
      case "replay":
        for (let count = 0; count < REPLAYED; count++)
          this.#timeline.after(this.#random.below(200 * MS), () => this.#network.replay());
        break;
      case "campaign":
        member.run(member.life, () => member.node.campaign());
        break;
      case "forget leader":
        member.run(member.life, () => member.node.forgetLeader());
        break;
      default:
        this.#partition(kind, member);
    }
  }

  // ---- members

  #kill(member: RaftMember, cause: "process" | "power"): void {
    if (!member.isUp) return;
    member.die(cause);
    const { life } = member;
    this.#later(() => {
      if (!member.isUp && member.life === life) member.start();
    });
  }

  /** Some election timeouts at most. */
  #durationUs(): number {
    return this.#random.below(this.#random.chance(0.7) ? electionTimeoutUs(this.#weather) : 2_500 * MS);
  }

  #later(action: () => void): void {
    this.#timeline.after(this.#durationUs(), () => {
      if (!this.#isOver) action();
    });
  }

  // ---- partitions

  #partition(kind: FaultKind, member: RaftMember): void {
    this.#network.join();
    for (const from of this.#members)
      for (const to of this.#members)
        if (from !== to && this.#isCut(kind, member, from, to)) this.#network.cut(from.at, to.at);
    const partition = ++this.#partitions;
    this.#later(() => {
      if (partition === this.#partitions) this.#network.join();
    });
  }

  #isCut(kind: FaultKind, chosen: RaftMember, from: RaftMember, to: RaftMember): boolean {
    const count = this.#members.length;
    switch (kind) {
      case "one-way cut":
        return from === chosen;
      case "isolate":
        return from === chosen || to === chosen;
      case "split":
        return this.#half(from, chosen) !== this.#half(to, chosen);
      case "bridge":
        // Two halves that see each other through the chosen one alone.
        return from !== chosen && to !== chosen && from.at % 2 !== to.at % 2;
      case "majority ring": {
        // Everyone sees its neighbours, a majority with itself, and no two the same one. Of three nothing is cut.
        const distance = Math.abs(from.at - to.at);
        return Math.min(distance, count - distance) > Math.ceil(Math.floor(count / 2) / 2);
      }
      default:
        return false;
    }
  }

  /** Whether a member is in the first of two halves; which they are is up to the chosen one. */
  #half({ at }: RaftMember, chosen: RaftMember): boolean {
    const count = this.#members.length;
    return (at + chosen.at) % count < count / 2;
  }
}
