/**
 * A new leader gives all leases their time at the same moment, so that many may end together. It moves some on, until no
 * second holds more than is revoked in one. Those that end in a second by themselves go first there; none ends earlier.
 *
 * In two passes, each in the caller's slices: `count` every lease, then `place` every lease.
 */

export class Spread {
  readonly #perSecond: number;
  /** Leases that end in a second by themselves, and of these those that have been placed. */
  readonly #own = new Map<number, { count: number; placed: number; moved: number }>();
  /** A second without room -> where to look next. */
  readonly #next = new Map<number, number>();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  count(expiryMs: number): void {
    this.#second(Math.floor(expiryMs / 1000)).count++;
  }

  /** When a lease that would end at `expiryMs` does end. */
  place(expiryMs: number): number {
    const start = Math.floor(expiryMs / 1000);
    const own = this.#second(start);
    if (own.placed < this.#perSecond) {
      own.placed++;
      return expiryMs;
    }
    const second = this.#secondWithRoom(start + 1);
    const at = this.#second(second);
    const taken = Math.min(at.count, this.#perSecond) + at.moved++;
    return second * 1000 + Math.floor((taken * 1000) / this.#perSecond);
  }

  #second(second: number): { count: number; placed: number; moved: number } {
    let found = this.#own.get(second);
    if (found === undefined) {
      found = { count: 0, placed: 0, moved: 0 };
      this.#own.set(second, found);
    }
    return found;
  }

  /** Remembers for all seconds passed where it ended: else each lease would walk past all those before it. */
  #secondWithRoom(from: number): number {
    const passed: number[] = [];
    let second = from;
    for (;;) {
      const { count, moved } = this.#second(second);
      if (Math.min(count, this.#perSecond) + moved < this.#perSecond) break;
      passed.push(second);
      second = this.#next.get(second) ?? second + 1;
    }
    for (const full of passed) this.#next.set(full, second);
    return second;
  }
}
