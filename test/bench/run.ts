/**
 * `npm run bench`: the store beside real etcd, on this machine and in this run; see docs/performance.md. Exit code 1 when
 * a row lies under its floor or could not be measured, 2 when the command line cannot be understood.
 */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { promisify } from "node:util";
import { findTool } from "../support/tools.ts";
import type { Experiment, Kit } from "./experiment.ts";
import { EXPERIMENTS } from "./experiments.ts";
import { figuresOf, type Pair, runPairs } from "./interleave.ts";
import { type Options, readOptions, UsageError } from "./options.ts";
import { profileLoad } from "./profile/run.ts";
import { chosenRows, ROWS, type Row, type RowId } from "./rows.ts";
import { median, ratioOf } from "./statistics.ts";
import { abandonAll, OUR_FLAGS } from "./subject.ts";
import { HEADING, linesOf, listLines } from "./table.ts";
import { agree, type Measured, verdictOf } from "./verdict.ts";

const NEEDED = ["etcd", "etcd-benchmark", "h2load"] as const;

/** One way of measuring a row: what came of it, and of which pairs. */
interface Way extends Measured {
  readonly pairs: readonly (readonly [ours: number, theirs: number])[];
  readonly notes: readonly string[];
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.once(signal, () => {
    abandonAll();
    process.exit(code);
  });

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const options = readOptions(process.argv.slice(2), process.env);
    if (options.mode === "list") return print(listLines());
    const rows = chosenRows(options.parts);
    if (rows.length === 0) throw new UsageError(`no row is named like "${options.parts.join('", "')}": see --list`);
    const tools = findTools();
    const kit: Kit = { h2load: tools.h2load, benchmark: tools["etcd-benchmark"], options };
    return await (options.mode === "profile" ? profile(rows, kit) : measureAll(rows, kit, tools.etcd));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 2;
  }
}

function print(lines: readonly string[]): number {
  for (const line of lines) console.log(line);
  return 0;
}

function findTools(): Record<(typeof NEEDED)[number], string> {
  const found = NEEDED.map((name) => [name, findTool(name)] as const);
  const missing = found.flatMap(([name, path]) => (path === undefined ? [name] : []));
  if (missing.length === 0) return Object.fromEntries(found) as Record<(typeof NEEDED)[number], string>;
  throw new UsageError(
    `bench needs ${missing.join(" and ")} on PATH or in the bin folder of KVORUM_TOOLS (~/.cache/kvorum-tools): ` +
      "etcd 3.7, its tools/benchmark named etcd-benchmark, and h2load of nghttp2",
  );
}

async function measureAll(rows: readonly RowId[], kit: Kit, etcd: string): Promise<number> {
  const machine = await describe(etcd, kit.options);
  print([...machine.lines, "", HEADING]);
  const ways = new Map<RowId, Way[]>();
  const failures = new Map<RowId, string>();
  for (const group of groupsOf(rows, kit)) {
    for (const experiment of group)
      try {
        const pairs = await runPairs(experiment, kit, { etcd });
        for (const id of experiment.rows) ways.set(id, [...(ways.get(id) ?? []), wayOf(experiment, pairs, id)]);
      } catch (error) {
        for (const id of experiment.rows) failures.set(id, error instanceof Error ? error.message : String(error));
      }
    const shared = new Set(group.flatMap((experiment) => experiment.rows));
    for (const id of rows.filter((row) => shared.has(row))) print(rowLines(id, ways, failures));
  }
  for (const id of rows) if (!ways.has(id) && !failures.has(id)) print(linesOf(ROWS[id], []));
  const results = rows.map((id) => resultOf(id, ways.get(id) ?? [], failures.get(id)));
  const json = JSON.stringify({ ...machine.facts, loadAtEnd: loadavg(), rows: results });
  if (kit.options.jsonFile !== undefined) writeFileSync(kit.options.jsonFile, `${json}\n`);
  print(["", json]);
  return results.some(({ verdict, failed }) => verdict === "UNDER FLOOR" || failed !== undefined) ? 1 : 0;
}

/** Experiments of the same rows, one after the other: a row is printed when all of its ways are known. */
function groupsOf(rows: readonly RowId[], kit: Kit): Experiment[][] {
  const groups = new Map<string, Experiment[]>();
  for (const experiment of EXPERIMENTS) {
    if (!experiment.rows.some((id) => rows.includes(id)) || !isWanted(experiment, kit)) continue;
    const key = experiment.rows.join();
    groups.set(key, [...(groups.get(key) ?? []), experiment]);
  }
  return [...groups.values()];
}

/** The ways that `--keys` names. */
function isWanted({ variant }: Experiment, { options }: Kit): boolean {
  return options.variant === undefined || variant.includes(options.variant);
}

function wayOf({ variant }: Experiment, pairs: readonly Pair[], id: RowId): Way {
  const figures = figuresOf(pairs, id);
  return {
    variant,
    ours: median(figures.map(([ours]) => ours)),
    theirs: median(figures.map(([, theirs]) => theirs)),
    ratio: ratioOf(figures, Math.random),
    pairs: figures,
    notes: notesOf(pairs),
  };
}

/** "name: ours 1, 2, 3; etcd 4, 5, 6" */
function notesOf(pairs: readonly Pair[]): string[] {
  return Object.keys(pairs[0]?.ours.notes ?? {}).map((name) => {
    const of = (who: "ours" | "theirs") => pairs.map((pair) => pair[who].notes?.[name]?.toFixed(2)).join(", ");
    return `${name}: ours ${of("ours")}; etcd ${of("theirs")}`;
  });
}

function rowLines(id: RowId, ways: ReadonlyMap<RowId, Way[]>, failures: ReadonlyMap<RowId, string>): string[] {
  const row: Row = ROWS[id];
  const measured = ways.get(id) ?? [];
  const failed = failures.get(id);
  const notes = measured.flatMap((way) => way.notes);
  if (row.goal.of === "ours")
    for (const { pairs } of measured)
      notes.unshift(`all: ours ${each(pairs, 0)}; etcd ${each(pairs, 1)}. The verdict is of the middle one.`);
  return [...linesOf(row, measured, notes), ...(failed === undefined ? [] : [`${row.name}: FAILED: ${failed}`])];
}

function each(pairs: Way["pairs"], side: 0 | 1): string {
  return pairs.map((pair) => pair[side].toFixed(1)).join(", ");
}

function resultOf(id: RowId, measured: readonly Way[], failed: string | undefined) {
  const { name, unit, goal }: Row = ROWS[id];
  return { row: name, unit, goal, verdict: verdictOf(goal, measured), agrees: agree(measured), failed, ways: measured };
}

async function describe(etcd: string, options: Options) {
  const { stdout } = await promisify(execFile)(etcd, ["--version"]);
  const version = (stdout.split("\n")[0] as string).replace(/^etcd Version: /, "");
  const machine = `${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
  const { pairs, fewPairs, seconds } = options;
  const load = loadavg();
  const facts = { date: new Date().toISOString(), machine, node: process.version, etcd: version, flags: OUR_FLAGS };
  return {
    facts: { ...facts, pairs, fewPairs, seconds, loadAtStart: load },
    lines: [
      `${machine}; load ${load.map((value) => value.toFixed(1)).join(" ")}`,
      `ours on Node ${process.version} with ${OUR_FLAGS.join(" ")}; etcd ${version}; ` +
        `${pairs} pairs of ${seconds} s a row, ${fewPairs} for size and stalls`,
    ],
  };
}

/** The first way of measuring the first row that fits. */
async function profile(rows: readonly RowId[], kit: Kit): Promise<number> {
  const [first, ...others] = rows.flatMap((id) =>
    EXPERIMENTS.filter((experiment) => experiment.rows.includes(id) && isWanted(experiment, kit)),
  );
  if (first === undefined) throw new UsageError("that row is measured elsewhere: see --list");
  const nameOf = ({ rows: [id], variant }: Experiment) => `${ROWS[id as RowId].name} (${variant})`;
  console.log(`profile of: ${nameOf(first)}`);
  if (others.length > 0) console.log(`not of: ${others.map(nameOf).join("; ")}`);
  return print(await profileLoad(first, kit));
}
