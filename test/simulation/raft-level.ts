/**
 * The raft-only level of the simulator: 3 to 7 members of the real `server/raft` on simulated clocks, disks and links,
 * everything a function of the seed and nothing asynchronous. A time of faults, in which only safety is promised; then
 * all is healed, and a leader must be there soon, a new entry commit, and everybody come level. The laws are looked at
 * after each event (`raft-laws.ts`).
 */
import { emptyConfState } from "../../server/raft/conf-change.ts";
import { RaftFaults } from "./raft-faults.ts";
import { type Law, RaftLaws } from "./raft-laws.ts";
import { type MemberWorld, type PlantedMistakes, RaftMember } from "./raft-member.ts";
import { RaftNetwork } from "./raft-network.ts";
import { Counts, MS, streamOf, Timeline } from "./raft-timeline.ts";
import { drawWeather, electionTimeoutUs, type RaftWeather } from "./raft-weather.ts";
import { leaderOf, RaftWorkload } from "./raft-workload.ts";

export type { Law, PlantedMistakes };

/** A seed with less than this counts for nothing. */
const SAFETY_MS = 10_000;
const PROPOSALS_MIN = 200;
/** Where faults leave little room for proposals, there is more time for them: until then. */
const SAFETY_MAX_MS = 20_000;
/** Election timeouts from the healing on until somebody leads, and until everybody is level. */
const LEADER_WITHIN = 10;
const LEVEL_WITHIN = 60;

/** Named points that some sixty seeds come by, some each: worlds that avoid them show nothing. */
export const RAFT_POINTS: readonly string[] = [
  "append refused",
  "election won",
  "entries replaced",
  "joint entered",
  "joint left",
  "leader removed",
  "learner added",
  "learner promoted",
  "log compacted",
  "pre-vote refused",
  "proposal passed on",
  "proposal refused by a leader",
  "read answered for another",
  "snapshot sent",
  "snapshot taken in",
  "stepped down without a quorum",
  "transfer done",
  "vote refused",
  "voter removed",
  "write torn",
];

export interface RaftOptions {
  readonly mistakes?: PlantedMistakes;
  /** Laws that are not looked at. */
  readonly passOver?: readonly Law[];
  /** Hears in words what happens, a line at a time: what arrives where, who leads, what fails. */
  readonly trace?: (line: string) => void;
}

export interface RaftRun {
  readonly members: number;
  readonly simulatedMs: number;
  /** Taken by a member. */
  readonly proposals: number;
  /** The highest index committed. */
  readonly committed: number;
  /** Asked. */
  readonly reads: number;
  /** Terms that had a leader. */
  readonly terms: number;
  readonly events: number;
  /** How often each kind was there. */
  readonly faults: Readonly<Record<string, number>>;
  /** How often each named point was come by. */
  readonly points: Readonly<Record<string, number>>;
  /** Of all that happened: the same for the same seed, on every machine. */
  readonly traceHash: number;
  /** Why this seed counts for nothing. */
  readonly void?: string;
}

/**
 * Runs the world of `seed`, a whole number from 0 to 2^32 - 1. Throws an Error at the first promise that was not kept; it
 * names the law, the event and the virtual time.
 */
export function runRaft(seed: number, options: RaftOptions = {}): RaftRun {
  const world = new RaftWorld(seed, options);
  try {
    return world.run();
  } catch (error) {
    const { message, name } = error as Error;
    const what = name === "AssertionFailure" ? `assertion: ${message}` : message;
    throw new Error(`${what} (seed ${seed}, event ${world.timeline.steps}, at ${world.nowMs} ms)`, { cause: error });
  }
}

class RaftWorld {
  readonly timeline = new Timeline();
  readonly #weather: RaftWeather;
  readonly #points = new Counts();
  readonly #counts = new Counts();
  readonly #members: RaftMember[] = [];
  readonly #laws: RaftLaws;
  readonly #network: RaftNetwork;
  readonly #faults: RaftFaults;
  readonly #workload: RaftWorkload;
  #isCalm = false;

  constructor(seed: number, { mistakes = {}, passOver = [], trace }: RaftOptions) {
    this.timeline.listener = trace;
    const weather = drawWeather(seed);
    const { timeline } = this;
    const members = this.#members;
    const points = this.#points;
    this.#weather = weather;
    const world: MemberWorld = {
      timeline,
      weather,
      points,
      mistakes,
      disks: streamOf(seed, "disks"),
      clocks: streamOf(seed, "clocks"),
      members: streamOf(seed, "members"),
      laws: () => this.#laws,
      send: (from, message) => this.#network.send(from, message),
      diesAt: (member, point) => this.#faults.diesAt(member, point),
      isCalm: () => this.#isCalm,
    };
    const voters = Array.from({ length: weather.voters }, (_, at) => BigInt(at + 1));
    for (let at = 0; at < weather.members; at++) {
      members.push(new RaftMember(at, { ...emptyConfState(), voters }, world));
    }
    const laws = new RaftLaws({ members, weather, points, passOver: new Set(passOver) });
    this.#laws = laws;
    const network = streamOf(seed, "network");
    const counts = this.#counts;
    this.#network = new RaftNetwork({
      timeline,
      weather: weather.network,
      random: network,
      points,
      faults: counts,
      members,
    });
    this.#faults = new RaftFaults({
      timeline,
      weather,
      random: streamOf(seed, "faults"),
      counts,
      members,
      network: this.#network,
    });
    const workload = streamOf(seed, "workload");
    const changes = streamOf(seed, "changes");
    this.#workload = new RaftWorkload({ timeline, weather, random: workload, changes, points, laws, members });
  }

  get nowMs(): number {
    return this.timeline.nowUs / MS;
  }

  run(): RaftRun {
    for (const member of this.#members) member.start();
    this.#faults.start();
    this.#workload.start();
    for (let ms = SAFETY_MS; ms <= SAFETY_MAX_MS; ms += 1000) {
      this.timeline.runTo(ms * MS);
      if (this.#workload.proposals >= PROPOSALS_MIN) break;
    }
    this.#workload.stop();
    this.#isCalm = true;
    this.#faults.stop();
    this.#converge();
    return this.#result();
  }

  #result(): RaftRun {
    const { proposals, reads } = this.#workload;
    for (const member of this.#members) this.timeline.note(200, member.at, member.state.digest);
    const run = {
      members: this.#members.length,
      simulatedMs: Math.floor(this.nowMs),
      proposals,
      committed: this.#laws.committedIndex,
      reads,
      terms: this.#laws.ledTerms,
      events: this.timeline.steps,
      faults: this.#counts.toRecord(),
      points: this.#points.toRecord(),
      traceHash: this.timeline.hash,
    };
    return proposals < PROPOSALS_MIN ? { ...run, void: `${proposals} proposals, ${PROPOSALS_MIN} needed` } : run;
  }

  // ---- after the healing

  #converge(): void {
    const healedUs = this.timeline.nowUs;
    const timeoutUs = electionTimeoutUs(this.#weather);
    const goal = this.#laws.committedIndex + 1;
    let isLed = false;
    while (!this.#isLevel(goal)) {
      const passed = (this.timeline.nowUs - healedUs) / timeoutUs;
      isLed ||= this.#leader() !== undefined;
      if (!isLed && passed > LEADER_WITHIN)
        throw new Error(
          `liveness: nobody leads ${LEADER_WITHIN} election timeouts after the healing: ${this.#shown()}`,
        );
      if (passed > LEVEL_WITHIN)
        throw new Error(`liveness: not level ${LEVEL_WITHIN} election timeouts after the healing: ${this.#shown()}`);
      this.#stopRemoved();
      const leader = this.#leader();
      // One that was committed after all was healed; some may be dropped while leadership is handed over.
      if (leader !== undefined && this.#laws.committedIndex < goal) this.#workload.propose(leader);
      this.timeline.runTo(this.timeline.nowUs + this.#weather.tickUs);
    }
  }

  /** Whom a majority of its own configuration follows. */
  #leader(): RaftMember | undefined {
    const leader = leaderOf(this.#members);
    if (leader === undefined) return undefined;
    const { voters, votersOutgoing } = leader.node.confState;
    const isFollowed = [voters, votersOutgoing].every((half) => {
      const followers = half.filter((id) => this.#member(id).node.leaderId === leader.id);
      return half.length === 0 || followers.length * 2 > half.length;
    });
    return isFollowed ? leader : undefined;
  }

  #member(id: bigint): RaftMember {
    return this.#members[Number(id) - 1] as RaftMember;
  }

  /** Who is in the newest configuration that anybody has applied. */
  #present(): readonly RaftMember[] {
    let newest = this.#members[0] as RaftMember;
    for (const member of this.#members) if (member.state.index > newest.state.index) newest = member;
    const { voters, votersOutgoing, learners } = newest.state.confState;
    return this.#members.filter(({ id }) => [voters, votersOutgoing, learners].some((ids) => ids.includes(id)));
  }

  /** Removed members are stopped once nobody needs them any more: all others know of the removal. */
  #stopRemoved(): void {
    const present = this.#present();
    const newest = Math.max(...this.#members.map(({ state }) => state.index));
    const isKnown = present.every(({ state }) => state.index >= newest);
    for (const member of this.#members) {
      const isNeeded = !isKnown || present.includes(member);
      if (!isNeeded && member.isUp) member.die("process");
      else if (isNeeded && !member.isUp) member.start();
    }
  }

  /** Everybody in the configuration has applied the same, up to `goal` at least. */
  #isLevel(goal: number): boolean {
    const { committedIndex } = this.#laws;
    const present = this.#present();
    const first = present[0] as RaftMember;
    return (
      committedIndex >= goal &&
      this.#leader() !== undefined &&
      present.every(({ state }) => state.index === committedIndex && state.digest === first.state.digest)
    );
  }

  #shown(): string {
    const present = this.#present();
    const shown = this.#members.map((member) => {
      const { id, state, node, isUp } = member;
      const { voters, votersOutgoing, learners } = node.confState;
      const config = `voters ${voters.join("+")} of ${votersOutgoing.join("+")} learners ${learners.join("+")}`;
      const place = `${id}${present.includes(member) ? "" : " (removed)"}${isUp ? "" : " (down)"}`;
      return `${place} ${node.role} of ${node.leaderId} in term ${node.term}, applied ${state.index} of ${node.lastIndex}, ${config}`;
    });
    return shown.join("; ");
  }
}
