/**
 * What comes due next, by lease id: an alarm clock with one alarm an id.
 *
 * Keep-alives move alarms into the future far more often than alarms ring, so a later time is only noted (no heap
 * work) and the entry is put back when it surfaces early:
 *
 *      heap, by queuedMs                      alarms, by id
 *      [ 10 s  lease 7 ] --- current ------>  7: { queuedMs 10 s, wantedMs 42 s }   renewed since: put back at 42 s
 *      [ 12 s  lease 9 ] --- stale            9: (none)                             revoked: skipped
 *
 * Stale entries are at most as many as current ones (+64): then the heap is built anew. Memory follows the number of
 * alarms, however many leases come and go.
 */
import { Heap } from "../base/heap.ts";

interface Alarm {
  readonly id: bigint;
  /** Its place in the heap; never later than `wantedMs`. */
  readonly queuedMs: number;
  wantedMs: number;
}

const STALE_ALLOWED = 64;

export class ExpiryQueue {
  #heap = newHeap();
  readonly #alarms = new Map<bigint, Alarm>();

  /** Ids with an alarm. */
  get size(): number {
    return this.#alarms.size;
  }

  /** Heap entries, stale ones included: for tests of the bound. */
  get entries(): number {
    return this.#heap.size;
  }

  has(id: bigint): boolean {
    return this.#alarms.has(id);
  }

  /** Rings for `id` at `atMs`, instead of any time set before. */
  set(id: bigint, atMs: number): void {
    const alarm = this.#alarms.get(id);
    if (alarm !== undefined && alarm.queuedMs <= atMs) {
      alarm.wantedMs = atMs;
      return;
    }
    this.#push(id, atMs);
  }

  /** Does not ring for `id`. */
  delete(id: bigint): void {
    if (this.#alarms.delete(id)) this.#dropStale();
  }

  clear(): void {
    this.#heap = newHeap();
    this.#alarms.clear();
  }

  /** The id whose time came first, at or before `nowMs`, taken out; undefined when none is due. */
  next(nowMs: number): bigint | undefined {
    for (;;) {
      const first = this.#heap.peek();
      if (first === undefined || first.queuedMs > nowMs) return undefined;
      this.#heap.pop();
      if (this.#alarms.get(first.id) !== first) continue;
      if (first.wantedMs > first.queuedMs) {
        this.#push(first.id, first.wantedMs);
        continue;
      }
      this.#alarms.delete(first.id);
      return first.id;
    }
  }

  #push(id: bigint, atMs: number): void {
    const alarm = { id, queuedMs: atMs, wantedMs: atMs };
    this.#alarms.set(id, alarm);
    this.#heap.push(alarm);
    this.#dropStale();
  }

  #dropStale(): void {
    if (this.#heap.size <= 2 * this.#alarms.size + STALE_ALLOWED) return;
    this.#heap = newHeap();
    for (const alarm of this.#alarms.values()) this.#heap.push(alarm);
  }
}

/** Ties by id, so that the order is a function of what is in it. */
function newHeap(): Heap<Alarm> {
  return new Heap((left, right) =>
    left.queuedMs !== right.queuedMs ? left.queuedMs < right.queuedMs : left.id < right.id,
  );
}
