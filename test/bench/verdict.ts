/** What a row's figures come to: beside its aim and its floor, and whether the ways of measuring it agree. */
import type { Ratio } from "./statistics.ts";

/** What a row is held against. `ratio`: ours / theirs. `ours`: our own figure. */
export type Goal =
  | { readonly of: "ratio" | "ours"; readonly better: "more" | "less"; readonly aim: number; readonly floor: number }
  | { readonly of: "elsewhere"; readonly aim: string; readonly floor: string; readonly by: string };

export type Verdict = "ok" | "under aim" | "UNDER FLOOR" | "not measured";

/** How far ratios of one row may lie apart. */
const AGREEMENT = 1.2;

/** One way in which a row was measured: with one key, or with many. */
export interface Measured {
  readonly variant: string;
  readonly ours: number;
  readonly theirs: number;
  readonly ratio: Ratio;
}

export function verdictOf(goal: Goal, measured: readonly Measured[]): Verdict {
  if (goal.of === "elsewhere" || measured.length === 0) return "not measured";
  const figures = measured.map(({ ours, ratio }) => (goal.of === "ratio" ? ratio.median : ours));
  const { better, aim, floor } = goal;
  if (figures.some((figure) => !reaches(figure, floor, better))) return "UNDER FLOOR";
  return figures.every((figure) => reaches(figure, aim, better)) ? "ok" : "under aim";
}

/** False: the ratios lie more than 20 % apart, so that none of them counts yet. */
export function agree(measured: readonly Measured[]): boolean {
  const ratios = measured.map(({ ratio }) => ratio.median);
  return ratios.length < 2 || Math.max(...ratios) <= Math.min(...ratios) * AGREEMENT;
}

/** Something that is no number reaches nothing. */
function reaches(figure: number, bound: number, better: "more" | "less"): boolean {
  return better === "more" ? figure >= bound : figure <= bound;
}
