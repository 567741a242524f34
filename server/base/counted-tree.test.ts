import assert from "node:assert/strict";
import { test } from "node:test";
import { CountedTree } from "./counted-tree.ts";
import { Prng } from "./prng.ts";

interface Item {
  alive: boolean;
}

const newTree = () => new CountedTree<Item>((item) => item.alive);

/** What the tree says of everything and of some ranges is what a sorted list says. */
function assertSame(tree: CountedTree<Item>, model: ReadonlyMap<string, Item>, prng: Prng): void {
  const sorted = [...model].sort(([left], [right]) => (left < right ? -1 : 1));
  assert.equal(tree.size, model.size);
  assert.equal(tree.counted, sorted.filter(([, { alive }]) => alive).length);
  for (let round = 0; round < 5; round++) {
    const from = round === 0 ? "" : keyOf(prng.below(3000));
    const to = round < 2 ? undefined : keyOf(prng.below(3000));
    const within = sorted.filter(([key]) => key >= from && (to === undefined || key < to));
    assert.equal(tree.countedIn(from, to), within.filter(([, { alive }]) => alive).length);
    const visited: string[] = [];
    tree.scan(from, to, (key, item) => {
      assert.equal(item, model.get(key));
      visited.push(key);
      return true;
    });
    assert.deepEqual(
      visited,
      within.map(([key]) => key),
    );
  }
}

const keyOf = (number: number) => `k${String(number).padStart(5, "0")}`;

test("a counted tree is a sorted list that knows its counts, whatever is added, deleted and recounted", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const prng = new Prng(seed);
    const tree = newTree();
    const model = new Map<string, Item>();
    for (let step = 0; step < 6000; step++) {
      // Grows, then shrinks to nothing.
      const key = keyOf(prng.below(3000));
      const item = model.get(key);
      if (item === undefined && step < 4000) {
        const added = { alive: prng.below(4) > 0 };
        tree.add(key, added);
        model.set(key, added);
      } else if (item !== undefined && (step >= 4000 || prng.below(3) === 0)) {
        assert.equal(tree.delete(key), true);
        model.delete(key);
      } else if (item !== undefined) {
        item.alive = !item.alive;
        tree.recount(key, item.alive ? 1 : -1);
      } else assert.equal(tree.delete(key), false);
      assert.equal(tree.get(key), model.get(key));
      if (step % 500 === 0) assertSame(tree, model, prng);
    }
    for (const key of [...model.keys()]) {
      tree.delete(key);
      model.delete(key);
    }
    assertSame(tree, model, prng);
  }
});

test("a tree built in order is the same as one grown, and goes on growing", () => {
  for (const count of [0, 1, 56, 57, 3000, 5000]) {
    const prng = new Prng(count + 1);
    const tree = newTree();
    const model = new Map<string, Item>();
    tree.add("gone", { alive: true });
    const builder = CountedTree.builder(tree);
    const half = count >>> 1;
    for (let number = 0; number < count; number++) model.set(keyOf(number), { alive: number < half || number % 3 > 0 });
    const [keys, items] = [[...model.keys()], [...model.values()]];
    builder.append(keys, items, 0, half, true);
    builder.append(keys, items, half, count, false);
    builder.finish();
    assertSame(tree, model, prng);
    for (let number = count; number < count + 500; number++) {
      const item = { alive: true };
      tree.add(keyOf(number), item);
      model.set(keyOf(number), item);
    }
    for (let number = 0; number < count; number += 2) {
      tree.delete(keyOf(number));
      model.delete(keyOf(number));
    }
    assertSame(tree, model, prng);
  }
});

test("a scan ends where its visitor has had enough", () => {
  const tree = newTree();
  for (let number = 0; number < 500; number++) tree.add(keyOf(number), { alive: true });
  const visited: string[] = [];
  tree.scan("", undefined, (key) => visited.push(key) < 100);
  assert.equal(visited.length, 100);
});
