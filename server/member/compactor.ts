/** Runs compactions in slices with a pause between them, one after another, and tells who waits for the end. */
import type { Compaction } from "../mvcc/compaction.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { MemberMetrics } from "./member-metrics.ts";

interface Job {
  readonly compaction: Compaction;
  readonly finished: (() => void)[];
  startedMs: number | undefined;
}

export class Compactor {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #metrics: MemberMetrics;
  readonly #batchRevisions: number;
  readonly #sleepMs: number;
  readonly #commit: () => Promise<void>;
  readonly #noteWork: () => void;
  /** The first is at work, until what it deleted is durable. */
  readonly #jobs: Job[] = [];
  #timer: Timer | undefined;

  constructor(parts: {
    clock: Clock;
    logger: Logger;
    metrics: MemberMetrics;
    batchRevisions: number;
    sleepMs: number;
    /** Makes what a finished compaction deleted durable. */
    commit: () => Promise<void>;
    /** A slice has added to the batch. */
    noteWork: () => void;
  }) {
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#metrics = parts.metrics;
    this.#batchRevisions = parts.batchRevisions;
    this.#sleepMs = parts.sleepMs;
    this.#commit = parts.commit;
    this.#noteWork = parts.noteWork;
  }

  /** Queues a compaction that apply has begun. */
  add(compaction: Compaction): void {
    this.#jobs.push({ compaction, finished: [], startedMs: undefined });
    if (this.#jobs.length === 1) this.#arm(0);
  }

  /** Resolves when all compactions queued now have deleted and committed what they had to. */
  idle(): Promise<void> {
    const last = this.#jobs.at(-1);
    if (last === undefined) return Promise.resolve();
    return new Promise((resolve) => last.finished.push(resolve));
  }

  stop(): void {
    this.#timer?.cancel();
    for (const job of this.#jobs.splice(0)) for (const finished of job.finished) finished();
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => {
      this.#slice();
    });
  }

  #slice(): void {
    const job = this.#jobs[0];
    if (job === undefined) return;
    const now = this.#clock.monotonicMs();
    job.startedMs ??= now;
    const done = job.compaction.step(this.#batchRevisions);
    this.#noteWork();
    this.#metrics.compactionPaused(this.#clock.monotonicMs() - now);
    if (done) void this.#finish(job, job.startedMs);
    else this.#arm(this.#sleepMs);
  }

  async #finish(job: Job, startedMs: number): Promise<void> {
    await this.#commit();
    const tookMs = this.#clock.monotonicMs() - startedMs;
    this.#metrics.compacted(tookMs);
    this.#logger.info("finished scheduled compaction", {
      "compact-revision": job.compaction.revision,
      took: `${tookMs.toFixed(3)}ms`,
    });
    this.#jobs.shift();
    for (const finished of job.finished) finished();
    if (this.#jobs.length > 0) this.#arm(this.#sleepMs);
  }
}
