/** The game as `npm test` plays it: some seeds keep all rules, and each planted mistake is caught. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MISTAKES } from "./mistakes.ts";
import type { MakePlanner } from "./operators.ts";
import { makePlanner } from "./planner.ts";
import { play } from "./play.ts";

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
    for (let seed = 1; seed <= SEEDS_FOR_A_MISTAKE; seed++) {
      const { focus } = mistake;
      const isSeen = (make: MakePlanner) => {
        const { rule } = play(seed, make, { focus });
        return rule !== undefined && (mistake.seenBy as readonly string[]).includes(rule);
      };
      // Not in the same world without it, or it was not the mistake that was seen.
      if (isSeen(planted) && !isSeen(makePlanner)) return;
    }
    assert.fail(`none of ${SEEDS_FOR_A_MISTAKE} seeds shows it`);
  });
}
