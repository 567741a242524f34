import assert from "node:assert/strict";
import { test } from "node:test";
import { CorruptRecord } from "../ports/backend.ts";
import { RevisionOrder } from "./revision-order.ts";

function orderOf(after: number, ...revisions: [number, number][]): RevisionOrder {
  const order = new RevisionOrder(after);
  for (const [main, sub] of revisions) order.next(main, sub);
  return order;
}

test("records that follow one another pass, in one revision and from one to the next", () => {
  orderOf(1, [2, 0], [2, 1], [3, 0], [4, 0], [4, 1], [4, 2]).end(4);
});

test("up to the compacted revision anything may be missing", () => {
  orderOf(7, [2, 3], [5, 1], [5, 4], [7, 2], [8, 0]).end(8);
  orderOf(7).end(7);
});

test("a missing revision, a missing beginning and a missing middle of one are noticed", () => {
  assert.throws(() => orderOf(1, [2, 0], [4, 0]), CorruptRecord);
  assert.throws(() => orderOf(1, [3, 0]), CorruptRecord);
  assert.throws(() => orderOf(7, [5, 0], [9, 0]), CorruptRecord);
  assert.throws(() => orderOf(1, [2, 1]), CorruptRecord);
  assert.throws(() => orderOf(1, [2, 0], [2, 2]), CorruptRecord);
  assert.throws(() => orderOf(1, [2, 0], [3, 1]), {
    message: 'records between revision 2.0 and 3.1 are missing in bucket "key"',
  });
});

test("no revision comes twice or is 0, compacted or not", () => {
  for (const after of [1, 9]) {
    assert.throws(() => orderOf(after, [2, 0], [2, 0]), CorruptRecord);
    assert.throws(() => orderOf(after, [2, 0], [2, 1], [2, 1]), CorruptRecord);
    assert.throws(() => orderOf(after, [0, 0]), CorruptRecord);
    assert.throws(() => orderOf(after, [0, 3], [1, 0]), CorruptRecord);
  }
});

test("a missing end is noticed", () => {
  assert.throws(() => orderOf(1, [2, 0]).end(3), {
    message: 'records between revision 2.0 and the end at 3 are missing in bucket "key"',
  });
});
