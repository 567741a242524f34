import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Collection, givenOldSpaceMb, HeapGuard, observeCollections, readHeap } from "./heap-guard.ts";

test("the share is what lived after the last full collection, not what is in use with garbage", () => {
  let usedBytes = 50;
  const guard = new HeapGuard(() => ({ usedBytes, limitBytes: 100 }));
  assert.equal(guard.share(), 0.5); // nothing known yet: all of it may live
  usedBytes = 40;
  guard.collected({ full: true, seconds: 0 });
  usedBytes = 90;
  assert.equal(guard.share(), 0.4);
  guard.collected({ full: false, seconds: 0 });
  assert.equal(guard.share(), 0.4);
  usedBytes = 85;
  guard.collected({ full: true, seconds: 0 });
  assert.equal(guard.share(), 0.85);
  usedBytes = 30; // let go and collected in part
  assert.equal(guard.share(), 0.3);
});

test("a heap about to burst counts as full, garbage or not", () => {
  let usedBytes = 10;
  const guard = new HeapGuard(() => ({ usedBytes, limitBytes: 100 }));
  guard.collected({ full: true, seconds: 0 });
  usedBytes = 98;
  assert.equal(guard.share(), 0.98);
});

test("givenOldSpaceMb() reads Node's flag in every form; the command line wins over NODE_OPTIONS", () => {
  assert.equal(givenOldSpaceMb([], ""), undefined);
  assert.equal(givenOldSpaceMb(["--inspect", "--max-old-space-size=100"], ""), 100);
  assert.equal(givenOldSpaceMb(["--max_old_space_size=100"], ""), 100);
  assert.equal(givenOldSpaceMb([], " --enable-source-maps  --max-old-space-size 200"), 200);
  assert.equal(givenOldSpaceMb(["--max-old-space-size=100"], "--max-old-space-size=200"), 100);
});

test("readHeap() reads this heap", () => {
  const { usedBytes, limitBytes } = readHeap();
  assert.ok(usedBytes > 1e5 && usedBytes < limitBytes);
});

test("observeCollections() tells of collections until it is stopped", async () => {
  const seen: Collection[] = [];
  const stop = observeCollections((collection) => seen.push(collection));
  const keep: unknown[] = [];
  for (let turn = 0; turn < 500 && seen.length === 0; turn++) {
    for (let index = 0; index < 20_000; index++) keep[index] = { index, text: `${index}` };
    await sleep(1);
  }
  stop();
  assert.ok(seen.length > 0);
  assert.ok(seen.every(({ seconds }) => seconds >= 0 && seconds < 10));
});
