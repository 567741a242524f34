import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionFailure } from "../base/assert.ts";
import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";

function progress(match: number, next: number): Progress {
  const member = new Progress({ id: 2n, next, recentActive: true, inflightMax: 3, inflightBytesMax: 0 });
  member.match = match;
  return member;
}

test("isPaused holds a probing member to one append until something is heard", () => {
  const member = progress(0, 5);
  assert.equal(member.isPaused, false);
  member.sentAppend(2, 10);
  assert.equal(member.isPaused, true);
  assert.equal(member.next, 5, "a probe does not move on");
  assert.equal(member.acknowledged(6), true);
  assert.deepEqual([member.isPaused, member.match, member.next], [false, 6, 7]);
});

test("a replicating member moves on with every append until the window is full", () => {
  const member = progress(4, 5);
  member.becomeReplicate();
  for (let at = 0; at < 3; at++) {
    assert.equal(member.isPaused, false);
    member.sentAppend(2, 10);
  }
  assert.deepEqual([member.isPaused, member.next, member.inflights.count], [true, 11, 3]);
  member.acknowledged(6);
  member.inflights.freeTo(6);
  assert.deepEqual([member.isPaused, member.inflights.count], [false, 2]);
});

test("a rejection is believed only when it can be news", () => {
  const replicating = progress(5, 6);
  replicating.becomeReplicate();
  replicating.sentAppend(4, 1);
  assert.equal(replicating.rejected(5, 2), false, "that much is matched");
  assert.equal(replicating.rejected(9, 2), true);
  assert.equal(replicating.next, 6);

  const probing = progress(0, 10);
  assert.equal(probing.rejected(5, 3), false, "not the probe that is out");
  assert.equal(probing.rejected(9, 3), true);
  assert.equal(probing.next, 4);
  assert.equal(probing.rejected(3, 7), true, "a hint above what was refused does not count");
  assert.equal(probing.next, 3);
});

test("next never falls to what is matched", () => {
  const member = progress(5, 8);
  assert.equal(member.rejected(7, 0), true);
  assert.equal(member.next, 6);
});

test("after a snapshot the probe begins behind it, after a failed one where it stood", () => {
  const taken = progress(1, 2);
  taken.becomeSnapshot(10);
  assert.deepEqual([taken.isPaused, taken.next], [true, 11]);
  assert.throws(() => taken.sentAppend(1, 1), AssertionFailure);
  taken.becomeProbe();
  assert.equal(taken.next, 11);

  const failed = progress(1, 2);
  failed.becomeSnapshot(10);
  failed.snapshotFailed();
  assert.equal(failed.next, 2);
});

test("a commit index is told once for what is under way", () => {
  const member = progress(4, 5);
  member.becomeReplicate();
  member.sentAppend(2, 1);
  member.sentCommit(4);
  assert.equal(member.canBumpCommit(4), false);
  assert.equal(member.canBumpCommit(6), true);
  member.sentCommit(6);
  assert.equal(member.canBumpCommit(9), false, "it has nothing beyond 6");
});

test("the window is a ring: it frees from the front and fills at the back", () => {
  const window = new Inflights({ countMax: 10, bytesMax: 0 });
  let added = 0;
  let freed = 0;
  for (let round = 0; round < 200; round++) {
    while (!window.full) window.add(++added, 1);
    assert.throws(() => window.add(added + 1, 1), AssertionFailure);
    freed += 1 + (round % 7);
    window.freeTo(freed);
    assert.deepEqual([window.count, window.bytes], [added - freed, added - freed]);
  }
  window.freeTo(0);
  assert.equal(window.count, added - freed);
  window.clear();
  assert.equal(window.count, 0);
});

test("the window may be bounded in bytes, soft by one message", () => {
  const window = new Inflights({ countMax: 10, bytesMax: 100 });
  window.add(1, 99);
  assert.equal(window.full, false);
  window.add(2, 500);
  assert.equal(window.full, true);
  window.freeTo(1);
  assert.equal(window.full, true);
  window.freeTo(2);
  assert.equal(window.full, false);
});
