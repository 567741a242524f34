/** Times that requests took, bounded in number: beyond it each further one takes the place of an older one. */
const KEPT = 2 ** 20;

export class Latencies {
  #count = 0;
  readonly #ms = new Float64Array(KEPT);
  #maxMs = 0;

  add(ms: number): void {
    this.#ms[this.#count % KEPT] = ms;
    this.#count++;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  get count(): number {
    return this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  /** Of what is kept; 0 when there is none. */
  quantileUs(part: number): number {
    const sorted = this.#ms.slice(0, Math.min(this.#count, KEPT)).sort();
    return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0) * 1000;
  }

  clear(): void {
    this.#count = 0;
    this.#maxMs = 0;
  }
}
