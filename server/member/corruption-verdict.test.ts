import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerHash } from "../ports/network.ts";
import { differing, outvoted, suspectOf } from "./corruption-verdict.ts";

const OWN = { hash: 7, compactRevision: 10, hashRevision: 20 };

function answer(id: bigint, hash: Partial<PeerHash> | undefined) {
  if (hash === undefined) return { id, hash };
  return { id, hash: { revision: 20, hash: 7, compactRevision: 10, hashRevision: 20, ...hash } };
}

test("differing() names those with another hash after the same compaction, and nobody else", () => {
  const answers = [
    answer(2n, {}),
    answer(3n, { hash: 8 }),
    answer(4n, { hash: 8, compactRevision: 9 }),
    answer(5n, undefined),
  ];
  assert.deepEqual(differing(OWN, answers), [3n]);
});

test("suspectOf() finds nothing wrong with members that are alike, behind, or silent", () => {
  const answers = [answer(2n, {}), answer(3n, { revision: 15, hash: 8, compactRevision: 9 }), answer(4n, undefined)];
  assert.equal(suspectOf(1n, { before: OWN, after: { ...OWN, hash: 9, hashRevision: 25 } }, answers), undefined);
});

test("suspectOf() names whoever differs, is ahead of its leader, or was compacted where its leader was not", () => {
  const both = { before: OWN, after: OWN };
  assert.equal(suspectOf(1n, both, [answer(2n, {}), answer(3n, { hash: 8 })])?.id, 3n);
  assert.equal(suspectOf(1n, both, [answer(2n, { revision: 21 })])?.id, 2n);
  assert.equal(suspectOf(1n, both, [answer(2n, { compactRevision: 11, hash: 8 })])?.id, 2n);
});

test("suspectOf() names this member itself when one revision hashes to two things", () => {
  assert.equal(suspectOf(1n, { before: OWN, after: { ...OWN, hash: 8 } }, [answer(2n, { hash: 8 })])?.id, 1n);
  const compacted = { ...OWN, hash: 8, compactRevision: 12 };
  assert.equal(suspectOf(1n, { before: OWN, after: compacted }, [answer(2n, {})]), undefined);
});

test("outvoted() names the minority, this member too, and the cluster when there is no majority", () => {
  assert.deepEqual(outvoted(1n, OWN, [answer(2n, {}), answer(3n, {})]), []);
  assert.deepEqual(outvoted(1n, OWN, [answer(2n, {}), answer(3n, { hash: 8 })]), [3n]);
  assert.deepEqual(outvoted(1n, OWN, [answer(2n, { hash: 8 }), answer(3n, { hash: 8 })]), [1n]);
  assert.deepEqual(outvoted(1n, OWN, [answer(2n, { hash: 8 })]), [0n]);
  assert.deepEqual(outvoted(1n, OWN, [answer(2n, { hash: 8 }), answer(3n, { hash: 9 })]), [0n]);
});

test("outvoted() cannot compare with other compactions or with silence", () => {
  assert.deepEqual(outvoted(1n, OWN, [answer(2n, { hash: 8, compactRevision: 9 }), answer(3n, undefined)]), []);
});
