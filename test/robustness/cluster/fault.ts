/** What may happen to a cluster: a table of things with a name, each of which begins, lasts, and is over. */
import type { Field, Lacks } from "./field.ts";

export interface Fault {
  readonly name: string;
  /** Nothing else may be wrong meanwhile: it takes all members in its hand. */
  readonly isAlone?: boolean;
  /** Why it cannot be made on this machine; undefined: it can. */
  lacks?(lacks: Lacks): string | undefined;
  /**
   * Makes it, for about `holdMs`, and mends it. Answers what was done to whom; undefined: nobody was free for it, or
   * it has touched nothing. Rejects when
   * the members do not come back, or do not do what was asked of them.
   */
  run(field: Field, holdMs: number): Promise<string | undefined>;
}
