/**
 * How long requests are taken in within one turn of the loop. A peer that has a thousand requests in flight brings them
 * all at once, each some microseconds to read and to hand on; one that is cut off after some milliseconds goes on in the
 * next turn, behind what others have asked for meanwhile. The order of what one connection brings stays.
 */

import { LATE_READ_TURN_MS, READ_TURN_MS } from "./limits.ts";

/** Shorter ones are not worth the counting. */
const COUNTED_MS = 0.1;

/** A connection that was cut off. */
export interface CutReader {
  readOn(): void;
}

export class ReadTurns {
  #waiting: CutReader[] = [];
  #spentMs = 0;
  #scheduled = false;

  /** How many milliseconds may be read now. */
  get allowanceMs(): number {
    return Math.max(READ_TURN_MS - this.#spentMs, LATE_READ_TURN_MS);
  }

  /** So long was read. */
  spend(ms: number): void {
    if (ms < COUNTED_MS) return;
    this.#spentMs += ms;
    this.#schedule();
  }

  /** `reader` is called once, in the next turn. */
  join(reader: CutReader): void {
    this.#waiting.push(reader);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#next);
  }

  readonly #next = (): void => {
    this.#scheduled = false;
    this.#spentMs = 0;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const reader of waiting) reader.readOn();
  };
}
