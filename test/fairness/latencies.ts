/** What the quiet client asks for, and how long it took, in milliseconds. */

export const KINDS = ["range", "put", "watch", "keepalive", "health"] as const;
export type Kind = (typeof KINDS)[number];

export interface CalmReport {
  readonly summaries: Readonly<Record<Kind, Summary>>;
  /** Different texts, the first few. */
  readonly errors: readonly string[];
  /** The longest that something has been waited for by now without an answer, in milliseconds. */
  readonly waitingMs: number;
}

export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What asks every so many milliseconds would have been asked while one waited for a slow answer. */
const PERIOD_MS = 5;

export class Latencies {
  #taken: number[] = [];

  /**
   * One that took long stands for those too that would have been asked meanwhile, and would have waited for the rest of it:
   * else a server that stands still for seconds would look quick, for hardly anything was asked of it.
   */
  add(ms: number): void {
    for (let rest = ms; rest > 0; rest -= PERIOD_MS) this.#taken.push(rest);
  }

  /** Of what was added since the last time, and of one that has waited for `waitingMs` by now. */
  takeSummary(waitingMs: number): Summary {
    const count = this.#taken.length;
    this.add(waitingMs);
    const sorted = this.#taken.sort((left, right) => left - right);
    this.#taken = [];
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { count, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 };
  }
}
