import assert from "node:assert/strict";
import { test } from "node:test";
import { fromByteString, toByteString } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import { KeyIndex } from "./key-index.ts";
import { KeyTable } from "./key-table.ts";
import { VersionLog } from "./version-log.ts";

const log = new VersionLog();

function entry(name: string, main: number): KeyIndex {
  return new KeyIndex(log, name, main, 0, main, 1, false);
}

/** Adds, removes and looks for random keys, beside a Map that must agree. */
function compare(table: KeyTable, prng: Prng, steps: number, removes: number): void {
  const known = new Map<string, KeyIndex>();
  for (let step = 1; step <= steps; step++) {
    const key = prng.bytes(1 + prng.below(7));
    const name = toByteString(key);
    assert.equal(table.get(key), known.get(name));
    if (prng.below(100) < removes) {
      const victim = prng.below(2) === 0 ? name : (known.keys().next().value ?? name);
      assert.equal(table.remove(fromByteString(victim)), known.delete(victim));
      assert.equal(table.get(fromByteString(victim)), undefined);
    } else if (!known.has(name)) {
      known.set(name, entry(name, step));
      table.add(key, known.get(name) as KeyIndex);
    }
    assert.equal(table.size, known.size);
  }
  for (const [name, one] of known) assert.equal(table.get(fromByteString(name)), one);
  for (const name of known.keys()) assert.equal(table.remove(fromByteString(name)), true);
  assert.equal(table.size, 0);
}

test("every key is found with its own entry, through growth and removals, whatever the seed", () => {
  for (const seed of [0, 1, -1, 0x7fff_ffff]) {
    compare(new KeyTable(seed), new Prng(seed >>> 0), 30_000, 10);
    compare(new KeyTable(seed), new Prng(seed >>> 0), 10_000, 50);
  }
});

test("keys whose hashes have no more bits to part them by make their segment wider", () => {
  for (const depth of [0, 2]) compare(new KeyTable(7, depth), new Prng(7), 20_000, 10);
});

test("a key of every length is told from its neighbours", () => {
  const table = new KeyTable(3);
  const keys = Array.from({ length: 40 }, (_, length) => new Uint8Array(length + 1));
  for (const [at, key] of keys.entries()) table.add(key, entry(toByteString(key), at + 1));
  for (const [at, key] of keys.entries()) assert.equal(table.get(key)?.main, at + 1);
  assert.equal(table.get(Uint8Array.of(0, 0, 1)), undefined);
});

test("cleared, it knows nothing and takes keys again", () => {
  const table = new KeyTable(1);
  compare(table, new Prng(1), 5000, 0);
  table.add(Uint8Array.of(1), entry("\x01", 1));
  table.clear(2);
  assert.equal(table.get(Uint8Array.of(1)), undefined);
  compare(table, new Prng(2), 5000, 20);
});
