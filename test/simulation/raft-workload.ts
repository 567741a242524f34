/**
 * What is asked of a raft-only world: proposals and reads through any member, compactions, leadership handed on, and an
 * operator who adds, promotes, demotes and removes members, singly or several at once. All until `stop`.
 */
import { EMPTY_BYTES } from "../../server/base/bytes.ts";
import type { Prng } from "../../server/base/prng.ts";
import {
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  type ConfState,
} from "../../server/proto/raftpb.ts";
import type { RaftLaws } from "./raft-laws.ts";
import type { RaftMember } from "./raft-member.ts";
import { type Counts, longTailed, type Timeline } from "./raft-timeline.ts";
import { electionTimeoutUs, type RaftWeather } from "./raft-weather.ts";

export class RaftWorkload {
  /** Taken by a member, which promises nothing. */
  proposals = 0;
  reads = 0;
  readonly #timeline: Timeline;
  readonly #weather: RaftWeather;
  readonly #random: Prng;
  readonly #changes: Prng;
  readonly #points: Counts;
  readonly #laws: RaftLaws;
  readonly #members: readonly RaftMember[];
  #values = 0;
  #isOver = false;

  constructor(parts: {
    timeline: Timeline;
    weather: RaftWeather;
    random: Prng;
    changes: Prng;
    points: Counts;
    laws: RaftLaws;
    members: readonly RaftMember[];
  }) {
    this.#timeline = parts.timeline;
    this.#weather = parts.weather;
    this.#random = parts.random;
    this.#changes = parts.changes;
    this.#points = parts.points;
    this.#laws = parts.laws;
    this.#members = parts.members;
  }

  /** From now on. */
  start(): void {
    const { proposeUs, readUs, compactUs, changeUs, transferUs } = this.#weather.workload;
    this.#every(proposeUs, this.#random, () => this.propose(this.#anybody(this.#random)));
    this.#every(readUs, this.#random, () => this.#read(this.#anybody(this.#random)));
    this.#every(compactUs, this.#random, () => this.#compact(this.#random.pick(this.#members)));
    this.#every(changeUs, this.#changes, () => this.#change(this.#anybody(this.#changes)));
    this.#every(transferUs, this.#changes, () => this.#transfer(this.#anybody(this.#changes)));
    this.#every(electionTimeoutUs(this.#weather), this.#changes, () => this.#retire());
  }

  stop(): void {
    this.#isOver = true;
  }

  #every(meanUs: number, random: Prng, action: () => void): void {
    if (meanUs === 0) return;
    this.#timeline.after(longTailed(random, meanUs), () => {
      if (this.#isOver) return;
      action();
      this.#every(meanUs, random, action);
    });
  }

  /** The newest leader half of the time, else whoever it hits. */
  #anybody(random: Prng): RaftMember {
    const member = random.pick(this.#members);
    return (random.chance(0.5) ? leaderOf(this.#members) : undefined) ?? member;
  }

  // ---- clients

  /** A value that nobody proposed before. */
  propose(member: RaftMember): void {
    if (!member.isUp || member.isPaused) return;
    const bytes = new Uint8Array(8 + this.#random.below(this.#weather.workload.valueBytesMax));
    const value = ++this.#values;
    for (let at = 0; at < 4; at++) bytes[at] = value >>> (8 * at);
    member.run(member.life, () => {
      if (member.node.propose(bytes)) this.proposals++;
      else if (member.node.isLeader) this.#points.add("proposal refused by a leader");
    });
  }

  #read(member: RaftMember): void {
    if (!member.isUp || member.isPaused) return;
    const context = ++this.reads;
    this.#laws.readAsked(context);
    member.run(member.life, () => void member.node.readIndex(BigInt(context)));
  }

  #compact(member: RaftMember): void {
    if (member.isUp && !member.isPaused) member.compact(this.#random.pick([0, 5, 50]));
  }

  // ---- the operator

  #transfer(member: RaftMember): void {
    const target = this.#changes.pick(this.#members).id;
    if (member.isUp) member.run(member.life, () => member.node.transferLeader(target));
  }

  /** Whoever has applied its own removal is stopped, as a real member stops itself; later it may be there again. */
  #retire(): void {
    for (const member of this.#members) {
      const { voters, learners, votersOutgoing } = member.state.confState;
      const isMember = [voters, learners, votersOutgoing].some((ids) => ids.includes(member.id));
      if (member.isUp && !isMember && member.state.index > 0 && this.#changes.chance(0.5)) {
        this.#points.add("removed member stopped");
        member.die("process");
      } else if (!member.isUp && this.#changes.chance(0.3)) member.start();
    }
  }

  #change(member: RaftMember): void {
    if (!member.isUp || member.isPaused) return;
    const config = member.state.confState;
    const random = this.#changes;
    const leave = { transition: ConfChangeTransition.AUTO, changes: [], context: EMPTY_BYTES };
    member.run(member.life, () => {
      if (config.votersOutgoing.length > 0) {
        if (!config.autoLeave) member.node.proposeConfChange(leave);
        return;
      }
      if (!this.#weather.workload.joint || random.chance(0.3)) {
        const single = this.#single(config);
        member.node.proposeConfChange({ id: 0n, ...single, context: EMPTY_BYTES });
        return;
      }
      const changes = Array.from({ length: 1 + random.below(3) }, () => this.#single(config));
      const transition = random.pick(Object.values(ConfChangeTransition));
      member.node.proposeConfChange({ transition, changes, context: EMPTY_BYTES });
    });
  }

  /** Somebody comes, rises, falls or goes. Voters are rather many than few. */
  #single({ voters, learners }: ConfState): ConfChangeSingle {
    const random = this.#changes;
    const nodeId = random.pick(this.#members).id;
    if (learners.includes(nodeId)) {
      return { nodeId, type: random.chance(0.75) ? ConfChangeType.ADD_NODE : ConfChangeType.REMOVE_NODE };
    }
    if (!voters.includes(nodeId)) {
      return { nodeId, type: random.chance(0.75) ? ConfChangeType.ADD_LEARNER_NODE : ConfChangeType.ADD_NODE };
    }
    if (voters.length <= 2 && random.chance(0.7)) return { nodeId, type: ConfChangeType.UPDATE_NODE };
    return { nodeId, type: random.chance(0.5) ? ConfChangeType.REMOVE_NODE : ConfChangeType.ADD_LEARNER_NODE };
  }
}

/** Who leads the highest term of those that are there. */
export function leaderOf(members: readonly RaftMember[]): RaftMember | undefined {
  let leader: RaftMember | undefined;
  for (const member of members) {
    if (member.isUp && member.node.isLeader && member.node.term > (leader?.node.term ?? 0)) leader = member;
  }
  return leader;
}
