import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../../test/simulation/world/backend.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { loadConsistentIndex, storeConsistentIndex } from "./consistent-index.ts";

test("a new store has applied nothing", () => {
  assert.deepEqual(loadConsistentIndex(new MemoryBackend()), { index: 0, term: 0 });
});

test("it is kept as two numbers of 8 bytes, highest first, where etcd looks for them", () => {
  const backend = new MemoryBackend();
  storeConsistentIndex(backend, { index: 2 ** 40 + 5, term: 258 });
  assert.deepEqual(loadConsistentIndex(backend), { index: 2 ** 40 + 5, term: 258 });
  const bytes = (key: string) => [...(backend.get("meta", utf8Bytes(key)) ?? [])];
  assert.deepEqual(bytes("consistent_index"), [0, 0, 1, 0, 0, 0, 0, 5]);
  assert.deepEqual(bytes("term"), [0, 0, 0, 0, 0, 0, 1, 2]);
});

test("a crash takes it back together with the effects it stands for", async () => {
  const backend = new MemoryBackend();
  const effect = utf8Bytes("effect");
  for (const index of [1, 2]) {
    backend.put("cluster", effect, Uint8Array.of(index));
    storeConsistentIndex(backend, { index, term: 1 });
    if (index === 1) await backend.commit();
  }
  const survivor = backend.crash();
  assert.equal(loadConsistentIndex(survivor).index, 1);
  assert.deepEqual(survivor.get("cluster", effect), Uint8Array.of(1));
});
