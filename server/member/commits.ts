/**
 * When the backend's batch becomes durable: every `batchMs`, or sooner when it has grown to `batchOperations` or
 * `batchBytes`. The
 * applied index goes into the same transaction as the effects it stands for; nothing else decides what a restart sees.
 */
import { type ConsistentIndex, storeConsistentIndex } from "../apply/consistent-index.ts";
import { failpoint } from "../base/failpoint.ts";
import { type Backend, BackendFull } from "../ports/backend.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { MemberMetrics } from "./member-metrics.ts";

/** Batches that may pile up behind a slow disk before applying waits for it. */
const BATCHES_AHEAD = 4;
/** What work in the background may bring a batch to: handing over ten thousand operations at once holds the loop. */
const BACKGROUND_OPERATIONS = 2000;
/** When to try again after the store had no room: a compaction may have made some. */
const FULL_RETRY_MS = 1000;

export class Commits {
  readonly #backend: Backend;
  readonly #clock: Clock;
  readonly #metrics: MemberMetrics;
  readonly #batchMs: number;
  readonly #batchOperations: number;
  readonly #batchBytes: number;
  readonly #applied: () => ConsistentIndex;
  readonly #durable: (index: number) => void;
  readonly #failed: (error: unknown) => void;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #durableIndex = 0;
  #held = false;
  /** Work in the background has filled the batch and goes on when it is handed over. */
  #backgroundWaits = false;
  /** Who asked for a commit meanwhile. */
  #heldBack: (() => void)[] = [];

  constructor(parts: {
    backend: Backend;
    clock: Clock;
    metrics: MemberMetrics;
    batchMs: number;
    batchOperations: number;
    batchBytes: number;
    /** How far apply has come, to be written with the batch. */
    applied: () => ConsistentIndex;
    /** Everything up to `index` has become durable. */
    durable: (index: number) => void;
    /** `BackendFull`: nothing is lost and the commit is tried again; anything else is fatal. */
    failed: (error: unknown) => void;
  }) {
    this.#backend = parts.backend;
    this.#clock = parts.clock;
    this.#metrics = parts.metrics;
    this.#batchMs = parts.batchMs;
    this.#batchOperations = parts.batchOperations;
    this.#batchBytes = parts.batchBytes;
    this.#applied = parts.applied;
    this.#durable = parts.durable;
    this.#failed = parts.failed;
  }

  /** The last applied index that a crash cannot take back. */
  get durableIndex(): number {
    return this.#durableIndex;
  }

  /** Whether the batch has room: false holds applying back, so that memory stays bounded. */
  get hasRoom(): boolean {
    if (this.#running === undefined) return true;
    if (this.#backend.pendingBytes() >= this.#batchBytes) return false;
    return this.#backend.pendingOperations() < BATCHES_AHEAD * this.#batchOperations;
  }

  /** The same for what nobody waits for: false until the batch has been handed over. */
  get hasRoomForBackground(): boolean {
    return this.#backend.pendingOperations() < BACKGROUND_OPERATIONS;
  }

  /** An entry is applied in part: nothing is made durable until `release`, however large the batch grows. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    const waiting = this.#heldBack.splice(0);
    if (waiting.length === 0) this.note();
    else void this.commit().then(() => waiting.forEach((resolve) => void resolve()));
  }

  get isHeld(): boolean {
    return this.#held;
  }

  /** Something was applied: commit soon, or now when the batch is full. */
  note(): void {
    if (this.#held) return; // `release` comes back to it
    const full = this.#backend.pendingBytes() >= this.#batchBytes;
    if (full || this.#backend.pendingOperations() >= this.#batchOperations) {
      if (this.#running === undefined) void this.commit();
    } else this.#arm(this.#batchMs);
  }

  /** Work in the background was done: what it may add to a batch goes at once when it is as much. */
  noteBackground(): void {
    this.#backgroundWaits = !this.hasRoomForBackground;
    if (!this.#backgroundWaits || this.#held || this.#running !== undefined) this.note();
    else void this.commit();
  }

  #arm(delayMs: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = undefined;
      if (this.#running === undefined) void this.commit();
      else this.note();
    });
  }

  /** Commits what there is; resolves when it is durable. Never rejects: a failure goes to `failed`. */
  commit(): Promise<void> {
    if (this.#held) return new Promise((resolve) => this.#heldBack.push(resolve));
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#backgroundWaits = false;
    const { index, term } = this.#applied();
    failpoint?.("commitBeforePreCommitHook");
    storeConsistentIndex(this.#backend, { index, term });
    failpoint?.("commitAfterPreCommitHook");
    const started = this.#clock.monotonicMs();
    const running = this.#backend
      .commit()
      .then(() => {
        if (this.#running === running) this.#running = undefined;
        this.#metrics.backendCommitted(this.#clock.monotonicMs() - started);
        this.#durableIndex = Math.max(this.#durableIndex, index);
        this.#durable(index);
        if (this.#backgroundWaits && !this.#held) void this.commit();
        else if (this.#backend.pendingOperations() > 0) this.note();
      })
      .catch((error: unknown) => {
        if (this.#running === running) this.#running = undefined;
        this.#failed(error);
        if (error instanceof BackendFull) this.#arm(FULL_RETRY_MS);
      });
    this.#running = running;
    return running;
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
