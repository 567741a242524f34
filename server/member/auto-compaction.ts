/**
 * Compaction by itself, while this member leads. By revision: every five minutes down to the newest N. Periodic: after
 * one period, and then every period or hour, whichever is shorter, down to the revision of one period ago.
 */
import { EtcdError } from "../base/error.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { AutoCompaction } from "./options.ts";

const REVISION_INTERVAL_MS = 5 * 60_000;
const HOUR_MS = 3_600_000;
const SAMPLES_PER_INTERVAL = 10;

export class AutoCompactor {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #mode: AutoCompaction;
  readonly #currentRevision: () => number;
  readonly #isLeader: () => boolean;
  readonly #compact: (revision: number) => Promise<unknown>;
  /** Revisions seen, oldest first: never more than one period of samples. */
  #samples: number[] = [];
  #lastCompacted = 0;
  #lastAttemptMs: number | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(parts: {
    clock: Clock;
    logger: Logger;
    mode: AutoCompaction;
    currentRevision: () => number;
    isLeader: () => boolean;
    compact: (revision: number) => Promise<unknown>;
  }) {
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#mode = parts.mode;
    this.#currentRevision = parts.currentRevision;
    this.#isLeader = parts.isLeader;
    this.#compact = parts.compact;
  }

  start(): void {
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    if (this.#stopped) return;
    this.#timer = this.#clock.after(this.#stepMs(), () => {
      void this.#step().then(() => this.#arm());
    });
  }

  #stepMs(): number {
    if (this.#mode.mode === "revision") return REVISION_INTERVAL_MS;
    return Math.min(this.#mode.periodMs, HOUR_MS) / SAMPLES_PER_INTERVAL;
  }

  async #step(): Promise<void> {
    const target =
      this.#mode.mode === "revision"
        ? this.#currentRevision() - this.#mode.retainRevisions
        : this.#sample(this.#mode.periodMs);
    if (target === undefined || target <= 0 || target === this.#lastCompacted || !this.#isLeader()) return;
    try {
      await this.#compact(target);
      this.#lastCompacted = target;
      this.#logger.info("completed auto compaction", { revision: target, mode: this.#mode.mode });
    } catch (error) {
      if (error instanceof EtcdError && error.code === "Compacted") this.#lastCompacted = target;
      else this.#logger.warn("failed auto compaction", { revision: target, error });
    }
  }

  /** Notes today's revision; the one of a period ago when it is time to compact. */
  #sample(periodMs: number): number | undefined {
    const kept = Math.ceil(periodMs / this.#stepMs());
    this.#samples.push(this.#currentRevision());
    if (this.#samples.length <= kept) return undefined;
    this.#samples = this.#samples.slice(-kept - 1);
    const now = this.#clock.monotonicMs();
    const pause = Math.min(periodMs, HOUR_MS);
    if (this.#lastAttemptMs !== undefined && now - this.#lastAttemptMs < pause - this.#stepMs() / 2) return undefined;
    this.#lastAttemptMs = now;
    return this.#samples[0];
  }
}
