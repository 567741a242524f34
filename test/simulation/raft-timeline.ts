/**
 * Virtual time of the raft-only worlds: whole microseconds, events one by one in the order of their time and then of
 * their making, nothing asynchronous. And the hash of all that happened, by which two runs are told apart.
 */
import { Heap } from "../../server/base/heap.ts";
import { Prng } from "../../server/base/prng.ts";

export const MS = 1000;

interface Moment {
  readonly atUs: number;
  readonly order: number;
  readonly action: () => void;
}

export class Timeline {
  nowUs = 0;
  /** Events that have run. */
  steps = 0;
  /** Of everything that was noted, in its order. */
  hash = 0;
  /** Hears in words what happens. Without it nobody makes the words. */
  listener: ((line: string) => void) | undefined;
  #order = 0;
  readonly #moments = new Heap<Moment>((left, right) =>
    left.atUs === right.atUs ? left.order < right.order : left.atUs < right.atUs,
  );

  /** Whole microseconds from now. */
  after(delayUs: number, action: () => void): void {
    this.#moments.push({ atUs: this.nowUs + delayUs, order: this.#order++, action });
  }

  /** Runs everything up to and with this time, which then is the present. */
  runTo(endUs: number): void {
    for (let next = this.#moments.peek(); next !== undefined && next.atUs <= endUs; next = this.#moments.peek()) {
      this.#moments.pop();
      this.nowUs = next.atUs;
      this.steps++;
      next.action();
    }
    this.nowUs = endUs;
  }

  /** Tells the listener what happens now; `words` is called only when there is one. */
  tell(words: () => string): void {
    this.listener?.(`${(this.nowUs / MS).toFixed(3).padStart(10)}  ${words()}`);
  }

  /** Adds what happened just now to the hash; whole numbers. */
  note(kind: number, who: number, what: number): void {
    let hash = Math.imul(this.hash ^ this.nowUs, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13) ^ (kind * 64 + who), 0xc2b2ae35);
    this.hash = (hash ^ (hash >>> 16) ^ what) >>> 0;
  }
}

/** Chance for one purpose alone: what one of them draws does not shift the others. */
const STREAMS = ["weather", "network", "disks", "clocks", "members", "workload", "changes", "faults"] as const;
export type Stream = (typeof STREAMS)[number];

/** The same numbers for the same seed (a whole number from 0 to 2^32 - 1) and purpose. */
export function streamOf(seed: number, purpose: Stream): Prng {
  return new Prng(seed + (STREAMS.indexOf(purpose) + 1) * 0x1_0000_0000);
}

/** About `meanUs`, at times many times as much: half of it at least, a long tail by lot. Whole microseconds. */
export function longTailed(random: Prng, meanUs: number): number {
  let delayUs = (meanUs >> 1) + random.below(meanUs + 1);
  for (let doublings = 0; doublings < 6 && random.chance(0.12); doublings++) delayUs *= 2;
  return delayUs;
}

/** How often each named thing happened. */
export class Counts {
  readonly #counts = new Map<string, number>();

  add(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  has(name: string): boolean {
    return this.#counts.has(name);
  }

  /** By name, in the order of names. */
  toRecord(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([left], [right]) => (left < right ? -1 : 1)));
  }
}
