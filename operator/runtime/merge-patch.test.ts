import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Prng } from "../../server/base/prng.ts";
import { mergePatched } from "../../test/operator/fake-apply.ts";
import { mergePatchOf } from "./merge-patch.ts";

/** Some JSON without nulls. */
function json(prng: Prng, depth = 0): unknown {
  const kind = prng.below(depth > 3 ? 3 : 6);
  if (kind === 0) return prng.below(3);
  if (kind === 1) return prng.pick(["x", "y"]);
  if (kind === 2) return prng.chance(0.5);
  if (kind === 3) return Array.from({ length: prng.below(3) }, () => json(prng, depth + 1));
  const map: Record<string, unknown> = {};
  for (const name of ["a", "b", "c"]) if (prng.chance(0.6)) map[name] = json(prng, depth + 1);
  return map;
}

describe("mergePatchOf", () => {
  it("is nothing for what is equal, whatever the order of fields and what is undefined", () => {
    assert.equal(mergePatchOf({ a: 1, b: { c: [1] } }, { b: { c: [1] }, a: 1, d: undefined }), undefined);
    assert.equal(mergePatchOf(undefined, {}), undefined);
  });

  it("names only what is different, and takes away by null", () => {
    const from = { same: 1, gone: 2, deep: { same: 1, other: 2 }, list: [1, 2] };
    const to = { same: 1, deep: { same: 1, other: 3 }, list: [1], fresh: { x: 1 } };
    assert.deepEqual(mergePatchOf(from, to), { gone: null, deep: { other: 3 }, list: [1], fresh: { x: 1 } });
  });

  it("a map that becomes empty is emptied, and one that comes empty is set", () => {
    assert.deepEqual(mergePatchOf({ a: { b: 1 } }, { a: {} }), { a: { b: null } });
    assert.deepEqual(mergePatchOf({}, { a: {} }), { a: {} });
  });

  it("applied to the one it gives the other, for a thousand pairs", () => {
    const prng = new Prng(3);
    for (let pair = 0; pair < 1000; pair++) {
      const [from, to] = [{ v: json(prng) }, { v: json(prng) }];
      const patch = mergePatchOf(from, to);
      assert.deepEqual(patch === undefined ? from : mergePatched(from, patch), to, JSON.stringify({ from, to, patch }));
    }
  });
});
