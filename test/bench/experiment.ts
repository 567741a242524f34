/** What an experiment is: one way of getting figures for a row, or for a few that share what they need. */

import type { Options } from "./options.ts";
import type { LoadResult } from "./raw-client/unary-load.ts";
import type { RowId } from "./rows.ts";
import type { Subject } from "./subject.ts";

/** Programs of others, and how much is wanted. */
export interface Kit {
  readonly h2load: string;
  readonly benchmark: string;
  readonly options: Options;
}

/** Figures of rows, and what else is worth a line. */
export interface Reading {
  readonly figures: Partial<Record<RowId, number>>;
  readonly notes?: Readonly<Record<string, number>>;
}

export interface Experiment {
  readonly rows: readonly RowId[];
  /** Which keys. */
  readonly variant: string;
  readonly tls?: boolean;
  /** More than one: a cluster, whose leader is asked. */
  readonly members?: number;
  /** How long each server is loaded before it is measured; 1 when left out. */
  readonly warmSeconds?: number;
  /** Few pairs, each with servers that are new. */
  readonly slow?: boolean;
  prepare(subject: Subject, kit: Kit): Promise<void>;
  measure(subject: Subject, kit: Kit): Promise<Reading>;
}

/** The figure of a row that counts what a load of the raw client had answered each second. */
export function rate(id: RowId, { perSecond, busy }: LoadResult): Reading {
  const notes = busy === undefined ? {} : { "share of a processor that the client took": busy };
  return { figures: { [id]: perSecond }, notes };
}
