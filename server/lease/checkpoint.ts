/**
 * Remaining time worth replicating. A leader keeps expiries in its own memory; without checkpoints every change of
 * leader would give each lease its whole ttl again, and one of a week might never end. So every five minutes of a
 * lease's life its rest is sent through the log (etcd: LeaseCheckpoint).
 *
 * Only leases that have more than one interval left take part: a shorter one loses little by starting again.
 */
import { ExpiryQueue } from "./expiry-queue.ts";
import { type Lease, remainingMs } from "./lease.ts";

/** Seconds between two checkpoints of one lease: etcd's. */
export const CHECKPOINT_INTERVAL_SECONDS = 300;

/** Leases in one LeaseCheckpoint request at most: etcd's. */
export const CHECKPOINTS_PER_REQUEST = 1000;

export interface Checkpoint {
  readonly id: bigint;
  /** Seconds, rounded up; at least 1. */
  readonly remainingTtl: number;
}

/** Which leases are due for a checkpoint. Holds at most one entry a lease. */
export class CheckpointSchedule {
  readonly #intervalSeconds: number;
  readonly #queue = new ExpiryQueue();

  constructor(intervalSeconds: number) {
    this.#intervalSeconds = intervalSeconds;
  }

  /** Leases that wait for a checkpoint. */
  get size(): number {
    return this.#queue.size;
  }

  /** The lease's time began to run, with `seconds` left: it is looked at one interval from now, if it is long. */
  start(id: bigint, seconds: number, nowMs: number): void {
    if (seconds > this.#intervalSeconds) this.#queue.set(id, this.#nextLookMs(nowMs));
    else this.#queue.delete(id);
  }

  /** The lease was renewed: back to the whole ttl. One that is already waited for keeps its turn. */
  renewed(id: bigint, ttlSeconds: number, nowMs: number): void {
    if (!this.#queue.has(id)) this.start(id, ttlSeconds, nowMs);
  }

  delete(id: bigint): void {
    this.#queue.delete(id);
  }

  clear(): void {
    this.#queue.clear();
  }

  /**
   * At most `limit` checkpoints to propose now. Each lease comes again one interval later, whether the proposal was
   * applied or lost: a lost one costs an interval, not the lease's place.
   */
  due(nowMs: number, limit: number, lookup: (id: bigint) => Lease | undefined): Checkpoint[] {
    const due: Checkpoint[] = [];
    while (due.length < limit) {
      const id = this.#queue.next(nowMs);
      if (id === undefined) break;
      const lease = lookup(id);
      if (lease === undefined) continue;
      const seconds = Math.ceil(remainingMs(lease, nowMs) / 1000);
      if (seconds <= 0) continue; // it is being revoked
      this.start(id, seconds, nowMs);
      // A lease just renewed, or extended by a change of leader, has nothing to tell.
      if (seconds < lease.ttlSeconds) due.push({ id, remainingTtl: seconds });
    }
    return due;
  }

  #nextLookMs(nowMs: number): number {
    return nowMs + this.#intervalSeconds * 1000;
  }
}
