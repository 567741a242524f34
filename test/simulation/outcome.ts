/** What a simulated run comes to, on whichever level. */
import type { Less } from "./swarm.ts";

export interface Outcome {
  readonly members: number;
  readonly simulatedMs: number;
  /** Calls of clients that were answered and checked, or proposals. */
  readonly operations: number;
  /** How often each kind of fault was there. */
  readonly faults: Readonly<Record<string, number>>;
  /** How often each named place was come by. */
  readonly points: Readonly<Record<string, number>>;
  /** Of everything that could be seen: two runs of one seed have the same. */
  readonly traceHash: string;
  /** Why the run proves nothing and is not counted, if so. */
  readonly void?: string | undefined;
}

export interface RunOptions extends Less {
  /** Takes what happens, line by line. */
  readonly log?: ((line: string) => void) | undefined;
}

export interface Level {
  readonly name: string;
  /** Whether a run can be had with less: `RunOptions.untilMs` and `without`. */
  readonly takesLess: boolean;
  /** Places that a volume of runs should come by. */
  readonly points: readonly string[];
  /** Rejects at the first promise that was not kept; a `Violation` says when that was. */
  run(seed: number, options?: RunOptions): Promise<Outcome>;
}

/** A promise that was not kept. */
export class Violation extends Error {
  override readonly name = "Violation";
  /** Virtual milliseconds. */
  readonly atMs: number;

  constructor(message: string, atMs: number, cause?: unknown) {
    super(message, { cause });
    this.atMs = atMs;
  }
}

/** Adds one to a count by name. */
export function countIn(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
