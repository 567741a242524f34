import assert from "node:assert/strict";
import { test } from "node:test";
import { toByteString } from "../base/bytes.ts";
import { compareRevisions, isRevisionKey, isTombstone, mainOf, readRevision, revisionKey } from "./revision.ts";

test("a revision's key is etcd's: main, an underscore, sub, and a t for a tombstone", () => {
  assert.equal(Buffer.from(revisionKey(258, 3)).toString("hex"), "00000000000001025f0000000000000003");
  assert.equal(Buffer.from(revisionKey(1, 0, true)).toString("hex"), "00000000000000015f000000000000000074");
});

test("revisions come back, beyond 32 bits too, and their keys are in the order of time", () => {
  const revisions = [
    [1, 0],
    [1, 1],
    [2, 0],
    [255, 0],
    [256, 0],
    [2 ** 32 - 1, 7],
    [2 ** 32, 0],
    [2 ** 52, 2 ** 33],
  ] as const;
  const keys: string[] = [];
  for (const [main, sub] of revisions) {
    for (const tombstone of [false, true]) {
      const key = revisionKey(main, sub, tombstone);
      assert.deepEqual(readRevision(key), { main, sub });
      assert.equal(mainOf(key), main);
      assert.equal(isTombstone(key), tombstone);
      keys.push(toByteString(key));
    }
  }
  assert.deepEqual([...keys].sort(), keys);
  assert.ok(compareRevisions({ main: 2, sub: 0 }, { main: 1, sub: 9 }) > 0);
  assert.ok(compareRevisions({ main: 2, sub: 0 }, { main: 2, sub: 1 }) < 0);
});

test("other bytes are no revision", () => {
  for (const length of [0, 8, 16, 19]) assert.equal(isRevisionKey(new Uint8Array(length).fill(0x5f)), false);
  const marked = revisionKey(5, 0, true);
  marked[17] = 0x75;
  assert.equal(isRevisionKey(marked), false);
  assert.throws(() => mainOf(marked), { name: "AssertionFailure" });
});
