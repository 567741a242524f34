/** How long to wait after failures in a row: doubling from a first pause to a longest one, each varied by chance. */
import { jittered, type Time } from "./time.ts";

export interface BackOffOptions {
  readonly firstMs: number;
  readonly longestMs: number;
  /** Each pause lies within this share of its length, 0 to 1. */
  readonly jitter: number;
}

export class BackOff {
  readonly #time: Time;
  readonly #options: BackOffOptions;
  #failures = 0;

  constructor(time: Time, options: BackOffOptions) {
    this.#time = time;
    this.#options = options;
  }

  /** In a row. */
  get failures(): number {
    return this.#failures;
  }

  /** One more failure: milliseconds to wait, at least as long as the server asked for. */
  failed(retryAfterMs = 0): number {
    const { firstMs, longestMs, jitter } = this.#options;
    const pauseMs = Math.min(longestMs, firstMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 64);
    return Math.max(retryAfterMs, Math.min(longestMs, jittered(this.#time, pauseMs, jitter)));
  }

  succeeded(): void {
    this.#failures = 0;
  }
}
