import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/prng.ts";
import { KeyIndex } from "./key-index.ts";
import { ValueCache } from "./value-cache.ts";
import { VersionLog } from "./version-log.ts";

const log = new VersionLog();

function entries(count: number): KeyIndex[] {
  return Array.from({ length: count }, (_, at) => new KeyIndex(log, `k${at}`, at + 2, 0, at + 2, 1, false));
}

test("values are kept while they fit the budget, and the newest is among them", () => {
  const cache = new ValueCache(10_000);
  const all = entries(100);
  for (const entry of all) {
    cache.set(entry, new Uint8Array(300));
    assert.ok(cache.bytes <= 10_000);
  }
  const kept = all.filter((entry) => cache.get(entry) !== undefined);
  assert.equal(kept.length, 20);
  assert.equal(cache.bytes, 20 * 500);
});

test("a value that would take too much of the budget is not kept, nor the one before it", () => {
  const cache = new ValueCache(10_000);
  const [entry] = entries(1);
  assert.ok(entry !== undefined);
  cache.set(entry, new Uint8Array(10));
  cache.set(entry, new Uint8Array(700));
  assert.equal(cache.get(entry), undefined);
  assert.equal(cache.bytes, 0);
});

test("a dropped value is gone at once, and its place is used again", () => {
  const cache = new ValueCache(1_000_000);
  const all = entries(1000);
  for (const entry of all) cache.set(entry, new Uint8Array(100));
  for (const entry of all) cache.drop(entry);
  for (const entry of all) cache.drop(entry);
  assert.equal(cache.bytes, 0);
  assert.equal(cache.get(all[3] as KeyIndex), undefined);
  assert.equal(cache.slots, 1000);
  for (const entry of entries(600)) cache.set(entry, new Uint8Array(1));
  assert.ok(cache.slots <= 2 * 600, `${cache.slots}`); // a vacancy for each value, at most
});

test("any order of setting and dropping keeps account", () => {
  const random = new Prng(9);
  const cache = new ValueCache(20_000);
  const all = entries(60);
  const latest = new Map<KeyIndex, Uint8Array>();
  for (let step = 0; step < 20_000; step++) {
    const entry = random.pick(all);
    if (random.chance(0.3)) {
      cache.drop(entry);
      latest.delete(entry);
    } else {
      const kv = new Uint8Array(random.below(400));
      cache.set(entry, kv);
      latest.set(entry, kv);
    }
    const found = cache.get(entry);
    assert.ok(found === undefined || found === latest.get(entry));
    assert.ok(cache.bytes <= 20_000 && cache.slots <= 60);
    if (step % 100 === 0) {
      const kept = all.map((one) => cache.get(one)).filter((kv) => kv !== undefined);
      assert.equal(
        cache.bytes,
        kept.reduce((sum, kv) => sum + kv.length + 200, 0),
      );
    }
  }
});
