/**
 * The barrier before a linearizable read: raft confirms that this member's leader still leads and how far the log was
 * committed then; the read waits until that much is applied. All reads that come while one round is under way share
 * the next. Every attempt has an id of its own, so that a late answer never counts for a newer question.
 */
import { type ErrorCode, EtcdError } from "../base/error.ts";
import type { Clock } from "../ports/clock.ts";
import type { ReadState } from "../raft/read-index.ts";
import type { MemberMetrics } from "./member-metrics.ts";

const RETRY_MS = 500;

interface Round {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: EtcdError) => void;
}

interface Asking {
  readonly round: Round;
  readonly startedMs: number;
  context: bigint;
  askedMs: number;
}

export class ReadBarrier {
  readonly #clock: Clock;
  readonly #ask: (context: bigint) => void;
  readonly #schedule: () => void;
  readonly #timeoutMs: number;
  readonly #metrics: MemberMetrics;
  #gathering: Round | undefined;
  #asking: Asking | undefined;
  #waiting: { readonly index: number; readonly round: Round }[] = [];
  #lastContext = 0n;
  #applied = 0;

  constructor(parts: {
    clock: Clock;
    /** Puts the question to raft. */
    ask: (context: bigint) => void;
    /** Has the conductor run a round soon. */
    schedule: () => void;
    timeoutMs: number;
    metrics: MemberMetrics;
  }) {
    this.#clock = parts.clock;
    this.#ask = parts.ask;
    this.#schedule = parts.schedule;
    this.#timeoutMs = parts.timeoutMs;
    this.#metrics = parts.metrics;
  }

  /** Resolves when everything committed before this call is applied here. Rejects with Timeout, LeaderChanged or Stopped. */
  wait(): Promise<void> {
    if (this.#gathering === undefined) {
      this.#gathering = newRound();
      this.#schedule();
    }
    return this.#gathering.promise;
  }

  /** Called once a turn: begins the round of those who gathered. */
  begin(): void {
    if (this.#asking !== undefined || this.#gathering === undefined) return;
    const now = this.#clock.monotonicMs();
    this.#asking = { round: this.#gathering, startedMs: now, askedMs: now, context: this.#nextContext() };
    this.#gathering = undefined;
    this.#ask(this.#asking.context);
  }

  /** Raft's answers. */
  answered(states: readonly ReadState[]): void {
    for (const { context, index } of states) {
      const asking = this.#asking;
      if (asking === undefined || context !== asking.context) continue;
      const { round } = asking;
      this.#asking = undefined;
      if (index <= this.#applied) round.resolve();
      else this.#waiting.push({ index, round });
      if (this.#gathering !== undefined) this.#schedule();
    }
  }

  /** Everything up to `index` is applied. */
  appliedThrough(index: number): void {
    this.#applied = index;
    if (this.#waiting.length === 0) return;
    const still = [];
    for (const waiting of this.#waiting) {
      if (waiting.index <= index) waiting.round.resolve();
      else still.push(waiting);
    }
    this.#waiting = still;
  }

  /** Asks again when no answer came, and gives up in the end. Called every tick. */
  tick(): void {
    const asking = this.#asking;
    if (asking === undefined) return;
    const now = this.#clock.monotonicMs();
    if (now - asking.startedMs >= this.#timeoutMs) {
      this.#asking = undefined;
      this.#metrics.readIndexFailed();
      asking.round.reject(new EtcdError("Timeout"));
      if (this.#gathering !== undefined) this.#schedule();
    } else if (now - asking.askedMs >= RETRY_MS) {
      asking.askedMs = now;
      asking.context = this.#nextContext();
      this.#metrics.readIndexSlow();
      this.#ask(asking.context);
      this.#schedule();
    }
  }

  /** The leader has gone that was asked: whoever waits for its answer asks again, maybe elsewhere. */
  leaderChanged(): void {
    const asking = this.#asking;
    if (asking === undefined) return;
    this.#asking = undefined;
    asking.round.reject(new EtcdError("LeaderChanged"));
    if (this.#gathering !== undefined) this.#schedule();
  }

  /** Ends every wait with one refusal. */
  failAll(code: ErrorCode): void {
    const rounds = [this.#gathering, this.#asking?.round, ...this.#waiting.map(({ round }) => round)];
    this.#gathering = undefined;
    this.#asking = undefined;
    this.#waiting = [];
    for (const round of rounds) round?.reject(new EtcdError(code));
  }

  #nextContext(): bigint {
    this.#lastContext += 1n;
    return this.#lastContext;
  }
}

function newRound(): Round {
  let resolve: () => void = () => undefined;
  let reject: (error: EtcdError) => void = () => undefined;
  const promise = new Promise<void>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  promise.catch(() => undefined); // a round may end with nobody left to hear it
  return { promise, resolve, reject };
}
