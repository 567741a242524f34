/**
 * Imports the test files given as arguments into this process, one after the other has ended. A file that cannot be
 * loaded, and one that leaves something open behind its tests, is a failing test that names it. Started by `test/run.ts`.
 */
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { progress } from "./tally-reporter.ts";

/** How long what is being closed may take after the last test of a file. */
const GRACE_MS = 1000;
/** How long all tests of one file may take. */
const FILE_LIMIT_MS = 120_000;

const files = process.argv.slice(2);

let isClean = true;
for (const file of files) {
  const before = openResources();
  try {
    await import(pathToFileURL(file).href);
  } catch (error) {
    failingTest(`loading ${file}`, error);
  }
  if (!(await allEnded())) {
    console.error(`${file} hangs; the files behind it are not run`);
    isClean = false;
    break;
  }
  const left = await leftOpen(before);
  if (left.length === 0) continue;
  isClean = false;
  failingTest(`${file} closes what it opens`, new Error(`left open: ${left.join(", ")}`));
  await allEnded();
}
if (!isClean) {
  // What hangs or is open would keep the process alive. node:test is told that it is over: it cancels what has not ended
  // and closes its reports; a moment later the process ends.
  process.emit("beforeExit", 1);
  await pause(GRACE_MS);
  process.exit(1);
}

function failingTest(name: string, error: unknown): void {
  test(name, () => {
    throw error;
  });
}

/** Resolves when every test announced so far has ended; false when that takes too long. */
async function allEnded(): Promise<boolean> {
  // A test filtered out by a pattern may be announced and never end: then files simply overlap.
  if (process.execArgv.some((option) => option.startsWith("--test-name-pattern"))) return true;
  const deadline = performance.now() + FILE_LIMIT_MS;
  do await pause(1);
  while (progress.ended < progress.announced && performance.now() < deadline);
  return progress.ended >= progress.announced;
}

/** What of now was not open `before`, once that is nothing or the grace has passed. */
async function leftOpen(before: readonly string[]): Promise<string[]> {
  const deadline = performance.now() + GRACE_MS;
  for (;;) {
    const left = openResources();
    for (const one of before) if (left.includes(one)) left.splice(left.indexOf(one), 1);
    if (left.length === 0 || performance.now() > deadline) return left;
    await pause(5);
  }
}

/** Kinds of what keeps the event loop going now; reads and writes of files end by themselves. */
function openResources(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => !kind.startsWith("FSReq"));
}
