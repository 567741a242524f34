/**
 * Keys that need a look. A key is in it once however often it is added; while somebody looks at it nobody else does, and
 * what is added meanwhile is looked at once more afterwards. A key may also be added for later, or after failures in a
 * row with growing pauses. The bound is the number of keys there are.
 */
import { BackOff } from "./back-off.ts";
import type { Time, Timer } from "./time.ts";

const BACK_OFF = { firstMs: 1000, longestMs: 300_000, jitter: 0.2 };

interface Delayed {
  readonly at: number;
  readonly timer: Timer;
}

export class WorkQueue {
  readonly #time: Time;
  /** In the order of their coming, with the moment since when they wait. */
  readonly #ready = new Map<string, number>();
  readonly #working = new Set<string>();
  /** Added again while somebody looks. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #backOffs = new Map<string, BackOff>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #isClosed = false;

  constructor(time: Time) {
    this.#time = time;
  }

  /** Keys that wait for a worker now. */
  get depth(): number {
    return this.#ready.size;
  }

  /** Keys that somebody looks at. */
  get working(): number {
    return this.#working.size;
  }

  /** Keys that will be added later. */
  get delayed(): number {
    return this.#delayed.size;
  }

  /** For how long the first key has waited, milliseconds. */
  get oldestMs(): number {
    const [since] = this.#ready.values();
    return since === undefined ? 0 : this.#time.monotonic() - since;
  }

  add(key: string): void {
    if (this.#isClosed || this.#ready.has(key)) return;
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    const taker = this.#takers.shift();
    if (taker === undefined) this.#ready.set(key, this.#time.monotonic());
    else taker(this.#taken(key));
  }

  /** Adds it after `delayMs`; of several for the same key the earliest counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#isClosed) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const at = this.#time.monotonic() + delayMs;
    const before = this.#delayed.get(key);
    if (before !== undefined && before.at <= at) return;
    before?.timer.cancel();
    const timer = this.#time.after(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { at, timer });
  }

  /** After one more failure of this key: adds it after 1 s, 2 s, 4 s ... 5 min, and no sooner than `retryAfterMs`. */
  addAfterFailure(key: string, retryAfterMs = 0): void {
    const backOff = this.#backOffs.get(key) ?? new BackOff(this.#time, BACK_OFF);
    this.#backOffs.set(key, backOff);
    this.addAfter(key, backOff.failed(retryAfterMs));
  }

  /** It went well: the next failure is the first one. */
  forget(key: string): void {
    this.#backOffs.delete(key);
  }

  /** Failures in a row. */
  failures(key: string): number {
    return this.#backOffs.get(key)?.failures ?? 0;
  }

  /** The next key, as soon as there is one; nothing once the queue is closed. It belongs to the taker until `done`. */
  next(): Promise<string | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    const [key] = this.#ready.keys();
    if (key !== undefined) {
      this.#ready.delete(key);
      return Promise.resolve(this.#taken(key));
    }
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  done(key: string): void {
    this.#working.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  /** Gives nothing out any more, and forgets what waits. What is being looked at may still be `done`. */
  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    this.#ready.clear();
    this.#again.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  /** Whoever looks now sees all there is: what was to be looked at later is decided anew by what it finds. */
  #taken(key: string): string {
    this.#working.add(key);
    this.#delayed.get(key)?.timer.cancel();
    this.#delayed.delete(key);
    return key;
  }
}
