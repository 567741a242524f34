import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/prng.ts";
import { END_OF_KEYS, IntervalTree } from "./interval-tree.ts";

function stab(tree: IntervalTree<string>, key: string): string[] {
  const found: string[] = [];
  tree.collect(key, found);
  return found;
}

test("an interval holds its start and not its end", () => {
  const tree = new IntervalTree<string>();
  tree.add("b", "d", "b-d");
  assert.deepEqual(stab(tree, "a"), []);
  assert.deepEqual(stab(tree, "b"), ["b-d"]);
  assert.deepEqual(stab(tree, "c\xff"), ["b-d"]);
  assert.deepEqual(stab(tree, "d"), []);
});

test("an interval to the end of keys holds the largest byte string", () => {
  const tree = new IntervalTree<string>();
  tree.add("b", END_OF_KEYS, "b-");
  assert.deepEqual(stab(tree, "\xff\xff\xff"), ["b-"]);
  assert.deepEqual(stab(tree, "a\xff"), []);
});

test("under random adds and deletes the tree agrees with a plain list, and stays level", () => {
  const random = new Prng(5);
  const tree = new IntervalTree<string>();
  const plain = new Map<string, { start: string; end: string }>();
  const point = () => String.fromCharCode(97 + random.below(20)) + (random.chance(0.5) ? "m" : "");
  for (let step = 0; step < 5_000; step++) {
    const start = point();
    const end = random.chance(0.1) ? END_OF_KEYS : point();
    if (end > start) {
      const name = `${start}-${end}`;
      if (plain.delete(name)) tree.delete(start, end);
      else if (random.chance(0.6)) {
        plain.set(name, { start, end });
        tree.add(start, end, name);
      }
      assert.equal(tree.get(start, end), plain.has(name) ? name : undefined);
    }
    const key = point();
    const expected = [...plain].filter(([, range]) => range.start <= key && key < range.end).map(([name]) => name);
    assert.deepEqual(stab(tree, key).sort(), expected.sort());
    assert.equal(tree.size, plain.size);
    assert.ok(tree.height <= 1.44 * Math.log2(tree.size + 2) + 1);
  }
});

test("intervals added in order do not make the tree deep", () => {
  const tree = new IntervalTree<string>();
  for (let at = 0; at < 10_000; at++) tree.add(`k${String(at).padStart(6, "0")}`, END_OF_KEYS, "");
  assert.ok(tree.height <= 1.44 * Math.log2(10_002) + 1);
});
