/**
 * How long to wait before something that failed is tried, or told, again: not at all after the first failure, then for a
 * pause that doubles with each further failure in a row, up to a longest one.
 */
export class GrowingPause {
  readonly #firstMs: number;
  readonly #longestMs: number;
  #failures = 0;

  constructor({ firstMs, longestMs }: { readonly firstMs: number; readonly longestMs: number }) {
    this.#firstMs = firstMs;
    this.#longestMs = longestMs;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** One more failure: milliseconds to wait after it. */
  failed(): number {
    this.#failures++;
    if (this.#failures === 1) return 0;
    // A shift would come to nothing after 31 of them.
    return Math.min(this.#longestMs, this.#firstMs * 2 ** (this.#failures - 2));
  }

  succeeded(): void {
    this.#failures = 0;
  }
}
