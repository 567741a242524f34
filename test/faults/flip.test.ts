/** A flipped bit in the store or in the log is refused or does no harm: never is a wrong value served. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { CHECKSUM_IGNORED, PlantedServer } from "../robustness/planted.ts";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 20));
const FLIPS = Number(process.env["FLIPS"] ?? 250);
const BUILT = fileURLToPath(new URL("../..", import.meta.url));
/** How long one copy may take. */
const SILENCE_MS = 20_000;

test(`${FLIPS} stores with a flipped bit: each is refused, or every answer is right (seed ${SEED})`, async (t) => {
  const verdicts = await readDamaged(t, BUILT, FLIPS);
  t.diagnostic(JSON.stringify(Object.fromEntries(verdicts)));
  let died = 0;
  for (const [verdict, count] of verdicts) {
    assert.doesNotMatch(verdict, /WRONG/);
    if (verdict.startsWith("died")) died += count;
  }
  const refused = (verdicts.get("record refused") ?? 0) + (verdicts.get("file refused") ?? 0);
  assert.ok(refused > FLIPS / 4, "most flips meet something");
  // LMDB follows what a page says without asking: some flips lead it out of the file, which ends the process.
  assert.ok(died < FLIPS / 10, "few end the process without a word");
});

test("the same test catches checksums that nobody looks at", async (t) => {
  const planted = new PlantedServer(CHECKSUM_IGNORED);
  t.after(() => planted.remove());
  const verdicts = await readDamaged(t, planted.folder, 30);
  t.diagnostic(JSON.stringify(Object.fromEntries(verdicts)).slice(0, 300));
  assert.ok([...verdicts.keys()].some((verdict) => verdict.startsWith("WRONG")));
});

/** How many copies ended how. `built` holds the folders server and test. */
async function readDamaged(t: TestContext, built: string, flips: number): Promise<Map<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-flip-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(built, "test", "robustness", "damaged-store.js");
  const builder = await run(program, "build", folder, `${SEED}`);
  assert.equal(builder.code, 0, builder.errors);
  const read = async (from: number, to: number) => {
    const { lines, errors, signal } = await run(program, "read", folder, `${SEED}`, `${from}`, `${to}`);
    const found = lines.map((line) => line.replace(/^\d+ /, "").replace(/ at \d+$/, ""));
    if (found.length < to - from) {
      assert.notEqual(signal, null, errors);
      found.push(`died by ${signal}`);
    }
    return found;
  };
  const verdicts = new Map<string, number>();
  for (let next = 0; next < flips; ) {
    for (const verdict of await read(next, flips)) {
      // A copy may damage the process that reads it, and so the verdict on those after it: a server has only one.
      const final = verdict.startsWith("WRONG") ? ((await read(next, next + 1))[0] as string) : verdict;
      verdicts.set(final, (verdicts.get(final) ?? 0) + 1);
      next++;
    }
  }
  return verdicts;
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lines: string[];
  readonly errors: string;
}

/** Runs a program of ours to its end; one that says nothing for long is killed. */
function run(program: string, ...words: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  const silence = setTimeout(() => child.kill("SIGKILL"), SILENCE_MS);
  child.stdout.on("data", (chunk) => {
    output += String(chunk);
    silence.refresh();
  });
  child.stderr.on("data", (chunk) => {
    errors = (errors + String(chunk)).slice(-4000);
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(silence);
      resolve({ code, signal, errors, lines: output.split("\n").slice(0, -1) });
    });
  });
}
