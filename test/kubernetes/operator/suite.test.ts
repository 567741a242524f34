/** What is run follows from the command line alone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { STEPS } from "./steps.ts";
import { isChosen, readOptions } from "./suite.ts";

test("without options all that is short runs, with --all everything, with --only what is named", () => {
  const short = readOptions([]);
  assert.deepEqual([isChosen(short, "scale", false), isChosen(short, "node down", true)], [true, false]);
  const all = readOptions(["--all"]);
  assert.deepEqual([isChosen(all, "scale", false), isChosen(all, "node down", true)], [true, true]);
  const some = readOptions(["--only", "node", "--only", "scale"]);
  assert.deepEqual(
    ["scale 3", "node down", "drain"].map((name) => isChosen(some, name, true)),
    [true, true, false],
  );
});

test("an option that is none is refused, and a seed is taken", () => {
  assert.equal(readOptions(["--seed", "17"]).seed, 17);
  assert.equal(readOptions(["--keep"]).keeps, true);
  for (const argv of [["--fast"], ["--only"], ["--seed", "x"]]) assert.throws(() => readOptions(argv), /is none of/);
});

test("every step has a name of its own and a bound", () => {
  const names = STEPS.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { name, boundMs } of STEPS) assert.ok(boundMs > 0 && boundMs <= 15_000, `${name}: ${boundMs} ms`);
  assert.ok(STEPS.filter(({ isLong }) => isLong !== true).length >= 6, "most of it is run by default");
});
