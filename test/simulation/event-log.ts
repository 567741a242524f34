/**
 * What happened in a simulated world, for people and for comparing runs: a line an event, of which the newest are kept,
 * and a hash of all lines and of all that is not worth one. Two runs of one seed have the same hash.
 */
import { hashOf } from "./world/network-wires.ts";

/** Lines that are kept when nobody takes them. */
export const LINES_MAX = 400;

export class EventLog {
  readonly #nowMs: () => number;
  readonly #take: ((line: string) => void) | undefined;
  #lines: string[] = [];
  #dropped = 0;
  #low = 0;
  #high = 1;

  /** `take`: is given every line as it comes. */
  constructor(nowMs: () => number, take?: (line: string) => void) {
    this.#nowMs = nowMs;
    this.#take = take;
  }

  /** A line: when, who, what. */
  say(who: string, what: string): void {
    const line = `${(this.#nowMs() / 1000).toFixed(3).padStart(8)} ${who.padEnd(10)} ${what}`;
    this.mark(line);
    this.#take?.(line);
    this.#lines.push(line);
    if (this.#lines.length < 2 * LINES_MAX) return;
    this.#lines = this.#lines.slice(LINES_MAX);
    this.#dropped += LINES_MAX;
  }

  /** Counts for the hash alone. */
  mark(text: string): void {
    this.#low = hashOf(text, this.#low);
    this.#high = Math.imul(this.#high ^ this.#low, 0x9e3779b1) >>> 0;
  }

  /** The newest lines, and how many came before them. */
  newest(): { readonly lines: readonly string[]; readonly before: number } {
    const lines = this.#lines.slice(-LINES_MAX);
    return { lines, before: this.#dropped + this.#lines.length - lines.length };
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return [this.#high, this.#low].map((half) => half.toString(16).padStart(8, "0")).join("");
  }
}
