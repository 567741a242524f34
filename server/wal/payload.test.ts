import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_BYTES } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import { Entry, HardState } from "../proto/raftpb.ts";
import { Snapshot } from "../proto/walpb.ts";
import { readEntry, readSnapshot, readState } from "./payload.ts";

const ENTRY = { type: 0, term: 3, index: 300, data: Uint8Array.of(1, 2) };
const STATE = { term: 3, vote: 0x8e9e05c52164694dn, commit: 299 };
const VOTERS = { voters: [1n, 1n << 63n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

test("what the codecs of raftpb and walpb write is read", () => {
  for (const entry of [ENTRY, { ...ENTRY, type: 1 }, { ...ENTRY, data: EMPTY_BYTES }, { ...ENTRY, term: 2 ** 40 }])
    assert.deepEqual(readEntry(Entry.encode(entry)), entry);
  assert.deepEqual(readState(HardState.encode(STATE)), STATE);
  assert.deepEqual(readState(HardState.encode({ ...STATE, vote: 0n, commit: 0 })), { ...STATE, vote: 0n, commit: 0 });
  for (const snapshot of [
    { index: 0, term: 0, confState: undefined },
    { index: 5, term: 2, confState: VOTERS },
  ])
    assert.deepEqual(readSnapshot(Snapshot.encode(snapshot)), snapshot);
});

test("an entry of etcd 3.7, which leaves out the type, is read", () => {
  assert.deepEqual(readEntry(Uint8Array.of(0x10, 3, 0x18, 0xac, 0x02, 0x22, 2, 1, 2)), ENTRY);
});

test("one kind does not pass for another", () => {
  const entries = [ENTRY, { ...ENTRY, data: EMPTY_BYTES }].map((entry) => Entry.encode(entry));
  const states = [STATE, { term: 1, vote: 0n, commit: 1 }, { term: 1, vote: 1n, commit: 1 }].map((state) =>
    HardState.encode(state),
  );
  const snapshots = [
    { index: 0, term: 0, confState: undefined },
    { index: 5, term: 2, confState: VOTERS },
  ].map((snapshot) => Snapshot.encode(snapshot));
  for (const bytes of [...states, ...snapshots]) assert.equal(readEntry(bytes), undefined);
  for (const bytes of [...entries, ...snapshots]) assert.equal(readState(bytes), undefined);
  for (const bytes of [...entries, ...states]) assert.equal(readSnapshot(bytes), undefined);
});

test("a payload that is cut short, too long, or has a field too many or too large is none", () => {
  const encoded = [
    [readEntry, Entry.encode(ENTRY)],
    [readState, HardState.encode(STATE)],
    [readSnapshot, Snapshot.encode({ index: 5, term: 2, confState: VOTERS })],
  ] as const;
  for (const [read, bytes] of encoded) {
    assert.notEqual(read(bytes), undefined);
    assert.equal(read(EMPTY_BYTES), undefined);
    assert.equal(read(bytes.subarray(0, bytes.length - 1)), undefined);
    assert.equal(read(Uint8Array.of(...bytes, 0x28, 1)), undefined);
    assert.equal(read(Uint8Array.of(...bytes, 0)), undefined);
  }
  const tooLarge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
  assert.equal(readEntry(Uint8Array.of(0x08, 0, 0x10, 1, 0x18, ...tooLarge)), undefined);
  assert.equal(readState(Uint8Array.of(0x08, ...tooLarge, 0x10, 0, 0x18, 0)), undefined);
});

test("any bytes at all are read without an exception", () => {
  const prng = new Prng(9);
  for (let round = 0; round < 20_000; round++) {
    const bytes = prng.bytes(prng.below(24));
    if (bytes.length > 0 && prng.chance(0.8)) bytes[0] = prng.pick([0x08, 0x10]);
    for (const read of [readEntry, readState, readSnapshot]) read(bytes);
  }
});
