/**
 * Leadership given to another member: because somebody asks for it, or because this one is about to stop, so that the
 * cluster need not wait for an election timeout until somebody leads again.
 */
import { EtcdError } from "../base/error.ts";
import { memberIdText } from "../base/int64.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { Expectations } from "./expectations.ts";

/** How far a member has come, as its leader sees it. */
export interface FollowerProgress {
  readonly id: bigint;
  readonly match: number;
  readonly isLearner: boolean;
}

/** What the moves ask of the member around them. */
export interface MovesHost {
  readonly selfId: bigint;
  readonly isLeader: boolean;
  /** 0n: nobody, as far as we know. */
  readonly leaderId: bigint;
  isVoter(id: bigint): boolean;
  /** Everybody's while leading, our own too; empty otherwise. */
  progress(): readonly FollowerProgress[];
  /** Since when (monotonic milliseconds) it can be reached; undefined: it cannot. */
  activeSince(id: bigint): number | undefined;
  /** Has raft hand leadership over, as soon as the target has all of the log. */
  transfer(target: bigint): void;
}

export class LeaderMoves {
  readonly #host: MovesHost;
  readonly #expectations: Expectations;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #electionMs: number;

  constructor(parts: {
    host: MovesHost;
    expectations: Expectations;
    clock: Clock;
    logger: Logger;
    electionMs: number;
  }) {
    this.#host = parts.host;
    this.#expectations = parts.expectations;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#electionMs = parts.electionMs;
  }

  /**
   * Resolves when `target` leads. Rejects with NotLeader, BadLeaderTransferee, or TimeoutLeaderTransfer when it has not
   * come to that within an election timeout, after which raft goes on leading here.
   */
  async move(target: bigint): Promise<void> {
    const host = this.#host;
    if (!host.isLeader) throw new EtcdError("NotLeader");
    if (!host.isVoter(target)) throw new EtcdError("BadLeaderTransferee");
    if (target === host.selfId) return;
    host.transfer(target);
    if (await this.#expectations.within(this.#electionMs, () => host.leaderId === target)) return;
    throw new EtcdError("TimeoutLeaderTransfer");
  }

  /**
   * Before this member stops: leads it, the voter that has most of its log shall. Resolves when somebody else leads or
   * nobody could, within an election timeout; never rejects, as the stop goes on in any case.
   */
  async away(): Promise<void> {
    const { selfId, isLeader } = this.#host;
    if (!isLeader) return;
    const heir = this.heir();
    const fields = { "local-member-id": memberIdText(selfId) };
    if (heir === undefined) {
      if (this.#host.progress().some(({ id, isLearner }) => id !== selfId && !isLearner)) {
        this.#logger.warn("leadership is not handed over before the stop: no other voter can be reached", fields);
      }
      return;
    }
    const started = this.#clock.monotonicMs();
    try {
      await this.move(heir);
    } catch (error) {
      this.#logger.warn("leadership could not be handed over before the stop; the others will elect a leader", {
        ...fields,
        "transferee-member-id": memberIdText(heir),
        error: error instanceof EtcdError ? error.code : error,
      });
      return;
    }
    this.#logger.info("leadership was handed over before the stop", {
      ...fields,
      "transferee-member-id": memberIdText(heir),
      took: `${(this.#clock.monotonicMs() - started).toFixed(3)}ms`,
    });
  }

  /**
   * The connected voter with most of the log, of several the one that has been connected longest; undefined: there is
   * none. (etcd looks at the connection alone; one that lags would have to catch up first, while nobody can write.)
   */
  heir(): bigint | undefined {
    const { selfId } = this.#host;
    let best: { id: bigint; match: number; sinceMs: number } | undefined;
    for (const { id, match, isLearner } of this.#host.progress()) {
      const sinceMs = this.#host.activeSince(id);
      if (id === selfId || isLearner || sinceMs === undefined) continue;
      if (best === undefined || match > best.match || (match === best.match && sinceMs < best.sinceMs)) {
        best = { id, match, sinceMs };
      }
    }
    return best?.id;
  }
}
