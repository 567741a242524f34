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

export class Latencies {
  #taken: number[] = [];

  add(ms: number): void {
    this.#taken.push(ms);
  }

  /** Of what was added since the last time. */
  takeSummary(): Summary {
    const sorted = this.#taken.sort((left, right) => left - right);
    this.#taken = [];
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 };
  }
}
