/**
 * Workers that take keys from a queue and bring what they stand for nearer to what is wanted: at most one for a key, so
 * many at once. What went wrong is tried again after a growing pause; what went well, when it says so.
 */
import { isConflict, KubeError } from "./kube.ts";
import { type ControllerMetrics, NO_CONTROLLER_METRICS, type ReconcileResult } from "./series.ts";
import type { Time } from "./time.ts";
import { WorkQueue } from "./work-queue.ts";

export interface Reconciled {
  /** Look again after so long even when nothing happens; absent: only when something does. */
  readonly againInMs?: number;
}

export interface ControllerOptions {
  /** Of the series. */
  readonly name: string;
  readonly time: Time;
  /** Brings one key nearer. `signal` fires when it has taken too long, or the drain is over: give up then. */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<Reconciled>;
  /** Told of what a reconcile threw. Must not throw; if it does, that is ignored. */
  readonly failed?: (key: string, error: unknown) => void;
  readonly metrics?: ControllerMetrics;
  readonly concurrency?: number;
  /** A reconcile is told to give up after so long, milliseconds. */
  readonly limitMs?: number;
}

const CONCURRENCY = 8;
const LIMIT_MS = 600_000;

export class Controller {
  readonly queue: WorkQueue;
  readonly #options: ControllerOptions;
  readonly #metrics: ControllerMetrics;
  readonly #running = new Map<string, AbortController>();
  #workers: readonly Promise<void>[] = [];

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.queue = new WorkQueue(options.time);
    this.#metrics = options.metrics ?? NO_CONTROLLER_METRICS;
    this.#metrics.queued(
      options.name,
      () => this.queue.depth,
      () => this.queue.oldestMs,
      () => this.queue.working,
    );
  }

  start(): void {
    const { concurrency = CONCURRENCY } = this.#options;
    if (this.#workers.length === 0) this.#workers = Array.from({ length: concurrency }, () => this.#work());
  }

  /**
   * Begins nothing new and waits for what is under way, at most `drainMs`; then tells the rest to give up. Says whether
   * all have ended: if not, somebody is still at work.
   */
  async stop(drainMs: number): Promise<boolean> {
    const { time } = this.#options;
    this.queue.close();
    const ended = Promise.all(this.#workers).then(() => true);
    const late = new Promise<boolean>((resolve) => {
      const timer = time.after(drainMs, () => resolve(false));
      void ended.then(() => timer.cancel());
    });
    if (await Promise.race([ended, late])) return true;
    for (const giveUp of this.#running.values()) giveUp.abort();
    return false;
  }

  async #work(): Promise<void> {
    for (let key = await this.queue.next(); key !== undefined; key = await this.queue.next()) {
      await this.#reconcile(key);
      this.queue.done(key);
    }
  }

  async #reconcile(key: string): Promise<void> {
    const { time, name, reconcile, limitMs = LIMIT_MS } = this.#options;
    const startedAt = time.monotonic();
    const giveUp = new AbortController();
    this.#running.set(key, giveUp);
    const timer = time.after(limitMs, () => giveUp.abort());
    let result: ReconcileResult;
    try {
      result = this.#wentWell(key, await reconcile(key, giveUp.signal));
    } catch (error) {
      result = this.#wentWrong(key, error);
    } finally {
      timer.cancel();
      this.#running.delete(key);
    }
    this.#metrics.reconciled(name, result, time.monotonic() - startedAt);
  }

  #wentWell(key: string, { againInMs }: Reconciled): ReconcileResult {
    this.queue.forget(key);
    if (againInMs === undefined) return "done";
    this.queue.addAfter(key, againInMs);
    return "again";
  }

  #wentWrong(key: string, error: unknown): ReconcileResult {
    this.queue.addAfterFailure(key, error instanceof KubeError ? error.retryAfterMs : undefined);
    try {
      this.#options.failed?.(key, error);
    } catch {
      // Who cannot even be told of errors must not end a worker.
    }
    return isConflict(error) ? "conflict" : "error";
  }
}
