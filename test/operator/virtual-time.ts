/**
 * Time that is moved by hand. Between two events everything that is ready runs to its end, so a test is a function of
 * its seed:
 *
 *   const time = new VirtualTime();
 *   time.after(60_000, () => ...);
 *   await time.advance(60_000);              // runs what is due, in order
 *   const answer = await time.until(call()); // moves on until the promise is settled
 */
import { setImmediate as turn } from "node:timers/promises";
import type { Time, Timer } from "../../operator/runtime/time.ts";
import { Heap } from "../../server/base/heap.ts";
import { Prng } from "../../server/base/prng.ts";

interface Due {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
  isCanceled: boolean;
}

export class VirtualTime implements Time {
  readonly #startMs: number;
  readonly #prng: Prng;
  readonly #due = new Heap<Due>(
    (left, right) => left.at - right.at < 0 || (left.at === right.at && left.order < right.order),
  );
  #elapsedMs = 0;
  #order = 0;
  /** Added to the wall's clock alone: a clock that was set. */
  wallShiftMs = 0;

  constructor({
    startMs = Date.UTC(2026, 0, 1),
    seed = 1,
  }: { readonly startMs?: number; readonly seed?: number } = {}) {
    this.#startMs = startMs;
    this.#prng = new Prng(seed);
  }

  now(): number {
    return this.#startMs + this.#elapsedMs + this.wallShiftMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  random(): number {
    return this.#prng.uint32() / 0x1_0000_0000;
  }

  after(delayMs: number, action: () => void): Timer {
    const due: Due = { at: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, action, isCanceled: false };
    this.#due.push(due);
    return {
      cancel: () => {
        due.isCanceled = true;
      },
    };
  }

  /** Lets everything that is ready run, without a millisecond passing. */
  async settle(): Promise<void> {
    await turn();
  }

  /** `ms` pass: what is due meanwhile runs at its moment. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsedMs + ms;
    await this.settle();
    while (this.#next(end)) await this.settle();
    this.#elapsedMs = end;
  }

  /** Moves on until `promise` is settled; fails when `limitMs` have passed, or nothing is left that could settle it. */
  async until<T>(promise: Promise<T>, limitMs = 3_600_000): Promise<T> {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    promise.then(settled, settled);
    const end = this.#elapsedMs + limitMs;
    await this.settle();
    while (!isSettled) {
      if (!this.#next(end)) throw new Error(`not settled within ${limitMs} ms of virtual time`);
      await this.settle();
    }
    return promise;
  }

  /** Runs the next thing that is due by `end`; says whether there was one. */
  #next(end: number): boolean {
    for (let due = this.#due.peek(); due !== undefined && due.at <= end; due = this.#due.peek()) {
      this.#due.pop();
      if (due.isCanceled) continue;
      this.#elapsedMs = Math.max(this.#elapsedMs, due.at);
      due.action();
      return true;
    }
    return false;
  }
}
