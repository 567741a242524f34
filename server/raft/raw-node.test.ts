import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionFailure } from "../base/assert.ts";
import { EMPTY_BYTES, utf8Bytes, utf8Text } from "../base/bytes.ts";
import { ConfChange, ConfChangeType, type ConfState, type Entry, EntryType } from "../proto/raftpb.ts";
import { LogStorage, type LogStorageStart } from "./log-storage.ts";
import { RawNode, READYS_OUT_MAX } from "./raw-node.ts";
import type { Ready } from "./ready.ts";

const SELF = 0x8e9e05c52164694dn;

/** A single voter and what a conductor would do with it, step by step. */
class OneMember {
  readonly storage: LogStorage;
  readonly node: RawNode;
  readonly applied: Entry[] = [];

  constructor(
    start: LogStorageStart,
    options: { applied?: number; confState?: ConfState; maxMessageBytes?: number } = {},
  ) {
    this.storage = new LogStorage(start);
    this.node = new RawNode({
      id: SELF,
      electionTicks: 10,
      heartbeatTicks: 1,
      storage: this.storage,
      applied: options.applied ?? 0,
      confState: options.confState,
      preVote: true,
      checkQuorum: true,
      maxMessageBytes: options.maxMessageBytes ?? 1024 * 1024,
      inflightMax: 512,
      random: () => 0,
    });
  }

  apply(ready: Ready): void {
    for (const entry of ready.committedEntries) {
      if (entry.type === EntryType.CONF_CHANGE) this.node.applyConfChange(ConfChange.decode(entry.data));
      this.applied.push(entry);
      this.node.appliedTo(entry.index);
    }
  }

  /** Does everything there is to do. */
  settle(): void {
    while (this.node.hasReady()) {
      const ready = this.node.ready();
      assert.equal(ready.messages.length + ready.messagesAfterSync.length, 0, "a single voter writes to nobody");
      this.apply(ready);
      this.node.persisted(ready);
    }
  }

  texts(): string[] {
    return this.applied
      .filter(({ type, data }) => type === EntryType.NORMAL && data.length > 0)
      .map((entry) => utf8Text(entry.data));
  }
}

const ADD_SELF: Entry = {
  type: EntryType.CONF_CHANGE,
  term: 1,
  index: 1,
  data: ConfChange.encode(ConfChange.create({ type: ConfChangeType.ADD_NODE, nodeId: SELF })),
};

/** What a new cluster of one begins with: the change that adds its member, committed. */
const FIRST: LogStorageStart = { hardState: { term: 1, vote: 0n, commit: 1 }, entries: [ADD_SELF] };

const ONLY_SELF: ConfState = { voters: [SELF], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

function leading(): OneMember {
  const member = new OneMember(FIRST);
  member.settle();
  member.node.campaign();
  member.settle();
  assert.equal(member.node.role, "leader");
  return member;
}

test("a new member applies the change that adds it, then elects itself after an election timeout", () => {
  const member = new OneMember(FIRST);
  member.node.campaign();
  assert.equal(member.node.role, "follower", "nobody campaigns before the change that makes it a voter is applied");
  member.settle();
  assert.deepEqual(member.node.confState.voters, [SELF]);
  for (let ticks = 0; ticks < 9; ticks++) member.node.tick();
  assert.equal(member.node.hasReady(), false, "an election timeout has 10 ticks");
  member.node.tick();
  member.settle();
  assert.equal(member.node.role, "leader");
  assert.equal(member.node.leaderId, SELF);
  assert.equal(member.node.term, 2);
  assert.deepEqual(member.storage.hardState, { term: 2, vote: SELF, commit: 2 });
  assert.deepEqual(
    member.applied.map(({ type, term, index }) => ({ type, term, index })),
    [
      { type: EntryType.CONF_CHANGE, term: 1, index: 1 },
      { type: EntryType.NORMAL, term: 2, index: 2 },
    ],
    "the first entry of the new leader is empty",
  );
});

test("an election needs the own vote on disk", () => {
  const member = new OneMember(FIRST);
  member.settle();
  member.node.campaign();
  const asking = member.node.ready();
  assert.equal(asking.mustSync, false, "asking first changes neither term nor vote");
  member.node.persisted(asking);
  assert.equal(member.node.role, "candidate");
  const voting = member.node.ready();
  assert.equal(voting.mustSync, true);
  assert.deepEqual(voting.hardState, { term: 2, vote: SELF, commit: 1 });
  assert.equal(member.node.role, "candidate");
  member.node.persisted(voting);
  assert.equal(member.node.role, "leader");
});

test("an entry is committed only when its own sync has returned, and applied only after that", () => {
  const member = leading();
  assert.equal(member.node.propose(utf8Bytes("a")), true);
  assert.equal(member.node.propose(utf8Bytes("b")), true);
  const before = member.node.commitIndex;
  const writing = member.node.ready();
  assert.deepEqual(
    writing.entries.map((entry) => utf8Text(entry.data)),
    ["a", "b"],
  );
  assert.equal(writing.mustSync, true);
  assert.equal(writing.committedEntries.length, 0);
  assert.equal(member.node.commitIndex, before);
  assert.equal(member.node.hasReady(), false, "nothing is to do until the disk answers");
  member.node.persisted(writing);
  assert.equal(member.node.commitIndex, before + 2);
  const applying = member.node.ready();
  assert.deepEqual(
    applying.committedEntries.map((entry) => utf8Text(entry.data)),
    ["a", "b"],
  );
  assert.equal(applying.mustSync, false, "a commit index alone need not be synced");
  assert.deepEqual(applying.hardState, { term: 2, vote: SELF, commit: before + 2 });
  member.node.persisted(applying);
});

test("several writes may be out at once and are acknowledged in order", () => {
  const member = leading();
  const before = member.node.commitIndex;
  member.node.propose(utf8Bytes("a"));
  const first = member.node.ready();
  member.node.propose(utf8Bytes("b"));
  const second = member.node.ready();
  assert.deepEqual(
    second.entries.map((entry) => utf8Text(entry.data)),
    ["b"],
    "an entry is handed out once",
  );
  assert.throws(() => member.node.persisted(second), AssertionFailure);

  const again = leading();
  again.node.propose(utf8Bytes("a"));
  const one = again.node.ready();
  again.node.propose(utf8Bytes("b"));
  const two = again.node.ready();
  again.node.persisted(one);
  assert.equal(again.node.commitIndex, before + 1, "the first sync says nothing of the second write");
  again.node.persisted(two);
  assert.equal(again.node.commitIndex, before + 2);
  assert.notEqual(first, second);
});

test("the number of writes that are out is bounded", () => {
  const member = leading();
  const out: Ready[] = [];
  for (let at = 0; at < READYS_OUT_MAX; at++) {
    member.node.propose(utf8Bytes(`${at}`));
    out.push(member.node.ready());
  }
  member.node.propose(utf8Bytes("one more"));
  assert.equal(member.node.hasReady(), false);
  for (const ready of out) member.node.persisted(ready);
  member.settle();
  assert.equal(member.texts().length, READYS_OUT_MAX + 1);
});

test("a read waits for the first commit of the own term, then is answered at once", () => {
  const member = new OneMember(FIRST);
  member.settle();
  assert.equal(member.node.readIndex(1n), false, "without a leader there is no read index");
  member.node.campaign();
  while (member.node.role !== "leader") member.node.persisted(member.node.ready());
  assert.equal(member.node.readIndex(2n), true);
  const first = member.node.ready();
  assert.deepEqual(
    first.readStates,
    [],
    "an entry acknowledged before the restart may be missing from the commit index",
  );
  member.node.persisted(first);
  const second = member.node.ready();
  assert.deepEqual(second.readStates, [{ index: 2, context: 2n }]);
  member.apply(second);
  member.node.persisted(second);
  assert.equal(member.node.readIndex(0xffff_ffff_ffff_ffffn), true);
  assert.deepEqual(member.node.ready().readStates, [{ index: 2, context: 0xffff_ffff_ffff_ffffn }]);
});

test("nothing is proposed without a leader", () => {
  const member = new OneMember(FIRST);
  member.settle();
  assert.equal(member.node.propose(utf8Bytes("a")), false);
  assert.equal(member.node.proposeConfChange(ConfChange.create({ type: ConfChangeType.ADD_NODE, nodeId: 2n })), false);
});

test("a change of the configuration takes effect when it is applied, one at a time", () => {
  const member = leading();
  const addLearner = (nodeId: bigint) => ConfChange.create({ type: ConfChangeType.ADD_LEARNER_NODE, nodeId });
  assert.equal(member.node.proposeConfChange(addLearner(2n)), true);
  assert.equal(member.node.proposeConfChange(addLearner(3n)), false, "another is not yet applied");
  const writing = member.node.ready();
  member.node.persisted(writing);
  assert.deepEqual(member.node.confState.learners, []);
  const applying = member.node.ready();
  assert.equal(applying.committedEntries.length, 1);
  member.apply(applying);
  assert.deepEqual(member.node.confState.learners, [2n]);
  assert.equal(member.node.proposeConfChange(addLearner(3n)), true);
});

test("an impossible change of the configuration is not proposed", () => {
  const member = leading();
  assert.equal(
    member.node.proposeConfChange(ConfChange.create({ type: ConfChangeType.REMOVE_NODE, nodeId: SELF })),
    false,
    "no voter would remain",
  );
});

test("a refused change, applied with node id zero, changes nothing and lets the next one in", () => {
  const member = leading();
  const change = ConfChange.create({ type: ConfChangeType.ADD_NODE, nodeId: 2n });
  assert.equal(member.node.proposeConfChange(change), true);
  const writing = member.node.ready();
  member.node.persisted(writing);
  const applying = member.node.ready();
  assert.deepEqual(member.node.applyConfChange({ ...change, nodeId: 0n }), ONLY_SELF);
  member.node.appliedTo(applying.committedEntries.at(-1)?.index ?? 0);
  assert.equal(member.node.proposeConfChange(change), true);
});

test("a restart goes on after what was applied, and applies what was written and never known to be committed", () => {
  const before = leading();
  for (const text of ["a", "b", "c"]) before.node.propose(utf8Bytes(text));
  before.settle();
  // The disk holds the entries; of the commit index only an old value; the state has applied up to "a".
  const member = new OneMember(
    {
      hardState: { term: 2, vote: SELF, commit: 2 },
      entries: before.storage.entries(1, before.storage.lastIndex() + 1, Number.POSITIVE_INFINITY),
    },
    { applied: 3, confState: ONLY_SELF },
  );
  assert.equal(member.node.commitIndex, 3, "what was applied was committed");
  member.node.campaign();
  member.settle();
  assert.equal(member.node.term, 3);
  assert.deepEqual(member.texts(), ["b", "c"]);
  assert.deepEqual(
    member.applied.map((entry) => entry.index),
    [4, 5, 6],
  );
});

test("a restart from a snapshot has its configuration and begins behind it", () => {
  const entry: Entry = { type: EntryType.NORMAL, term: 2, index: 8, data: utf8Bytes("x") };
  const member = new OneMember(
    {
      hardState: { term: 2, vote: SELF, commit: 8 },
      snapshot: { index: 7, term: 2, confState: ONLY_SELF },
      entries: [entry],
    },
    { applied: 7 },
  );
  member.settle();
  member.node.campaign();
  member.settle();
  assert.equal(member.node.role, "leader");
  assert.deepEqual(
    member.applied.map(({ index }) => index),
    [8, 9],
  );
});

test("a restart after a write torn before its hard state has the term of its last entry", () => {
  const entries = [ADD_SELF, { type: EntryType.NORMAL, term: 5, index: 2, data: EMPTY_BYTES }];
  const member = new OneMember({ hardState: { term: 4, vote: 7n, commit: 1 }, entries });
  assert.equal(member.node.term, 5);
  member.settle();
  assert.deepEqual(member.storage.hardState, { term: 5, vote: 0n, commit: 1 });
  member.node.campaign();
  member.settle();
  assert.equal(member.node.role, "leader");
});

test("a log that has lost committed entries is refused", () => {
  assert.throws(
    () => new OneMember({ hardState: { term: 2, vote: SELF, commit: 5 }, entries: [ADD_SELF] }),
    /were lost/,
  );
  assert.throws(() => new OneMember(FIRST, { applied: 9, confState: ONLY_SELF }), /were lost/);
});

test("what is handed out to be applied is bounded and goes on as it is applied", () => {
  const member = new OneMember(FIRST, { maxMessageBytes: 1000 });
  member.settle();
  member.node.campaign();
  member.settle();
  for (let at = 0; at < 10; at++) member.node.propose(new Uint8Array(400).fill(at));
  member.node.persisted(member.node.ready());
  const first = member.node.ready();
  member.node.persisted(first);
  assert.equal(first.committedEntries.length, 2);
  assert.equal(member.node.hasReady(), true, "there is room for one more");
  const second = member.node.ready();
  member.node.persisted(second);
  assert.equal(
    second.committedEntries.length,
    1,
    "an entry is let through even when it is larger than the rest of the room",
  );
  assert.equal(member.node.hasReady(), false, "until something is applied");
  member.apply(first);
  member.apply(second);
  member.settle();
  assert.equal(member.applied.length, 12);
});

test("a leader drops proposals when too much is uncommitted, but never an empty entry", () => {
  const storage = new LogStorage(FIRST);
  const node = new RawNode({
    id: SELF,
    electionTicks: 10,
    heartbeatTicks: 1,
    storage,
    applied: 1,
    confState: ONLY_SELF,
    preVote: false,
    checkQuorum: false,
    maxMessageBytes: 1024 * 1024,
    inflightMax: 1,
    uncommittedBytesMax: 1000,
    random: () => 0,
  });
  node.campaign();
  while (node.hasReady()) {
    const ready = node.ready();
    node.persisted(ready);
    node.appliedTo(ready.committedEntries.at(-1)?.index ?? 0);
  }
  assert.equal(node.propose(new Uint8Array(5000)), true, "one proposal may be of any size");
  assert.equal(node.propose(new Uint8Array(1)), false);
  assert.equal(node.propose(EMPTY_BYTES), true);
  node.persisted(node.ready());
  node.ready();
  assert.equal(node.propose(new Uint8Array(900)), true, "what is committed makes room");
});
