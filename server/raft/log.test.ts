import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionFailure } from "../base/assert.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import { type Entry, EntryType, type Snapshot } from "../proto/raftpb.ts";
import { emptyConfState } from "./conf-change.ts";
import { Log } from "./log.ts";
import { entrySize, LogStorage } from "./log-storage.ts";

function entry(index: number, term: number, bytes = 0): Entry {
  return { type: EntryType.NORMAL, term, index, data: new Uint8Array(bytes) };
}

/** Entries of these terms, the first at `first`. */
function entries(terms: readonly number[], first = 1): Entry[] {
  return terms.map((term, at) => entry(first + at, term));
}

function snapshot(index: number, term: number): Snapshot {
  return { data: EMPTY_BYTES, metadata: { index, term, confState: emptyConfState() } };
}

function logOf(terms: readonly number[], commit = 0): Log {
  const storage = new LogStorage({ hardState: { term: 9, vote: 0n, commit }, entries: entries(terms) });
  return new Log(storage, { applied: 0, applyingBytesMax: 1000 });
}

function termsOf(log: Log): number[] {
  return (log.entriesFrom(log.firstIndex(), Number.POSITIVE_INFINITY) ?? []).map(({ term }) => term);
}

test("storage: term, first and last index, with and without a snapshot", () => {
  const fresh = new LogStorage();
  assert.deepEqual([fresh.firstIndex(), fresh.lastIndex(), fresh.term(0), fresh.term(1)], [1, 0, 0, undefined]);
  const storage = new LogStorage({
    snapshot: { index: 3, term: 3, confState: undefined },
    entries: entries([4, 5], 4),
  });
  assert.deepEqual([storage.firstIndex(), storage.lastIndex()], [4, 5]);
  assert.deepEqual(
    [2, 3, 4, 5, 6].map((index) => storage.term(index)),
    [undefined, 3, 4, 5, undefined],
  );
});

test("storage: append adds, replaces, and passes over what is compacted", () => {
  const cases: [appended: Entry[], terms: number[]][] = [
    [[], [4, 5]],
    [entries([3], 3), [4, 5]],
    [entries([4, 5], 4), [4, 5]],
    [entries([4, 6, 6], 4), [4, 6, 6]],
    [entries([7], 4), [7]],
    [entries([5, 6], 6), [4, 5, 5, 6]],
    [entries([1, 2, 3, 8], 1), [8]],
  ];
  for (const [appended, terms] of cases) {
    const storage = new LogStorage({
      snapshot: { index: 3, term: 3, confState: undefined },
      entries: entries([4, 5], 4),
    });
    storage.append(appended);
    assert.deepEqual(
      storage.entries(4, storage.lastIndex() + 1, Number.POSITIVE_INFINITY).map(({ term }) => term),
      terms,
    );
  }
  assert.throws(() => new LogStorage().append(entries([1], 3)), AssertionFailure);
  assert.throws(() => new LogStorage().append([entry(1, 1), entry(3, 1)]), AssertionFailure);
});

test("storage: a read is bounded in bytes but gives at least one entry", () => {
  const storage = new LogStorage({ entries: entries([1, 1, 1]) });
  const size = entrySize(entry(1, 1));
  const count = (bytesMax: number) => storage.entries(1, 4, bytesMax).length;
  assert.deepEqual([count(0), count(size), count(2 * size - 1), count(2 * size), count(99 * size)], [1, 1, 1, 2, 3]);
});

test("storage: bytes are those of the entries held, whatever is replaced, compacted or received", () => {
  const storage = new LogStorage();
  const random = new Prng(5);
  for (let step = 0; step < 500; step++) {
    const last = storage.lastIndex();
    const dice = random.below(10);
    if (dice === 0) storage.applySnapshot(snapshot(last + random.below(3), 1));
    else if (dice < 3 && storage.firstIndex() <= last) {
      storage.createSnapshot(Math.max(storage.snapshotIndex, storage.firstIndex()), emptyConfState());
      storage.compact(storage.snapshotIndex - random.below(2));
    } else {
      const from = Math.max(storage.firstIndex(), last + 1 - random.below(3));
      storage.append([entry(from, 1, random.below(50)), entry(from + 1, 1, random.below(50))]);
    }
    const held = Array.from({ length: storage.lastIndex() + 1 - storage.firstIndex() }, (_, at) => {
      return entrySize(storage.entry(storage.firstIndex() + at) as Entry);
    });
    const sum = (sizes: number[]) => sizes.reduce((so, size) => so + size, 0);
    assert.equal(storage.bytes, sum(held));
    const bytesMax = random.below(200);
    const within = storage.firstIndexWithin(bytesMax) - storage.firstIndex();
    assert.ok(sum(held.slice(within)) <= bytesMax);
    assert.ok(within === 0 || sum(held.slice(within - 1)) > bytesMax);
  }
});

test("storage: only what a snapshot covers is compacted", () => {
  const storage = new LogStorage({ entries: entries([1, 1, 2, 2, 3]) });
  assert.throws(() => storage.compact(2), AssertionFailure);
  const made = storage.createSnapshot(4, emptyConfState());
  assert.deepEqual(made.metadata, { index: 4, term: 2, confState: emptyConfState() });
  storage.compact(2);
  assert.deepEqual([storage.firstIndex(), storage.term(2), storage.term(1)], [3, 1, undefined]);
  storage.compact(4);
  storage.compact(1);
  assert.deepEqual([storage.firstIndex(), storage.lastIndex(), storage.term(4), storage.term(5)], [5, 5, 2, 3]);
  assert.throws(() => storage.entries(4, 6, 100), AssertionFailure);
});

test("storage: a long life of appending and compacting keeps every index in its place", () => {
  const storage = new LogStorage();
  const random = new Prng(3);
  for (let index = 1; index < 3000; index++) {
    storage.append([entry(index, Math.floor(index / 7))]);
    if (!random.chance(0.02)) continue;
    storage.createSnapshot(index, emptyConfState());
    storage.compact(index - random.below(index - storage.firstIndex() + 1));
    for (let at = storage.firstIndex(); at <= index; at++) assert.equal(storage.term(at), Math.floor(at / 7));
  }
});

test("storage: a received snapshot replaces everything, an old one nothing", () => {
  const storage = new LogStorage({ entries: entries([1, 1, 1]) });
  storage.applySnapshot(snapshot(9, 3));
  assert.deepEqual([storage.firstIndex(), storage.lastIndex(), storage.term(9)], [10, 9, 3]);
  storage.applySnapshot(snapshot(4, 2));
  assert.equal(storage.lastIndex(), 9);
});

test("up to date: a higher last term, or an equal one and no shorter log (section 5.4.1)", () => {
  const log = logOf([1, 2, 3]);
  const cases: [index: number, term: number, isUpToDate: boolean][] = [
    [2, 4, true],
    [3, 4, true],
    [4, 2, false],
    [2, 3, false],
    [3, 3, true],
    [4, 3, true],
  ];
  for (const [index, term, expected] of cases) assert.equal(log.isUpToDate({ index, term }), expected);
});

test("append following: refuses, replaces from the first conflict, leaves alone what is there", () => {
  const cases: [previous: [number, number], appended: Entry[], terms: number[] | "refused" | "impossible"][] = [
    [[3, 2], entries([4], 4), "refused"],
    [[4, 4], entries([4], 5), "refused"],
    [[3, 3], [], [1, 2, 3]],
    [[3, 3], entries([4], 4), [1, 2, 3, 4]],
    [[3, 3], entries([4, 4], 4), [1, 2, 3, 4, 4]],
    [[2, 2], entries([4], 3), [1, 2, 4]],
    [[1, 1], entries([4, 4], 2), [1, 4, 4]],
    [[1, 1], entries([2], 2), [1, 2, 3]],
    [[0, 0], entries([4], 1), "impossible"],
  ];
  for (const [[index, term], appended, expected] of cases) {
    const log = logOf([1, 2, 3], 1);
    if (expected === "impossible") {
      assert.throws(() => log.appendFollowing({ index, term }, appended), /contradicts what is committed/);
      continue;
    }
    assert.equal(log.appendFollowing({ index, term }, appended), expected !== "refused");
    assert.deepEqual(termsOf(log), expected === "refused" ? [1, 2, 3] : expected);
  }
});

test("the last index up to a term, for hints", () => {
  const log = logOf([2, 2, 5, 5, 5]);
  const hint = (index: number, term: number) => log.lastIndexUpToTerm(index, term);
  assert.deepEqual(hint(5, 5), { index: 5, term: 5 });
  assert.deepEqual(hint(4, 9), { index: 4, term: 5 });
  assert.deepEqual(hint(5, 4), { index: 2, term: 2 });
  assert.deepEqual(hint(5, 1), { index: 0, term: 0 });
  assert.deepEqual(hint(0, 1), { index: 0, term: 0 });
  log.storage.createSnapshot(3, emptyConfState());
  log.storage.compact(3);
  assert.deepEqual(hint(5, 2), { index: 2, term: 0 }, "it may meet below what we still know");
});

test("the commit index rises, never falls, and never passes the end", () => {
  const log = logOf([1, 1, 1], 1);
  assert.equal(log.commitTo(3), true);
  assert.equal(log.commitTo(1), false);
  assert.equal(log.committed, 3);
  assert.throws(() => log.commitTo(4), /lost what it had acknowledged/);
});

test("only what is committed and on our own disk is handed out to be applied, each once", () => {
  const log = logOf([1, 1], 1);
  log.push(entry(3, 1));
  log.commitTo(3);
  assert.deepEqual(
    log.takeEntriesToApply().entries.map(({ index }) => index),
    [1, 2],
  );
  assert.equal(log.hasEntriesToApply, false);
  log.unstable.beginWrite();
  assert.equal(log.hasEntriesToApply, false);
  log.endWrite();
  assert.deepEqual(
    log.takeEntriesToApply().entries.map(({ index }) => index),
    [3],
  );
  assert.throws(() => log.appliedTo(4), AssertionFailure);
  log.appliedTo(3);
  log.appliedTo(2);
  assert.equal(log.applied, 3);
});

test("unstable: entries leave it as writes end, and reads go across both parts", () => {
  const log = logOf([1, 1]);
  for (const index of [3, 4]) log.push(entry(index, 2));
  assert.equal(log.unstable.beginWrite().length, 2);
  log.push(entry(5, 2));
  assert.deepEqual([log.stableIndex, log.lastIndex(), log.unstable.hasEntriesToWrite], [2, 5, true]);
  assert.deepEqual(termsOf(log), [1, 1, 2, 2, 2]);
  const size = entrySize(entry(1, 1));
  for (const count of [1, 2, 3, 4, 5]) assert.equal(log.entriesFrom(1, count * size)?.length, count);
  log.endWrite();
  assert.deepEqual([log.stableIndex, log.unstable.length], [4, 1]);
  assert.deepEqual(termsOf(log), [1, 1, 2, 2, 2]);
});

test("unstable: what is replaced while it is written is written again, and not stable before", () => {
  const log = logOf([1]);
  for (const index of [2, 3, 4]) log.push(entry(index, 1));
  log.unstable.beginWrite();
  assert.equal(log.appendFollowing({ index: 2, term: 1 }, entries([2, 2], 3)), true);
  assert.deepEqual(
    log.unstable.beginWrite().map(({ index, term }) => [index, term]),
    [
      [3, 2],
      [4, 2],
    ],
  );
  log.endWrite();
  assert.equal(log.stableIndex, 2);
  log.endWrite();
  assert.equal(log.stableIndex, 4);
  assert.deepEqual(termsOf(log), [1, 1, 2, 2]);
});

test("unstable: a conflict below what is on disk pulls the stable end back", () => {
  const log = logOf([1, 1, 1]);
  assert.equal(log.appendFollowing({ index: 1, term: 1 }, entries([2], 2)), true);
  assert.deepEqual([log.stableIndex, log.lastIndex(), log.term(3)], [1, 2, undefined]);
  log.unstable.beginWrite();
  log.endWrite();
  assert.deepEqual([log.storage.lastIndex(), log.stableIndex], [2, 2]);
});

test("a received snapshot stands for the log until and after it is on disk", () => {
  const log = logOf([1, 1, 1], 1);
  log.push(entry(4, 1));
  log.unstable.beginWrite();
  log.restore(snapshot(8, 3), 8);
  assert.deepEqual([log.firstIndex(), log.lastIndex(), log.lastTerm(), log.committed], [9, 8, 3, 8]);
  assert.equal(log.term(3), undefined);
  assert.equal(log.hasEntriesToApply, false);
  assert.notEqual(log.unstable.takeSnapshot(), undefined);
  assert.equal(log.unstable.takeSnapshot(), undefined, "handed out once");
  log.unstable.beginWrite();
  log.endWrite();
  assert.equal(log.stableIndex, 8);
  log.snapshotStable(snapshot(8, 3), 8);
  log.endWrite();
  assert.deepEqual([log.applied, log.storage.firstIndex(), log.hasPendingSnapshot], [8, 9, false]);
  assert.equal(log.appendFollowing({ index: 8, term: 3 }, entries([3], 9)), true);
  assert.throws(() => log.restore(snapshot(8, 3), 8), AssertionFailure);
});

test("a received snapshot in the middle of a tail that is being written ends that tail", () => {
  for (const isLate of [false, true]) {
    const log = logOf([1], 1);
    for (let index = 2; index <= 9; index++) log.push(entry(index, 1));
    log.unstable.beginWrite();
    log.restore(snapshot(5, 3), 5);
    if (!isLate) log.endWrite();
    assert.equal(log.appendFollowing({ index: 5, term: 3 }, entries([3, 3, 3, 3, 3], 6)), true);
    if (isLate) log.endWrite();
    assert.equal(log.stableIndex, 5, "the old tail arrived, not the new one");
  }
});
