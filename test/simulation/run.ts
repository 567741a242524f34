/**
 * `npm run simulate`: clusters in simulated worlds, each a function of its seed. `--seed S` runs one, shows what happened
 * and what came of it; `--count N` runs N from `--from` on (a number drawn from the clock when not given) and says how
 * fast, which faults there were, which named places were come by, and which seeds failed or prove nothing.
 * Exit code 1 when any has failed, 2 when the command line was not understood.
 */
import { createWriteStream } from "node:fs";
import { LEVELS } from "./levels.ts";
import type { Level } from "./outcome.ts";
import { commandFor, shrink } from "./shrink.ts";
import { isKind, type Less } from "./swarm.ts";
import { emptyTally, report, runVolume } from "./volume.ts";

const USAGE = `npm run simulate -- --seed S [--trace [FILE]] [--shrink] [--until MS] [--without KIND,KIND...]
npm run simulate -- --count N [--from S] [--twice] [--shrink]
Both: [--level ${LEVELS.map(({ name }) => name).join("|")}|both]`;
const PROGRESS_EVERY_MS = 5000;
/** Lines shown of one seed when no file takes all. */
const SHOWN_LINES = 200;

interface Wish {
  seed?: number;
  count?: number;
  from?: number;
  levels: readonly Level[];
  isShrinking: boolean;
  isTwice: boolean;
  traceFile?: string;
  less: Less;
}

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const wish = parse(argv);
  if (typeof wish === "string") {
    console.error(`${wish}\n${USAGE}`);
    return 2;
  }
  let code = 0;
  for (const level of wish.levels) {
    const failed = wish.seed === undefined ? await many(level, wish) : await one(level, wish.seed, wish);
    if (failed) code = 1;
  }
  return code;
}

/** A sentence when it was not understood. */
function parse(argv: readonly string[]): Wish | string {
  const wish: Wish = { levels: LEVELS.slice(0, 1), isShrinking: false, isTwice: false, less: {} };
  for (let at = 0; at < argv.length; at++) {
    const name = argv[at] as string;
    if (name === "--shrink") wish.isShrinking = true;
    else if (name === "--twice") wish.isTwice = true;
    else if (name === "--trace" && (argv[at + 1] ?? "--").startsWith("--")) wish.traceFile = "-";
    else {
      const problem = take(wish, name, argv[++at] ?? "");
      if (problem !== undefined) return problem;
    }
  }
  if (wish.seed === undefined && wish.count === undefined) return "say which seed, or how many";
  if (wish.count !== undefined && (wish.less.untilMs !== undefined || wish.less.without !== undefined))
    return "--until and --without go with --seed";
  if (wish.less.untilMs !== undefined || wish.less.without !== undefined || wish.isShrinking) {
    const unable = wish.levels.find(({ takesLess }) => !takesLess);
    if (unable !== undefined) return `a run of the level ${unable.name} cannot be had with less`;
  }
  return wish;
}

/** A sentence when `value` is none that `name` takes. */
function take(wish: Wish, name: string, value: string): string | undefined {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : undefined;
  switch (name) {
    case "--seed":
    case "--count":
    case "--from":
    case "--until":
      if (number === undefined) return `${name} takes a number of up to nine digits, not "${value}"`;
      if (name === "--until") wish.less = { ...wish.less, untilMs: number };
      else wish[name.slice(2) as "seed" | "count" | "from"] = number;
      return undefined;
    case "--without": {
      const kinds = value.split(",");
      const unknown = kinds.find((kind) => !isKind(kind));
      if (unknown !== undefined) return `"${unknown}" is no kind of fault or call`;
      wish.less = { ...wish.less, without: kinds };
      return undefined;
    }
    case "--level": {
      wish.levels = value === "both" ? LEVELS : LEVELS.filter((level) => level.name === value);
      return wish.levels.length > 0 ? undefined : `there is no level "${value}"`;
    }
    case "--trace":
      wish.traceFile = value;
      return undefined;
    default:
      return `"${name}" is not known`;
  }
}

/** Whether it failed. */
async function one(level: Level, seed: number, { less, traceFile, isShrinking }: Wish): Promise<boolean> {
  const file = traceFile === undefined || traceFile === "-" ? undefined : createWriteStream(traceFile);
  const lines: string[] = [];
  let count = 0;
  const log = (line: string) => {
    count++;
    if (file !== undefined) file.write(`${line}\n`);
    else if (traceFile === "-") console.log(line);
    else if (lines.push(line) > 2 * SHOWN_LINES) lines.splice(0, SHOWN_LINES);
  };
  const result = await level.run(seed, { ...less, log }).then(
    (outcome) => ({ outcome }),
    (error: Error) => ({ error }),
  );
  if (file !== undefined) await new Promise<void>((resolve) => file.end(resolve));
  const shown = lines.slice(-SHOWN_LINES);
  if (shown.length < count && traceFile === undefined)
    console.log(`(the last ${shown.length} of ${count} lines; all with --trace FILE)`);
  for (const line of shown) console.log(line);
  if ("outcome" in result) {
    console.log(JSON.stringify(result.outcome, undefined, 2));
    return false;
  }
  console.error(result.error);
  if (isShrinking) await showShrunk(level, seed, less);
  return true;
}

async function showShrunk(level: Level, seed: number, less: Less): Promise<void> {
  const shrunk = await shrink(level, seed, less, (what) => console.error(what));
  if (shrunk === undefined) return;
  console.log(`after ${shrunk.tries} tries: ${shrunk.message}\n${commandFor(level.name, seed, shrunk.less)}`);
}

/** Whether any failed. */
async function many(
  level: Level,
  { from = Date.now() % 1_000_000, count = 1, isTwice, isShrinking }: Wish,
): Promise<boolean> {
  const tally = emptyTally();
  let toldMs = performance.now();
  const told = (done: number, failed: { readonly seed: number; readonly message: string } | undefined) => {
    if (failed !== undefined)
      console.error(`seed ${failed.seed}: ${failed.message}\n${commandFor(level.name, failed.seed, {})}`);
    if (performance.now() - toldMs < PROGRESS_EVERY_MS) return;
    toldMs = performance.now();
    console.error(`${done} of ${count}`);
  };
  await runVolume({ level, from, count, isTwice, told }, tally);
  console.log(`seeds ${from} to ${from + count - 1}`);
  for (const line of report(tally, level)) console.log(line);
  if (isShrinking) for (const { seed } of tally.failed) await showShrunk(level, seed, {});
  return tally.failed.length > 0;
}
