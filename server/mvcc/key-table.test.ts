import assert from "node:assert/strict";
import { test } from "node:test";
import { fromByteString, toByteString } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import { KeyIndex } from "./key-index.ts";
import { KeyTable } from "./key-table.ts";

function entry(main: number): KeyIndex {
  return new KeyIndex({ main, sub: 0, created: main, version: 1 });
}

test("every key is found with its own entry, through growth, whatever the seed", () => {
  for (const seed of [0, 1, -1, 0x7fff_ffff]) {
    const table = new KeyTable(seed);
    const prng = new Prng(seed >>> 0);
    const known = new Map<string, KeyIndex>();
    for (let count = 1; count <= 20_000; count++) {
      const key = prng.bytes(1 + prng.below(4));
      const name = toByteString(key);
      assert.equal(table.get(key), known.get(name));
      if (known.has(name)) continue;
      known.set(name, entry(count));
      table.add(key, known.get(name) as KeyIndex);
    }
    for (const [name, one] of known) assert.equal(table.get(fromByteString(name)), one);
    const { names, entries } = table.takeAll();
    assert.deepEqual(names, [...known.keys()]);
    assert.deepEqual(entries, [...known.values()]);
    assert.equal(table.get(fromByteString(names[0] as string)), undefined);
  }
});
