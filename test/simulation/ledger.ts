/**
 * The ledger of campaigns: a line for each range of seeds that was run, in a table that people read. What stands there is
 * not run again by the same commit, so a campaign that was broken off goes on where it was.
 */

export interface LedgerLine {
  readonly date: string;
  readonly level: string;
  /** Both included. */
  readonly from: number;
  readonly to: number;
  readonly commit: string;
  readonly passed: number;
  readonly void: number;
  /** Seeds. */
  readonly failed: readonly number[];
  readonly operations: number;
}

/** What a ledger begins with. */
export const LEDGER_HEAD = `# The ledger of simulation campaigns

A line for each range of seeds that \`npm run campaign\` has run: at which commit, and what came of it. A void seed has
shown too little and is not counted. Every failing seed is named, and kept as a test with its cause.

| date | level | seeds | commit | passed | void | failed | operations |
|---|---|---|---|---|---|---|---|
`;

const LINE = /^\| (\S+) \| (\S+) \| (\d+) to (\d+) \| (\S+) \| (\d+) \| (\d+) \| ([\d, ]+|none) \| (\d+) \|$/;

export function ledgerLine(line: LedgerLine): string {
  const { date, level, from, to, commit, passed, failed, operations } = line;
  const seeds = failed.length === 0 ? "none" : failed.join(", ");
  return `| ${date} | ${level} | ${from} to ${to} | ${commit} | ${passed} | ${line.void} | ${seeds} | ${operations} |`;
}

/** The lines of a ledger; whatever else stands in it is passed over. */
export function readLedger(text: string): LedgerLine[] {
  return text.split("\n").flatMap((row) => {
    const found = LINE.exec(row);
    if (found === null) return [];
    const [, date = "", level = "", from, to, commit = "", passed, voids, failed = "", operations] = found;
    const seeds = failed === "none" ? [] : failed.split(", ").map(Number);
    return [
      {
        date,
        level,
        from: Number(from),
        to: Number(to),
        commit,
        passed: Number(passed),
        void: Number(voids),
        failed: seeds,
        operations: Number(operations),
      },
    ];
  });
}

/** Ranges of at most `size` seeds, without those that were run at this commit and level. */
export function rangesToRun(
  { from, count, size }: { from: number; count: number; size: number },
  done: readonly LedgerLine[],
): { readonly from: number; readonly count: number }[] {
  const ranges: { readonly from: number; readonly count: number }[] = [];
  for (let at = from; at < from + count; ) {
    const known = done.find((line) => line.from <= at && at <= line.to);
    if (known !== undefined) {
      at = known.to + 1;
      continue;
    }
    const next = Math.min(...done.filter((line) => line.from > at).map((line) => line.from), from + count, at + size);
    ranges.push({ from: at, count: next - at });
    at = next;
  }
  return ranges;
}
