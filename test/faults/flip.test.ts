/** A flipped bit in the store or in the log is refused or does no harm: never is a wrong value served. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { CHECKSUM_IGNORED, PlantedServer } from "../robustness/planted.ts";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 20));
const FLIPS = Number(process.env["FLIPS"] ?? 400);
const BUILT = fileURLToPath(new URL("../..", import.meta.url));

test(`${FLIPS} stores with a flipped bit: each is refused, or every answer is right (seed ${SEED})`, (t) => {
  const verdicts = readDamaged(t, BUILT, FLIPS);
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

test("the same test catches checksums that nobody looks at", (t) => {
  const planted = new PlantedServer(CHECKSUM_IGNORED);
  t.after(() => planted.remove());
  const verdicts = readDamaged(t, planted.folder, 60);
  assert.ok([...verdicts.keys()].some((verdict) => verdict.startsWith("WRONG")));
});

/** How many copies ended how. `built` holds the folders server and test. */
function readDamaged(t: TestContext, built: string, flips: number): Map<string, number> {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-flip-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(built, "test", "robustness", "damaged-store.js");
  const run = (...words: string[]) => {
    return spawnSync(process.execPath, [program, ...words], { encoding: "utf8", timeout: 120_000 });
  };
  const builder = run("build", folder, `${SEED}`);
  assert.equal(builder.status, 0, builder.stderr);
  const verdicts = new Map<string, number>();
  const count = (verdict: string) => verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
  for (let next = 0; next < flips; ) {
    const reader = run("read", folder, `${SEED}`, `${next}`, `${flips}`);
    const lines = reader.stdout.split("\n").filter((line) => line !== "");
    for (const line of lines) {
      count(line.replace(/^\d+ /, "").replace(/ at \d+$/, ""));
    }
    next += lines.length;
    if (next === flips) break;
    assert.notEqual(reader.signal, null, reader.stderr);
    count(`died by ${reader.signal}`);
    next++;
  }
  return verdicts;
}
