/**
 * What comes due next, by lease id: an alarm clock with one alarm an id.
 *
 * Keep-alives move alarms into the future far more often than alarms ring, so a later time is only noted (no heap
 * work) and the entry is put back when it surfaces early:
 *
 *      heap, by queuedMs             an alarm
 *      [ 10 s  lease 7 ] ------->  { queuedMs 10 s, wantedMs 42 s, at 0 }    renewed since: put back at 42 s
 *
 * Each alarm knows its place in the heap, so one that is deleted leaves at once. Why not leave it there until it
 * surfaces: the heap would have to be built anew now and then, and that of a million leases holds everything up.
 */
import { Heap } from "../base/heap.ts";
import { ShardedMap, shardOfId } from "../base/sharded-map.ts";

interface Alarm {
  readonly id: bigint;
  /** What the heap goes by; never later than `wantedMs`. */
  queuedMs: number;
  wantedMs: number;
  /** Its place in the heap. */
  at: number;
}

export class ExpiryQueue {
  readonly #heap = new Heap<Alarm>(before, (alarm, at) => {
    alarm.at = at;
  });
  readonly #alarms = new ShardedMap<bigint, Alarm>(shardOfId);

  /** Ids with an alarm. */
  get size(): number {
    return this.#alarms.size;
  }

  /** Heap entries: for tests of the bound. */
  get entries(): number {
    return this.#heap.size;
  }

  has(id: bigint): boolean {
    return this.#alarms.has(id);
  }

  /** Rings for `id` at `atMs`, instead of any time set before. */
  set(id: bigint, atMs: number): void {
    const alarm = this.#alarms.get(id);
    if (alarm === undefined) {
      const added: Alarm = { id, queuedMs: atMs, wantedMs: atMs, at: 0 };
      this.#alarms.set(id, added);
      this.#heap.push(added);
      return;
    }
    alarm.wantedMs = atMs;
    if (atMs >= alarm.queuedMs) return;
    alarm.queuedMs = atMs;
    this.#heap.changed(alarm.at);
  }

  /** Does not ring for `id`. */
  delete(id: bigint): void {
    const alarm = this.#alarms.get(id);
    if (alarm === undefined) return;
    this.#alarms.delete(id);
    this.#heap.remove(alarm.at);
  }

  /** At once, however many there are. */
  clear(): void {
    this.#heap.clear();
    this.#alarms.clear();
  }

  /** The id whose time came first, at or before `nowMs`, taken out; undefined when none is due. */
  next(nowMs: number): bigint | undefined {
    for (;;) {
      const first = this.#heap.peek();
      if (first === undefined || first.queuedMs > nowMs) return undefined;
      if (first.wantedMs === first.queuedMs) {
        this.delete(first.id);
        return first.id;
      }
      first.queuedMs = first.wantedMs;
      this.#heap.changed(first.at);
    }
  }
}

/** Ties by id, so that the order is a function of what is in it. */
function before(left: Alarm, right: Alarm): boolean {
  return left.queuedMs !== right.queuedMs ? left.queuedMs < right.queuedMs : left.id < right.id;
}
