/**
 * `npm run campaign`: a large volume of seeds in several processes, one a core, with a line in the ledger for each range
 * that is done. Broken off and started again it leaves out what the ledger has of this commit. Exit code 1 when a seed
 * failed, 2 when the command line was not understood.
 */
import { fork, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { projectFolder } from "../support/project.ts";
import { LEDGER_HEAD, ledgerLine, rangesToRun, readLedger } from "./ledger.ts";
import { LEVELS } from "./levels.ts";
import type { Level } from "./outcome.ts";
import { commandFor } from "./shrink.ts";
import { addCounts, emptyTally, report, runVolume, type Tally } from "./volume.ts";

const USAGE = `npm run campaign -- --count N [--from S] [--level ${LEVELS.map(({ name }) => name).join("|")}]
    [--processes N] [--size N] [--ledger FILE]`;
const LEDGER = join(projectFolder, "docs", "simulation-ledger.md");
/** Seeds of one range, and so of one line in the ledger, when nothing else is said. */
const RANGE_SIZE = 250;
/** Behind a commit whose tree was changed. */
const CHANGED = "+changes";

interface Wish {
  readonly level: Level;
  readonly from: number;
  readonly count: number;
  readonly processes: number;
  readonly size: number;
  readonly ledger: string;
}

/** What a process is given to do. */
interface Task {
  readonly level: string;
  readonly from: number;
  readonly count: number;
}

if (process.send === undefined) process.exitCode = await main(process.argv.slice(2));
else process.on("message", (task: Task) => void work(task));

/** In a process of its own. */
async function work({ level: name, from, count }: Task): Promise<void> {
  const level = levelOf(name);
  if (level === undefined) throw new Error(`there is no level "${name}"`);
  const tally = emptyTally();
  await runVolume({ level, from, count }, tally);
  process.send?.(tally);
}

async function main(argv: readonly string[]): Promise<number> {
  const wish = parse(argv);
  if (typeof wish === "string") {
    console.error(`${wish}\n${USAGE}`);
    return 2;
  }
  const commit = commitOf();
  if (!existsSync(wish.ledger)) writeFileSync(wish.ledger, LEDGER_HEAD);
  const known = readLedger(readFileSync(wish.ledger, "utf8"));
  // What has changes of its own is another tree each time.
  const isCommitted = !commit.endsWith(CHANGED);
  const done = known.filter((line) => isCommitted && line.commit === commit && line.level === wish.level.name);
  const ranges = rangesToRun(wish, done);
  const all = emptyTally();
  console.log(`${ranges.length} ranges to run at ${commit}, in ${wish.processes} processes`);
  await Promise.all(Array.from({ length: wish.processes }, () => worker(wish, commit, ranges, all)));
  for (const line of report(all, wish.level)) console.log(line);
  return all.failed.length > 0 ? 1 : 0;
}

/** One process, through range after range until none is left. */
async function worker(
  { level, ledger }: Wish,
  commit: string,
  ranges: { readonly from: number; readonly count: number }[],
  all: Tally,
): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), { stdio: "inherit" });
  try {
    for (let range = ranges.shift(); range !== undefined; range = ranges.shift()) {
      const { from, count } = range;
      const startedMs = performance.now();
      const tally = await new Promise<Tally>((resolve, reject) => {
        child.once("message", (message) => resolve(message as Tally));
        child.once("exit", (code) => reject(new Error(`the process for seeds from ${from} on ended with ${code}`)));
        child.send({ level: level.name, from, count } satisfies Task);
      });
      child.removeAllListeners("exit");
      const { passed, operations, voids, failed } = tally;
      const date = new Date().toISOString().slice(0, 10);
      const seeds = failed.map(({ seed }) => seed);
      const line = {
        date,
        level: level.name,
        from,
        to: from + count - 1,
        commit,
        passed,
        void: voids.length,
        operations,
      };
      appendFileSync(ledger, `${ledgerLine({ ...line, failed: seeds })}\n`);
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
      console.log(
        `seeds ${from} to ${from + count - 1}: ${passed} passed, ${failed.length} failed, ${voids.length} void, ${seconds} s`,
      );
      for (const { seed, message } of failed)
        console.log(
          `seed ${seed}: ${message}\n${commandFor(level.name, seed, {})}${level.takesLess ? " --shrink" : ""}`,
        );
      merge(all, tally);
    }
  } finally {
    child.kill();
  }
}

function merge(all: Tally, tally: Tally): void {
  all.passed += tally.passed;
  all.operations += tally.operations;
  all.simulatedMs += tally.simulatedMs;
  all.seconds += tally.seconds;
  all.voids.push(...tally.voids);
  all.failed.push(...tally.failed);
  addCounts(all.faults, tally.faults);
  addCounts(all.points, tally.points);
}

/** A sentence when it was not understood. */
function parse(argv: readonly string[]): Wish | string {
  const given = new Map<string, string>();
  for (let at = 0; at < argv.length; at += 2) given.set(argv[at] as string, argv[at + 1] ?? "");
  for (const [name, value] of given) {
    if (!["--count", "--from", "--level", "--processes", "--size", "--ledger"].includes(name))
      return `"${name}" is not known`;
    const isText = name === "--level" || name === "--ledger";
    if (isText ? value === "" : !/^\d{1,9}$/.test(value)) return `${name} takes something else than "${value}"`;
  }
  const number = (name: string, otherwise: number) => Number(given.get(name) ?? otherwise);
  const level = levelOf(given.get("--level") ?? "server");
  if (level === undefined) return `there is no level "${given.get("--level")}"`;
  const wish = {
    level,
    from: number("--from", 1),
    count: number("--count", 0),
    processes: number("--processes", availableParallelism()),
    size: number("--size", RANGE_SIZE),
    ledger: given.get("--ledger") ?? LEDGER,
  };
  if (wish.count < 1 || wish.processes < 1 || wish.size < 1) return "--count, --processes and --size are at least 1";
  return wish;
}

function levelOf(name: string): Level | undefined {
  return LEVELS.find((level) => level.name === name);
}

/** Of the tree as it stands; marked when it has changes that no commit has. */
function commitOf(): string {
  const git = (...argv: string[]) =>
    spawnSync("git", argv, { cwd: projectFolder, encoding: "utf8" }).stdout?.trim() ?? "";
  const commit = git("rev-parse", "--short=10", "HEAD") || "unknown";
  const isChanged = git("status", "--porcelain", "--untracked-files=no", "--", "server", "test") !== "";
  return isChanged ? `${commit}${CHANGED}` : commit;
}
