/**
 * Whether the next sync may hold the event loop. A sync on the loop is about 100 us quicker than one beside it (no hop to
 * a thread and back), which is a third of a lone put; but a slow disk would hold reads, watches and heartbeats as well.
 * So: on the loop while those were quick on average and none has stalled lately, beside it otherwise. A lone write, with
 * nobody else asking, has only itself to hold up, and a longer sync than others may take is still quicker there.
 *
 * Only syncs on the loop tell how quick the disk is: one beside it ends when the loop has time for it. So while they run
 * beside, one a second is tried on the loop; and none is for a while after a stall, longer each time it comes again.
 */
import { assert } from "../base/assert.ts";

/** The average (an EWMA) must stay below this. */
const QUICK_MS = 0.4;
/** For a lone write: who begins to ask in the middle of it waits so long at most, on average. */
const LONE_QUICK_MS = 2;
/** A sync on the loop that took longer is a stall. */
const STALL_MS = 5;
const LONE_STALL_MS = 20;
/** One beside it: a busy loop alone does not make that much. */
const STALL_BESIDE_MS = 50;
/** Weight of the newest sync in the average; of a lone try more, or the way back would take half a minute. */
const WEIGHT = 1 / 8;
const TRY_WEIGHT = 1 / 2;
const TRY_EVERY_MS = 1_000;
/** How long no sync holds the loop after a stall: at first, and at most. */
const CALM_MS_MIN = 1_000;
const CALM_MS_MAX = 60_000;
/** A stall that comes within so many such whiles after the last one has come again. */
const AGAIN_CALMS = 10;

export class SyncGuard {
  /** Of syncs on the loop; undefined before the first. */
  #averageMs: number | undefined;
  /** What the last question was answered. */
  #last: "loop" | "try" | "beside" = "beside";
  #isLone = false;
  #calmMs = CALM_MS_MIN;
  #calmUntilMs = Number.NEGATIVE_INFINITY;
  #nextTryMs = Number.NEGATIVE_INFINITY;

  /**
   * Whether the sync that begins now may hold the loop. `nowMs`: a monotonic clock. `isLone`: it is under a single write,
   * and nobody has asked anything else since the last one.
   */
  mayBlock(nowMs: number, isLone = false): boolean {
    this.#isLone = isLone;
    this.#last = this.#decide(nowMs);
    if (this.#last === "try") this.#nextTryMs = nowMs + TRY_EVERY_MS;
    return this.#last !== "beside";
  }

  /** The sync asked about last took `durationMs` and ended at `nowMs`. */
  record(durationMs: number, nowMs: number): void {
    assert(durationMs >= 0, "a sync takes time");
    const stallMs = this.#last === "beside" ? STALL_BESIDE_MS : this.#isLone ? LONE_STALL_MS : STALL_MS;
    if (durationMs > stallMs) this.#stalled(nowMs);
    if (this.#last === "beside") return;
    // A stall is one event, not the new speed of the disk: the calm that it asks for speaks for it.
    const counted = Math.min(durationMs, STALL_MS);
    const before = this.#averageMs ?? counted;
    this.#averageMs = before + (this.#last === "try" ? TRY_WEIGHT : WEIGHT) * (counted - before);
  }

  #decide(nowMs: number): "loop" | "try" | "beside" {
    if (nowMs < this.#calmUntilMs) return "beside";
    if (this.#averageMs === undefined || this.#averageMs < this.#quickMs) return "loop";
    return nowMs >= this.#nextTryMs ? "try" : "beside";
  }

  get #quickMs(): number {
    return this.#isLone ? LONE_QUICK_MS : QUICK_MS;
  }

  #stalled(nowMs: number): void {
    const again = nowMs - this.#calmUntilMs < AGAIN_CALMS * this.#calmMs;
    this.#calmMs = again ? Math.min(2 * this.#calmMs, CALM_MS_MAX) : CALM_MS_MIN;
    this.#calmUntilMs = nowMs + this.#calmMs;
  }
}
