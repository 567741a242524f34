/** What a row of the bench's table shows. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EXPERIMENTS } from "./experiments.ts";
import { chosenRows, ROW_IDS, ROWS } from "./rows.ts";
import { linesOf, listLines } from "./table.ts";
import type { Measured } from "./verdict.ts";

function way(variant: string, median: number): Measured {
  return { variant, ours: 200_000, theirs: 40_000, ratio: { median, low: median - 0.5, high: median + 0.5 } };
}

test("a row names its figures, its ratio with the interval, aim, floor and verdict", () => {
  const [line] = linesOf(ROWS.put1000, [way("one key", 4)]) as [string];
  for (const part of ["put, 1000 in flight", "200000", "40000", "4.00 (3.50 to 4.50)", ">= 5x", ">= 2.5x", "under aim"])
    assert.ok(line.includes(part), `"${part}" in ${line}`);
});

test("ratios that lie far apart are marked, and the verdict is the worse one's", () => {
  const lines = linesOf(ROWS.put1000, [way("one key", 6), way("100 k keys", 2)]);
  assert.match(lines.join("\n"), /UNDER FLOOR\n {2}DIFFER: /);
  assert.doesNotMatch(linesOf(ROWS.put1000, [way("one key", 6), way("100 k keys", 5.5)]).join("\n"), /DIFFER/);
});

test("every row is measured by an experiment, or says who does", () => {
  const measured = new Set(EXPERIMENTS.flatMap(({ rows }) => rows));
  for (const id of ROW_IDS) assert.equal(measured.has(id), ROWS[id].goal.of !== "elsewhere", id);
  assert.match(linesOf(ROWS.kubernetes, []).join(""), /npm run test:kubernetes/);
  assert.equal(listLines().length, ROW_IDS.length);
});

test("rows of one key have a twin with many keys, where a key matters; three members are asked for many alone", () => {
  for (const id of chosenRows(["range", "put, ", "put p50"]).filter((row) => !row.startsWith("cluster")))
    assert.deepEqual(
      EXPERIMENTS.filter(({ rows }) => rows.includes(id)).map(({ variant }) => variant),
      ["one key", "100 k keys"],
      id,
    );
});

test("a part of a name chooses rows, no part all", () => {
  assert.deepEqual(chosenRows(["keepalives"]), ["keepalive"]);
  assert.deepEqual(chosenRows(["TLS", "watch"]), ["rangeTls", "watch"]);
  assert.deepEqual(chosenRows([]), ROW_IDS);
  assert.deepEqual(chosenRows(["nothing"]), []);
});
