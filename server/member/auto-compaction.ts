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
  /** Undefined before the first compaction. */
  #lastCompactedMs: number | undefined;
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
    this.#samples.push(this.#currentRevision());
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
    const target = this.#target();
    if (target === undefined || target <= 0 || target === this.#lastCompacted || !this.#isLeader()) return;
    try {
      await this.#compact(target);
      this.#logger.info("completed auto compaction", { revision: target, mode: this.#mode.mode });
    } catch (error) {
      if (!(error instanceof EtcdError && error.code === "Compacted")) {
        this.#logger.warn("failed auto compaction", { revision: target, error });
        return;
      }
    }
    this.#lastCompacted = target;
    this.#lastCompactedMs = this.#clock.monotonicMs();
  }

  #target(): number | undefined {
    const revision = this.#currentRevision();
    if (this.#mode.mode === "revision") return revision - this.#mode.retainRevisions;
    return this.#periodAgo(revision, this.#mode.periodMs);
  }

  /** Notes today's revision; the one of a period ago when it is time to compact. A failure is tried again next time. */
  #periodAgo(revision: number, periodMs: number): number | undefined {
    const kept = Math.ceil(periodMs / this.#stepMs()) + 1;
    this.#samples.push(revision);
    if (this.#samples.length < kept) return undefined;
    this.#samples = this.#samples.slice(-kept);
    const sinceLastMs = this.#clock.monotonicMs() - (this.#lastCompactedMs ?? Number.NEGATIVE_INFINITY);
    const pauseMs = Math.min(periodMs, HOUR_MS);
    return sinceLastMs < pauseMs - this.#stepMs() / 2 ? undefined : this.#samples[0];
  }
}
