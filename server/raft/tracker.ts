/**
 * The configuration, everyone's progress, and the votes of a running campaign: what a leader or candidate counts with.
 */
import { assert } from "../base/assert.ts";
import type { ConfState } from "../proto/raftpb.ts";
import { emptyConfState, membersOf } from "./conf-change.ts";
import { Progress } from "./progress.ts";
import { jointIndex, jointVote, type VoteResult } from "./quorum.ts";

export class Tracker {
  /** Ids in order. Replaced, never changed. */
  config: ConfState = emptyConfState();
  /** Everyone in the configuration, by rising id. */
  members: readonly Progress[] = [];
  /** Votes of the running campaign; whoever votes twice is heard once. */
  readonly votes = new Map<bigint, boolean>();

  readonly #inflightMax: number;
  readonly #inflightBytesMax: number;
  readonly #byId = new Map<bigint, Progress>();
  readonly #matchOf = (id: bigint): number => this.#byId.get(id)?.match ?? 0;

  constructor(limits: { inflightMax: number; inflightBytesMax: number }) {
    this.#inflightMax = limits.inflightMax;
    this.#inflightBytesMax = limits.inflightBytesMax;
  }

  progress(id: bigint): Progress | undefined {
    return this.#byId.get(id);
  }

  isVoter(id: bigint): boolean {
    return this.config.voters.includes(id) || this.config.votersOutgoing.includes(id);
  }

  /** Whether one member alone decides. */
  get isSingleton(): boolean {
    return this.config.voters.length === 1 && this.config.votersOutgoing.length === 0;
  }

  /**
   * Takes `config` as the configuration. Who stays keeps its progress; who is new is probed from our last entry, and
   * counts as active so that a check of the quorum leaves it time to be heard.
   */
  switchTo(config: ConfState, lastIndex: number): void {
    const members: Progress[] = [];
    for (const id of membersOf(config)) {
      const member =
        this.#byId.get(id) ??
        new Progress({
          id,
          next: lastIndex,
          recentActive: true,
          inflightMax: this.#inflightMax,
          inflightBytesMax: this.#inflightBytesMax,
        });
      member.isLearner = config.learners.includes(id);
      members.push(member);
    }
    this.config = config;
    this.members = members;
    this.#byId.clear();
    for (const member of members) this.#byId.set(member.id, member);
  }

  /** The highest index that a quorum is known to hold on disk. */
  committedIndex(): number {
    const index = jointIndex(this.config.voters, this.config.votersOutgoing, this.#matchOf);
    assert(index !== Number.POSITIVE_INFINITY, "a leader has voters");
    return index;
  }

  recordVote(id: bigint, granted: boolean): void {
    if (!this.votes.has(id)) this.votes.set(id, granted);
  }

  voteResult(): VoteResult {
    return jointVote(this.config.voters, this.config.votersOutgoing, this.votes);
  }

  /** Whether a quorum was heard of since the last time, `self` always; then everyone but `self` has to be heard anew. */
  checkQuorumActive(self: bigint): boolean {
    const active = new Map<bigint, boolean>();
    for (const member of this.members) {
      active.set(member.id, member.id === self || member.recentActive);
      if (member.id !== self) member.recentActive = false;
    }
    return jointVote(this.config.voters, this.config.votersOutgoing, active) === "won";
  }
}
