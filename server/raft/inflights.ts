/**
 * The window of appends sent to one follower and not yet acknowledged, oldest first. It bounds what a slow follower
 * may hold up, in messages and in bytes; the byte bound is soft by one message.
 */
import { assert } from "../base/assert.ts";

export class Inflights {
  readonly #countMax: number;
  readonly #bytesMax: number;
  // A ring that grows on demand: last index of each message and its bytes.
  #indexes: number[] = [];
  #sizes: number[] = [];
  #start = 0;
  #count = 0;
  #bytes = 0;

  /** `bytesMax` 0: no limit in bytes. */
  constructor(limits: { countMax: number; bytesMax: number }) {
    assert(limits.countMax > 0, "at least one append may be in flight");
    this.#countMax = limits.countMax;
    this.#bytesMax = limits.bytesMax === 0 ? Number.POSITIVE_INFINITY : limits.bytesMax;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get full(): boolean {
    return this.#count === this.#countMax || this.#bytes >= this.#bytesMax;
  }

  /** Notes a message whose last entry is `index`; indexes rise from call to call. */
  add(index: number, sizeBytes: number): void {
    assert(!this.full, "an append leaves only while the window has room");
    if (this.#count === this.#indexes.length) this.#grow();
    const at = (this.#start + this.#count) % this.#indexes.length;
    this.#indexes[at] = index;
    this.#sizes[at] = sizeBytes;
    this.#count++;
    this.#bytes += sizeBytes;
  }

  /** Frees every message whose last entry is at or before `index`. */
  freeTo(index: number): void {
    while (this.#count > 0 && (this.#indexes[this.#start] as number) <= index) {
      this.#bytes -= this.#sizes[this.#start] as number;
      this.#start = (this.#start + 1) % this.#indexes.length;
      this.#count--;
    }
  }

  clear(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const size = Math.min(this.#countMax, Math.max(4, this.#indexes.length * 2));
    const indexes = new Array<number>(size).fill(0);
    const sizes = new Array<number>(size).fill(0);
    for (let i = 0; i < this.#count; i++) {
      const from = (this.#start + i) % this.#indexes.length;
      indexes[i] = this.#indexes[from] as number;
      sizes[i] = this.#sizes[from] as number;
    }
    this.#indexes = indexes;
    this.#sizes = sizes;
    this.#start = 0;
  }
}
