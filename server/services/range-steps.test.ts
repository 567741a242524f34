import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../../test/simulation/world/backend.ts";
import { executeRange } from "../apply/range.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { Prng } from "../base/prng.ts";
import { Store } from "../mvcc/store.ts";
import { RangeRequest } from "../proto/etcdserverpb.ts";
import { PageSize, type ReadPage, rangeSteps } from "./range-steps.ts";

function storeOf(random: Prng, keys: number): Store {
  const store = new Store(new MemoryBackend());
  for (const _ of store.restore());
  for (let change = 0; change < 2 * keys; change++) {
    const write = store.beginWrite();
    const key = utf8Bytes(`k${random.below(keys)}`);
    if (random.chance(0.1)) write.deleteRange(key, new Uint8Array(0), false);
    else write.put(key, utf8Bytes(String(random.below(50))), 0n);
    write.end();
  }
  return store;
}

function finish<T>(steps: Generator<number, T, void>, between: () => void = () => undefined): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    between();
  }
}

test("a range in steps answers what the whole answers, with every option", () => {
  const random = new Prng(5);
  const store = storeOf(random, 400);
  const pages = new PageSize();
  pages.seen(1, 1e6); // pages of some keys
  for (let round = 0; round < 20; round++) pages.seen(1, 30_000);
  for (let round = 0; round < 500; round++) {
    const some = (bound: number) => (random.chance(0.2) ? random.below(bound) : 0);
    const request = RangeRequest.create({
      key: random.chance(0.5) ? Uint8Array.of(0) : utf8Bytes(`k${random.below(9)}`),
      rangeEnd: random.chance(0.8) ? Uint8Array.of(0) : utf8Bytes(`k${random.below(9)}`),
      limit: random.chance(0.5) ? random.below(60) : 0,
      revision: random.chance(0.3) ? 1 + random.below(store.currentRevision) : 0,
      sortOrder: random.below(3),
      sortTarget: random.chance(0.5) ? 0 : random.below(5),
      keysOnly: random.chance(0.2),
      countOnly: random.chance(0.1),
      minModRevision: some(800),
      maxModRevision: some(800),
      minCreateRevision: some(800),
      maxCreateRevision: some(800),
    });
    const read: ReadPage = (page) => executeRange(store, page);
    assert.deepEqual(finish(rangeSteps(request, read, pages)), executeRange(store, request));
  }
});

test("a range in steps is of one revision although keys change between them", () => {
  const random = new Prng(6);
  const store = storeOf(random, 3000);
  const request = RangeRequest.create({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) });
  const before = executeRange(store, request);
  let slices = 0;
  const answer = finish(
    rangeSteps(request, (page) => executeRange(store, page), new PageSize()),
    () => {
      slices++;
      const write = store.beginWrite();
      write.deleteRange(utf8Bytes("k2"), utf8Bytes("k3"), false);
      write.put(utf8Bytes(`k5${slices}new`), utf8Bytes("new"), 0n);
      write.end();
    },
  );
  assert.ok(slices >= 3);
  assert.deepEqual(answer, before);
});

test("a compaction in between: a read of now begins again, one of a revision is refused", () => {
  const store = storeOf(new Prng(7), 3000);
  const request = RangeRequest.create({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) });
  const compactNow = () => {
    const write = store.beginWrite();
    write.put(utf8Bytes("k1"), utf8Bytes("x"), 0n);
    write.end();
    store.scheduleCompaction(store.currentRevision);
  };
  const read: ReadPage = (page) => executeRange(store, page);
  const answer = finish(rangeSteps(request, read, new PageSize()), compactNow);
  assert.deepEqual(answer, executeRange(store, request));
  const old = { ...request, revision: store.currentRevision };
  assert.throws(() => finish(rangeSteps(old, read, new PageSize()), compactNow), EtcdError);
});
