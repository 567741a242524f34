/** The lines that a person reads. */
import { ROW_IDS, ROWS, type Row } from "./rows.ts";
import { agree, type Goal, type Measured, verdictOf } from "./verdict.ts";

const WIDTH = 46;

export const HEADING = `${"row".padEnd(WIDTH)} ${"keys".padEnd(12)} ${"ours".padStart(10)} ${"etcd".padStart(10)} ${"".padEnd(
  8,
)}  ratio (90 % interval)   aim      floor    verdict`;

/** A line for each way in which the row was measured; the verdict is of all of them. */
export function linesOf(row: Row, measured: readonly Measured[], notes: readonly string[] = []): string[] {
  const { goal } = row;
  if (goal.of === "elsewhere") return [`${row.name.padEnd(WIDTH)} by ${goal.by}; aim ${goal.aim}, floor ${goal.floor}`];
  const verdict = verdictOf(goal, measured);
  const lines = measured.map(({ variant, ours, theirs, ratio }, index) =>
    [
      (index === 0 ? row.name : "").padEnd(WIDTH),
      variant.padEnd(12),
      figure(ours),
      figure(theirs),
      row.unit.padEnd(8),
      ` ${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)})`.padEnd(24),
      boundOf(goal, goal.aim).padEnd(8),
      boundOf(goal, goal.floor).padEnd(8),
      index === measured.length - 1 ? verdict : "",
    ]
      .join(" ")
      .trimEnd(),
  );
  if (!agree(measured)) lines.push("  DIFFER: the ratios lie more than 20 % apart, so neither counts yet");
  return [...lines, ...notes.map((note) => `  ${note}`)];
}

/** `--list` */
export function listLines(): string[] {
  return ROW_IDS.map((id) => {
    const { name, goal }: Row = ROWS[id];
    const [aim, floor] =
      goal.of === "elsewhere" ? [goal.aim, goal.floor] : [boundOf(goal, goal.aim), boundOf(goal, goal.floor)];
    return `${name.padEnd(64)} aim ${aim.padEnd(10)} floor ${floor}`;
  });
}

function boundOf(goal: Exclude<Goal, { of: "elsewhere" }>, bound: number): string {
  return `${goal.better === "more" ? ">=" : "<="} ${bound}${goal.of === "ratio" ? "x" : " ms"}`;
}

function figure(value: number): string {
  return value.toFixed(value < 100 ? 1 : 0).padStart(10);
}
