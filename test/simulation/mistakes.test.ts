/** The table of mistakes fits the build, and planting them works: two quick ones are caught, a harmless one is not. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { projectFolder } from "../support/project.ts";
import { MISTAKES, type Mistake } from "./mistakes.ts";
import { Nursery, plantIn } from "./plant.ts";

/** So many mistakes are caught at least. */
const CAUGHT_MIN = 30;

/** Of the table; each breaks a law within the first seeds. */
const QUICK = ["5.2/votes-twice", "R3/reads-in-a-new-term"];

/** Changes nothing but a name that nobody reads. */
const HARMLESS: Mistake = {
  name: "none/harmless",
  what: "Nothing goes wrong.",
  level: "raft",
  file: "server/raft/quorum.js",
  text: "let missing = 0;",
  instead: "let missing = 0; /* as it was */",
  by: /./,
};

let nursery: Nursery | undefined;
after(() => nursery?.close());

const builtOf = (file: string) => readFileSync(join(projectFolder, "dist", file), "utf8");

test("every mistake changes one place of the build, and has a name of its own", () => {
  for (const mistake of MISTAKES) assert.notEqual(plantIn(builtOf(mistake.file), mistake), builtOf(mistake.file));
  assert.equal(new Set(MISTAKES.map(({ name }) => name)).size, MISTAKES.length);
  const caught = MISTAKES.filter(({ missed }) => missed === undefined);
  assert.ok(caught.length >= CAUGHT_MIN, `${caught.length} mistakes are caught, ${CAUGHT_MIN} needed`);
});

test("a text that is not there, or twice, is an error that names the mistake", () => {
  const built = builtOf(HARMLESS.file);
  assert.throws(() => plantIn(built, { ...HARMLESS, text: "nowhere" }), /"none\/harmless" .* 0 times/);
  assert.throws(() => plantIn(built, { ...HARMLESS, text: "const" }), /"none\/harmless" .* \d+ times/);
});

test("planted mistakes are caught, and the build stays as it is", async (t) => {
  nursery = new Nursery();
  for (const name of QUICK) {
    const mistake = MISTAKES.find((one) => one.name === name);
    assert.ok(mistake !== undefined, name);
    const before = builtOf(mistake.file);
    const { seed, message } = await nursery.try(mistake, 5);
    assert.ok(message !== undefined, `${name} is not caught by 5 seeds`);
    assert.match(message, mistake.by);
    assert.equal(builtOf(mistake.file), before);
    t.diagnostic(`${name}: seed ${seed}: ${message}`);
  }
  assert.equal((await nursery.try(HARMLESS, 1)).message, undefined, "what was planted before is gone again");
});
