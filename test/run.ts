/**
 * Runs the project's tests: `node dist/test/run.js PART [WORD...] [--test-...]`.
 *
 * What is fast and touches nothing outside runs in one process; what starts servers runs one process a file after it.
 * Words choose the files whose path contains one of them; options that begin with `--test-` go on to node:test. The last
 * lines are the totals in node:test's own form and one plain line; every skipped test is named with its reason.
 *
 * Exit code 1: a test failed or was cancelled, a file ran none or ran too long or left processes behind, no file was
 * found, or (`KVORUM_NO_SKIP=1`) a test was skipped.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { COUNTS, type Counts, noCounts, type Remark, type Tally } from "./support/tally-reporter.ts";

interface Part {
  /** Folders whose tests share one process. */
  readonly together: readonly string[];
  /** Folders whose files get a process each. */
  readonly apart: readonly string[];
  /** Longest time for the shared process, and for each file of those apart. */
  readonly limitSeconds: number;
}

/** `npm test`, `npm run test:interop` and `npm run test:faults`. `LIMIT_SECONDS`: for a longer run than these have. */
const PARTS: Readonly<Record<string, Part>> = {
  test: {
    together: [
      "test/house",
      "test/images",
      "test/support",
      "server",
      "operator",
      "test/operator",
      "test/kubernetes",
      "test/contract",
      "test/checkers",
      "test/raft-script",
      "test/simulation",
      "test/robustness",
    ],
    apart: ["test/integration", "test/conformance", "test/bench"],
    limitSeconds: 600,
  },
  interop: { together: [], apart: ["test/interop"], limitSeconds: 900 },
  faults: { together: [], apart: ["test/faults"], limitSeconds: Number(process.env["LIMIT_SECONDS"] ?? 1200) },
};

/** What one process of tests came to. */
interface Result {
  readonly title: string;
  readonly seconds: number;
  readonly tally: Tally;
  /** What is wrong beside failed tests. */
  readonly complaints: readonly string[];
}

const built = fileURLToPath(new URL("..", import.meta.url));
const [partName = "test", ...rest] = process.argv.slice(2);
const nodeOptions = rest.filter((word) => word.startsWith("--test-"));
const words = rest.filter((word) => !word.startsWith("--test-"));
const running = new Set<ChildProcess>();

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    for (const child of running) endGroup(child);
    process.exit(signal === "SIGINT" ? 130 : 143);
  });

process.exitCode = await main();

async function main(): Promise<number> {
  const part = PARTS[partName];
  if (part === undefined) return refuse(`there is no part "${partName}": ${Object.keys(PARTS).join(", ")}`);
  const together = chosen(part.together);
  const apart = chosen(part.apart);
  if (together.length + apart.length === 0)
    return refuse(words.length === 0 ? "found no test file" : `no test file is named like ${words.join(" or ")}`);
  const results: Result[] = [];
  if (together.length > 0) {
    const script = join(built, "test", "support", "one-process.js");
    const title = `${together.length} ${together.length === 1 ? "file" : "files"} in one process`;
    results.push(await runProcess(title, part.limitSeconds, [script, ...together]));
  }
  for (const file of apart) results.push(await runProcess(shown(file), part.limitSeconds, [file]));
  return report(results);
}

/** The built test files below `folders` that the words on the command line choose. */
function chosen(folders: readonly string[]): string[] {
  return folders
    .flatMap((folder) => testFilesBelow(join(built, folder)))
    .filter((file) => words.length === 0 || words.some((word) => shown(file).includes(word)));
}

function testFilesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.js"))
    .sort()
    .map((name) => join(folder, name));
}

/** The name of a built file's source, as seen from the project's folder; a source's own name stays what it is. */
function shown(file: string): string {
  const name = relative(built, file).split(sep).join("/");
  return name.replace(/^(\.\.\/)+/, "").replace(/\.js$/, ".ts");
}

/**
 * Runs one process of tests, its output passed on as it comes. It leads a process group of its own, so that whatever
 * it started can be ended with it.
 */
async function runProcess(title: string, limitSeconds: number, argv: readonly string[]): Promise<Result> {
  console.log(`\n${title}`);
  const start = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "kvorum-tally-"));
  const tallyFile = join(folder, "tally.json");
  const child = spawn(process.execPath, [...reporterOptions(tallyFile), ...nodeOptions, ...argv], {
    stdio: ["ignore", "inherit", "inherit"],
    detached: true,
  });
  running.add(child);
  const complaints: string[] = [];
  const timer = setTimeout(() => {
    complaints.push(`ran longer than ${limitSeconds} s and was ended`);
    endGroup(child);
  }, limitSeconds * 1000);
  const [code, signal] = await ended(child);
  clearTimeout(timer);
  running.delete(child);
  if (endGroup(child)) complaints.push("left processes behind, which were ended");
  const tally = readTally(tallyFile);
  rmSync(folder, { recursive: true, force: true });
  if (tally === undefined) complaints.push(`ended by ${signal ?? `exit code ${code}`} before it could report`);
  else if (tally.counts.tests === 0 && nodeOptions.length === 0) complaints.push("ran no test");
  else if (code !== 0 && tally.counts.fail + tally.counts.cancelled === 0)
    complaints.push(`exit code ${code ?? signal}`);
  const seconds = (performance.now() - start) / 1000;
  return { title, seconds, complaints, tally: tally ?? { counts: noCounts(), skipped: [], failed: [] } };
}

/** Node 20 and 24 differ in the reporter that they choose by themselves. */
function reporterOptions(tallyFile: string): string[] {
  return [
    "--enable-source-maps",
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    `--test-reporter=${new URL("support/tally-reporter.js", import.meta.url).href}`,
    `--test-reporter-destination=${tallyFile}`,
  ];
}

function ended(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve([code, signal]));
  });
}

/** Ends the process and what it started. Whether there was anything to end. */
function endGroup({ pid }: ChildProcess): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, "SIGKILL");
  } catch {
    return false;
  }
}

function readTally(file: string): Tally | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Tally;
  } catch {
    return undefined;
  }
}

/** Prints what a reader must know at the end; answers the exit code. */
function report(results: readonly Result[]): number {
  const total = sum(results.map(({ tally }) => tally.counts));
  const seconds = results.reduce((so, result) => so + result.seconds, 0);
  console.log("");
  for (const result of results)
    console.log(
      `${result.seconds.toFixed(1).padStart(6)} s  ${String(result.tally.counts.tests).padStart(5)} tests  ${result.title}`,
    );
  for (const { tally } of results) for (const one of tally.skipped) console.log(`skipped: ${remark(one)}`);
  const failures = results.flatMap(({ tally }) => tally.failed.map((one) => `failed: ${remark(one)}`));
  const complaints = results.flatMap((result) => result.complaints.map((text) => `${result.title}: ${text}`));
  if (total.skipped > 0 && process.env["KVORUM_NO_SKIP"] === "1")
    complaints.push(`${total.skipped} skipped, which KVORUM_NO_SKIP=1 forbids`);
  failures.push(...complaints.map((text) => `wrong: ${text}`));
  for (const text of failures) console.log(text);
  keepForLater(failures);
  console.log("");
  for (const name of COUNTS) console.log(`# ${name} ${total[name]}`);
  console.log(`# duration_ms ${Math.round(seconds * 1000)}`);
  const failed = total.fail + total.cancelled + complaints.length;
  const skipped = total.skipped + total.todo > 0 ? `, ${total.skipped + total.todo} skipped` : "";
  console.log(`${partName}: ${total.pass} passed, ${failed} failed${skipped}`);
  return failed === 0 ? 0 : 1;
}

/** For whoever runs several parts: what failed stands together at its end, and not only far above. */
function keepForLater(failures: readonly string[]): void {
  const file = process.env["KVORUM_FAILURES"];
  if (file !== undefined && failures.length > 0)
    appendFileSync(file, failures.map((text) => `${partName} ${text}\n`).join(""));
}

function sum(all: readonly Counts[]): Counts {
  const total = noCounts();
  for (const counts of all) for (const name of COUNTS) total[name] += counts[name];
  return total;
}

function remark({ name, file, reason }: Remark): string {
  const path = file.startsWith("file:") ? fileURLToPath(file) : file;
  return `${name} (${shown(path)})${reason === "" ? "" : `: ${reason}`}`;
}

function refuse(text: string): number {
  console.error(`${text}`);
  console.log(`${partName}: 0 passed, 1 failed`);
  return 1;
}
