/** The game as `npm test` plays it: some seeds keep all rules, and each planted mistake is caught. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectFolder } from "../../support/project.ts";
import { CRASH_POINTS, type CrashPoint, MISTAKES, playOptions } from "./mistakes.ts";
import { makePlanner } from "./planner.ts";
import { play } from "./play.ts";
import { RULE_NAMES } from "./rule-names.ts";
import { tables } from "./table.ts";

/** Enough to come by every kind of fault and wish; the rest is for `npm run game`. */
const SEEDS = 12;
/** A planted mistake is to be seen within so many. */
const SEEDS_FOR_A_MISTAKE = 40;

test("the plan keeps every rule in random worlds, and reaches its spec when they calm down", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { rule, text } = play(seed, makePlanner);
    assert.equal(rule, undefined, `npm run game -- --seed ${seed}: ${text}`);
  }
});

test("a seed is a world: played twice it says the same", () => {
  const once = play(7, makePlanner, { isTraced: true });
  const again = play(7, makePlanner, { isTraced: true });
  assert.deepEqual(again, once);
  assert.ok(once.lines.length > 20);
});

for (const mistake of MISTAKES) {
  test(`a planted mistake is seen: ${mistake.name}`, () => {
    const planted = mistake.plant(makePlanner);
    const options = playOptions(mistake);
    const { habits: _none, ...right } = options;
    for (let seed = 1; seed <= SEEDS_FOR_A_MISTAKE; seed++) {
      if (play(seed, planted, options).rule !== mistake.breaks) continue;
      // Not in the same world without it, or it was not the mistake that was seen.
      if (play(seed, makePlanner, right).rule !== mistake.breaks) return;
    }
    assert.fail(`none of ${SEEDS_FOR_A_MISTAKE} seeds shows it`);
  });
}

test("every rule has a mistake that breaks it, and every crash point one that forgets there", () => {
  const broken = new Set(MISTAKES.map(({ breaks }) => breaks));
  assert.deepEqual(
    RULE_NAMES.filter((rule) => !broken.has(rule)),
    [],
  );
  const points = new Set(MISTAKES.map(({ crashPoint }) => crashPoint));
  assert.deepEqual(
    (Object.keys(CRASH_POINTS) as CrashPoint[]).filter((point) => !points.has(point)),
    [],
  );
});

test("the document names every rule and crash point with its mistakes, as they are", () => {
  const text = readFileSync(join(projectFolder, "docs/operator/game.md"), "utf8");
  const { rules, crashPoints } = tables();
  for (const table of [rules, crashPoints])
    assert.ok(text.includes(table), `docs/operator/game.md is to hold this table:\n${table}`);
});
