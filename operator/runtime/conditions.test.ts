import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ConditionNow, conditionOf, haveSameConditions, withConditions } from "./conditions.ts";

const NOON = Date.UTC(2026, 0, 1, 12);

function now(type: string, status: ConditionNow["status"], extra: Partial<ConditionNow> = {}): ConditionNow {
  return { type, status, reason: "Because", message: "", ...extra };
}

describe("conditions", () => {
  it("the time changes only with the status, not with reason, message or generation", () => {
    const first = withConditions([], [now("Ready", "True", { observedGeneration: 1 })], NOON);
    assert.equal(first[0]?.lastTransitionTime, "2026-01-01T12:00:00Z");
    const words = now("Ready", "True", { reason: "Other", message: "new", observedGeneration: 2 });
    const second = withConditions(first, [words], NOON + 60_000);
    assert.deepEqual(second, [{ ...words, lastTransitionTime: "2026-01-01T12:00:00Z" }]);
    const third = withConditions(second, [now("Ready", "Unknown")], NOON + 120_000);
    assert.equal(third[0]?.lastTransitionTime, "2026-01-01T12:02:00Z");
  });

  it("keeps order and what is not spoken of, and gives back the same object when nothing changes", () => {
    const before = withConditions([], [now("B", "True"), now("A", "False")], NOON);
    const after = withConditions(before, [now("A", "True"), now("B", "True"), now("C", "True")], NOON + 1000);
    assert.deepEqual(
      after.map(({ type, status }) => `${type}=${status}`),
      ["B=True", "A=True", "C=True"],
    );
    assert.equal(after[0], before[0]);
  });

  it("refuses a reason that is empty or no word", () => {
    for (const reason of ["", "two words", "1st"])
      assert.throws(() => withConditions([], [now("A", "True", { reason })], NOON), /reason of A/);
  });

  it("finds one by type", () => {
    const conditions = withConditions([], [now("A", "True"), now("B", "False")], NOON);
    assert.equal(conditionOf(conditions, "B")?.status, "False");
    assert.equal(conditionOf(conditions, "C"), undefined);
    assert.equal(conditionOf(undefined, "A"), undefined);
  });

  it("two lists say the same by type, status and reason, in any order", () => {
    const one = withConditions([], [now("A", "True"), now("B", "False")], NOON);
    const other = withConditions([], [now("B", "False", { message: "words" }), now("A", "True")], NOON + 5000);
    assert.ok(haveSameConditions(one, other));
    assert.ok(!haveSameConditions(one, withConditions(one, [now("A", "True", { reason: "Else" })], NOON)));
    assert.ok(!haveSameConditions(one, []));
  });
});
