/** Runs compactions in slices with a pause between them, one after another, and tells who waits for the end. */
import { failpoint } from "../base/failpoint.ts";
import type { Compaction } from "../mvcc/compaction.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { MemberMetrics } from "./member-metrics.ts";

/** A slice ends when it has taken so long, however few revisions that were: others wait for it. */
const SLICE_MS = 3;
/** Revisions between two looks at the clock. */
const LOOK_EVERY = 100;

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
  readonly #hasRoom: () => boolean;
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
    /** False while the batch has enough. */
    hasRoom: () => boolean;
  }) {
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#metrics = parts.metrics;
    this.#batchRevisions = parts.batchRevisions;
    this.#sleepMs = parts.sleepMs;
    this.#commit = parts.commit;
    this.#noteWork = parts.noteWork;
    this.#hasRoom = parts.hasRoom;
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

  /** The store is another one: what was to be deleted in it is gone with it. */
  drop(): void {
    this.#timer?.cancel();
    for (const job of this.#jobs.splice(0)) for (const finished of job.finished) finished();
  }

  stop(): void {
    this.drop();
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
    failpoint?.("compactAfterAcquiredBatchTxLock");
    let done = false;
    let left = this.#batchRevisions;
    while (!done && left > 0 && this.#hasRoom() && this.#clock.monotonicMs() - now < SLICE_MS) {
      const step = Math.min(left, LOOK_EVERY);
      done = job.compaction.step(step);
      left -= step;
    }
    failpoint?.("compactBeforeCommitBatch");
    this.#noteWork();
    failpoint?.("compactAfterCommitBatch");
    this.#metrics.compactionPaused(this.#clock.monotonicMs() - now);
    if (done) void this.#finish(job, job.startedMs);
    else this.#arm(this.#pauseMs(left));
  }

  /** A batch is followed by the whole pause, a part of one by that part: it takes as long in all. None: a full batch. */
  #pauseMs(left: number): number {
    if (left === this.#batchRevisions) return this.#sleepMs;
    return Math.ceil(this.#sleepMs * (1 - left / this.#batchRevisions));
  }

  async #finish(job: Job, startedMs: number): Promise<void> {
    await this.#commit();
    if (this.#jobs[0] !== job) return; // dropped meanwhile
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
