import assert from "node:assert/strict";
import { test } from "node:test";
import { TestCluster } from "../../test/support/raft-cluster.ts";
import { AssertionFailure } from "../base/assert.ts";
import { EMPTY_BYTES, utf8Bytes, utf8Text } from "../base/bytes.ts";
import { ConfChange, ConfChangeType, type Entry, EntryType, type Message, MessageType } from "../proto/raftpb.ts";
import { emptyConfState } from "./conf-change.ts";
import { LogStorage } from "./log-storage.ts";
import { newMessage } from "./message.ts";
import { RawNode } from "./raw-node.ts";

const THREE = [1n, 2n, 3n];
const FIVE = [1n, 2n, 3n, 4n, 5n];

function message(type: number, fields: Partial<Message>): Message {
  return { ...newMessage(type, 1n), ...fields };
}

function entry(index: number, term: number, text = ""): Entry {
  return { type: EntryType.NORMAL, term, index, data: utf8Bytes(text) };
}

/** Terms of the whole log. */
function terms(cluster: TestCluster, id: bigint): number[] {
  const { lastIndex } = cluster.node(id).status();
  return Array.from({ length: lastIndex }, (_, at) => cluster.node(id).entry(at + 1)?.term ?? 0);
}

function sentTo(cluster: TestCluster, to: bigint, type: number): Message[] {
  return cluster.sent.filter((one) => one.to === to && one.type === type);
}

function appendsTo(cluster: TestCluster, to: bigint): number[] {
  const counts = sentTo(cluster, to, MessageType.APP).map(({ entries }) => entries.length);
  return counts.filter((count) => count > 0);
}

test("section 5.2: a leader sends heartbeats to everyone on each heartbeat timeout", () => {
  const cluster = new TestCluster({ voters: THREE, raft: { heartbeatTicks: 3 } });
  cluster.elect(1n);
  cluster.sent.length = 0;
  cluster.pass(2);
  assert.deepEqual(cluster.sent, []);
  cluster.pass(1);
  assert.equal(sentTo(cluster, 2n, MessageType.HEARTBEAT).length, 1);
  assert.equal(sentTo(cluster, 3n, MessageType.HEARTBEAT).length, 1);
});

test("section 5.3: proposals of one turn leave in one append, beside the leader's own write", () => {
  const cluster = new TestCluster({ voters: THREE });
  const leader = cluster.elect(1n);
  cluster.sent.length = 0;
  for (const text of ["a", "b", "c"]) cluster.propose(1n, text);
  cluster.take(leader);
  const appends = sentTo(cluster, 2n, MessageType.APP);
  assert.equal(appends.length, 1);
  assert.deepEqual(
    appends[0]?.entries.map(({ data }) => utf8Text(data)),
    ["a", "b", "c"],
  );
  assert.equal(leader.durableTerm(leader.node.lastIndex), undefined, "our own disk has not answered");
});

test("section 5.3: an entry is committed and applied everywhere once a majority holds it", () => {
  const cluster = new TestCluster({ voters: FIVE });
  cluster.elect(1n);
  cluster.isolate(4n, 5n);
  cluster.propose(1n, "a");
  cluster.settle();
  assert.deepEqual(cluster.member(1n).texts, ["a"]);
  assert.deepEqual(cluster.member(3n).texts, ["a"], "the commit index follows without waiting for a heartbeat");
  cluster.isolate(3n, 4n, 5n);
  cluster.propose(1n, "b");
  cluster.settle();
  assert.deepEqual(cluster.member(1n).texts, ["a"]);
  cluster.heal();
  cluster.pass(3);
  for (const member of cluster.members) assert.deepEqual(member.texts, ["a", "b"]);
});

test("a quorum may commit without the leader's own disk, which applies only once it has answered", () => {
  const cluster = new TestCluster({ voters: THREE });
  const leader = cluster.elect(1n);
  cluster.propose(1n, "a");
  cluster.take(leader);
  for (const one of cluster.network.splice(0)) cluster.deliver(one);
  for (const id of [2n, 3n]) {
    cluster.take(cluster.member(id));
    cluster.persist(cluster.member(id));
  }
  for (const one of cluster.network.splice(0)) cluster.deliver(one);
  assert.equal(leader.node.commitIndex, 2);
  cluster.take(leader);
  assert.deepEqual(leader.texts, []);
  cluster.persist(leader);
  cluster.take(leader);
  assert.deepEqual(leader.texts, ["a"]);
});

test("a follower acknowledges an append only after its sync", () => {
  const cluster = new TestCluster({ voters: THREE });
  const leader = cluster.elect(1n);
  cluster.propose(1n, "a");
  cluster.take(leader);
  for (const one of cluster.network.splice(0)) cluster.deliver(one);
  const follower = cluster.member(2n);
  cluster.sent.length = 0;
  cluster.take(follower);
  assert.deepEqual(cluster.sent, []);
  cluster.persist(follower);
  assert.deepEqual(
    cluster.sent.map(({ type, index }) => [type, index]),
    [[MessageType.APP_RESP, 2]],
  );
});

test("a stalled disk delays neither heartbeats nor the answers to them", () => {
  const cluster = new TestCluster({ voters: THREE });
  const leader = cluster.elect(1n);
  const follower = cluster.member(2n);
  cluster.propose(1n, "a");
  cluster.take(leader);
  for (const one of cluster.network.splice(0)) cluster.deliver(one);
  cluster.take(follower);
  cluster.sent.length = 0;
  cluster.tick(leader);
  cluster.take(leader);
  assert.equal(leader.pending.length, 2);
  const heartbeat = sentTo(cluster, 2n, MessageType.HEARTBEAT)[0];
  assert.ok(heartbeat);
  cluster.deliver(heartbeat);
  cluster.take(follower);
  assert.equal(follower.pending.length, 2);
  assert.equal(sentTo(cluster, 1n, MessageType.HEARTBEAT_RESP).length, 1);
  assert.equal(sentTo(cluster, 1n, MessageType.APP_RESP).length, 0);
});

test("section 5.3: a follower refuses what does not follow its log, and says where they may meet", () => {
  // [log terms], append after index/term -> refused?, hint index, hint term
  const cases: [ours: number[], index: number, logTerm: number, hint: [number, number] | undefined][] = [
    [[1, 2], 0, 0, undefined],
    [[1, 2], 1, 1, undefined],
    [[1, 2], 2, 2, undefined],
    [[1, 2], 1, 2, [1, 1]],
    [[1, 2], 3, 3, [2, 2]],
    [[1, 1, 1, 4, 4], 5, 3, [3, 1]],
    [[2, 2, 5, 5, 6, 6], 6, 1, [0, 0]],
    [[1, 3, 3, 4, 4, 5, 5, 5, 6], 8, 3, [3, 3]],
  ];
  for (const [ours, index, logTerm, hint] of cases) {
    const cluster = new TestCluster({ voters: THREE });
    cluster.seed(1n, ours);
    cluster.filter = () => false;
    cluster.deliver(message(MessageType.APP, { from: 2n, term: 9, index, logTerm }));
    cluster.settle();
    const answer = cluster.sent[0];
    assert.equal(answer?.reject, hint !== undefined, `${ours} after ${index} of term ${logTerm}`);
    assert.equal(answer?.index, index);
    if (hint !== undefined) assert.deepEqual([answer?.rejectHint, answer?.logTerm], hint);
  }
});

test("section 5.3: a follower replaces what conflicts and keeps what it has", () => {
  const cases: [index: number, logTerm: number, entries: Entry[], log: number[], written: number][] = [
    [2, 2, [entry(3, 3)], [1, 2, 3], 1],
    [1, 1, [entry(2, 3), entry(3, 4)], [1, 3, 4], 2],
    [0, 0, [entry(1, 1)], [1, 2], 0],
    [0, 0, [entry(1, 3)], [3], 1],
    [0, 0, [entry(1, 1), entry(2, 2), entry(3, 3)], [1, 2, 3], 1],
  ];
  for (const [index, logTerm, entries, log, written] of cases) {
    const cluster = new TestCluster({ voters: THREE });
    cluster.seed(1n, [1, 2]);
    cluster.filter = () => false;
    cluster.deliver(message(MessageType.APP, { from: 2n, term: 5, index, logTerm, entries }));
    const ready = cluster.node(1n).ready();
    assert.equal(ready.entries.length, written);
    assert.deepEqual(terms(cluster, 1n), log);
  }
});

test("section 5.3: an old append that comes late does not cut off newer entries", () => {
  const cluster = new TestCluster({ voters: THREE });
  const leader = cluster.elect(1n);
  cluster.propose(1n, "a");
  cluster.take(leader);
  const old = cluster.network.find(({ to }) => to === 2n) as Message;
  cluster.settle();
  cluster.propose(1n, "b");
  cluster.settle();
  cluster.deliver(old);
  cluster.settle();
  assert.equal(cluster.node(2n).lastIndex, 3);
});

test("section 5.3: entries that do not follow one another, or have a term from the future, are passed over", () => {
  const bad: Entry[][] = [
    [entry(2, 1), entry(4, 1)],
    [entry(3, 1)],
    [entry(2, 9)],
    [entry(2, 5), entry(3, 4)],
    [entry(Number.MAX_SAFE_INTEGER, 5)],
  ];
  for (const entries of bad) {
    const cluster = new TestCluster({ voters: THREE });
    cluster.seed(1n, [1]);
    cluster.deliver(message(MessageType.APP, { from: 2n, term: 5, index: 1, logTerm: 1, entries }));
    assert.equal(cluster.node(1n).lastIndex, 1);
  }
});

test("figure 7: a leader brings every log in line with its own", () => {
  const leaderLog = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  const logs = [
    [1, 1, 1, 4, 4, 5, 5, 6, 6],
    [1, 1, 1, 4],
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    [1, 1, 1, 4, 4, 4, 4],
    [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  ];
  for (const log of logs) {
    const cluster = new TestCluster({ voters: THREE });
    cluster.seed(1n, leaderLog, { term: 8 });
    cluster.seed(2n, log);
    cluster.elect(1n);
    cluster.pass(2);
    const term = cluster.node(1n).term;
    assert.deepEqual(terms(cluster, 2n), [...leaderLog, term], `from ${log}`);
  }
});

test("section 5.3: an append raises the commit index to its own last entry at most, for the rest may not be the leader's", () => {
  const cluster = new TestCluster({ voters: THREE });
  cluster.seed(1n, [1, 1, 2]);
  cluster.node(1n).step(message(MessageType.APP, { from: 2n, term: 5, index: 1, logTerm: 1, commit: 3 }));
  assert.equal(cluster.node(1n).commitIndex, 1);
  const entries = [entry(2, 1)];
  cluster.node(1n).step(message(MessageType.APP, { from: 2n, term: 5, index: 1, logTerm: 1, entries, commit: 3 }));
  assert.equal(cluster.node(1n).commitIndex, 2);
});

test("an append behind what is committed is answered with the commit index, even where the log is compacted", () => {
  const cluster = new TestCluster({ voters: THREE });
  cluster.elect(1n);
  for (const text of ["a", "b", "c"]) cluster.propose(1n, text);
  cluster.settle();
  cluster.member(2n).compact();
  cluster.sent.length = 0;
  cluster.filter = () => false;
  const entries = [entry(2, 1, "a")];
  cluster.deliver(message(MessageType.APP, { to: 2n, from: 1n, term: 1, index: 1, logTerm: 1, entries }));
  cluster.settle();
  assert.deepEqual(
    cluster.sent.map(({ type, reject, index }) => [type, reject, index]),
    [[MessageType.APP_RESP, false, 4]],
  );
});

test("section 5.3: a long diverging tail costs one probe a term, not one an entry", () => {
  const cluster = new TestCluster({ voters: THREE });
  cluster.seed(1n, [...Array(50).fill(1), ...Array(50).fill(4)], { term: 6 });
  cluster.seed(2n, [...Array(50).fill(1), ...Array(25).fill(2), ...Array(60).fill(3)]);
  cluster.isolate(2n);
  cluster.elect(1n);
  cluster.heal();
  cluster.sent.length = 0;
  cluster.pass(3);
  assert.ok(sentTo(cluster, 1n, MessageType.APP_RESP).filter(({ reject }) => reject).length <= 3);
  assert.deepEqual(terms(cluster, 2n), terms(cluster, 1n));
});

test("section 5.4.2: entries of an earlier term are committed only with one of the own term", () => {
  const cluster = new TestCluster({ voters: THREE });
  for (const id of THREE) cluster.seed(id, [1, 2], { term: 2 });
  // Elected, but its own first entry reaches nobody.
  cluster.filter = ({ type }) => type !== MessageType.APP;
  const leader = cluster.elect(1n);
  for (const from of [2n, 3n]) {
    cluster.deliver(message(MessageType.APP_RESP, { from, term: leader.node.term, index: 2 }));
  }
  assert.equal(leader.node.commitIndex, 0);
  cluster.filter = () => true;
  cluster.pass(2);
  assert.equal(leader.node.commitIndex, 3);
});

test("section 5.4.2: a leader that only now reaches a majority commits what came before with it", () => {
  const cluster = new TestCluster({ voters: FIVE });
  cluster.elect(1n);
  cluster.isolate(1n, 2n);
  cluster.propose(1n, "lost");
  cluster.settle();
  cluster.heal();
  cluster.isolate(1n);
  cluster.pass(30);
  const leader = cluster.leader();
  assert.ok(leader);
  cluster.heal();
  cluster.propose(leader.id, "won");
  cluster.pass(3);
  const logs = FIVE.map((id) => cluster.member(id).texts.join());
  assert.equal(new Set(logs).size, 1);
  assert.ok(logs[0]?.endsWith("won"));
});

test("a proposal made to a follower reaches the leader, those of one turn in one message", () => {
  const cluster = new TestCluster({ voters: THREE });
  cluster.elect(1n);
  cluster.sent.length = 0;
  assert.equal(cluster.propose(2n, "a"), true);
  assert.equal(cluster.propose(2n, "b"), true);
  cluster.settle();
  assert.equal(sentTo(cluster, 1n, MessageType.PROP).length, 1);
  for (const member of cluster.members) assert.deepEqual(member.texts, ["a", "b"]);
});

test("a proposal without a leader is dropped", () => {
  const cluster = new TestCluster({ voters: THREE });
  assert.equal(cluster.propose(1n, "a"), false);
  cluster.isolate(1n);
  cluster.node(1n).campaign();
  cluster.settle();
  assert.equal(cluster.propose(1n, "a"), false);
});

test("an append holds at most maxMessageBytes of entries, but at least one", () => {
  const cluster = new TestCluster({ voters: [1n, 2n], raft: { maxMessageBytes: 300 } });
  cluster.elect(1n);
  cluster.sent.length = 0;
  for (let at = 0; at < 5; at++) cluster.propose(1n, "x".repeat(100));
  cluster.propose(1n, "y".repeat(1000));
  cluster.settle();
  assert.deepEqual(appendsTo(cluster, 2n), [2, 2, 1, 1]);
  assert.equal(cluster.member(2n).texts.length, 6);
});

// Flow control

test("a probed follower gets one append at a time", () => {
  const cluster = new TestCluster({ voters: THREE });
  cluster.elect(1n);
  cluster.isolate(2n);
  cluster.node(1n).reportUnreachable(2n);
  assert.equal(cluster.node(1n).status().progress[1]?.state, "probe");
  cluster.sent.length = 0;
  for (const text of ["a", "b", "c"]) {
    cluster.propose(1n, text);
    cluster.settle();
  }
  assert.equal(sentTo(cluster, 2n, MessageType.APP).length, 1);
  cluster.heal();
  cluster.pass(1);
  assert.equal(cluster.node(1n).status().progress[1]?.state, "replicate");
  assert.deepEqual(cluster.member(2n).texts, ["a", "b", "c"]);
});

test("a full window holds appends back; a heartbeat finds out that they were lost", () => {
  const cluster = new TestCluster({ voters: THREE, raft: { inflightMax: 3 } });
  cluster.elect(1n);
  cluster.isolate(2n);
  cluster.sent.length = 0;
  for (let at = 0; at < 10; at++) {
    cluster.propose(1n, `${at}`);
    cluster.settle();
  }
  assert.deepEqual(appendsTo(cluster, 2n), [1, 1, 1]);
  assert.equal(cluster.node(1n).status().progress[1]?.isPaused, true);
  cluster.heal();
  cluster.pass(2);
  assert.equal(cluster.member(2n).texts.length, 10);
  assert.equal(cluster.node(1n).status().progress[1]?.inflight, 0);
});

test("a window bounded in bytes holds back large appends", () => {
  const cluster = new TestCluster({ voters: [1n, 2n, 3n], raft: { inflightBytesMax: 1000 } });
  cluster.elect(1n);
  cluster.isolate(2n);
  cluster.sent.length = 0;
  for (let at = 0; at < 5; at++) {
    cluster.propose(1n, "x".repeat(600));
    cluster.settle();
  }
  assert.deepEqual(appendsTo(cluster, 2n), [1, 1]);
});

test("a follower that comes back after everything in flight was lost is brought level", () => {
  const cluster = new TestCluster({ voters: THREE });
  cluster.elect(1n);
  cluster.isolate(3n);
  for (let at = 0; at < 20; at++) {
    cluster.propose(1n, `${at}`);
    cluster.settle();
  }
  cluster.heal();
  cluster.pass(2);
  assert.equal(cluster.member(3n).texts.length, 20);
});

test("a leader without a quorum drops proposals at its bound", () => {
  const cluster = new TestCluster({ voters: THREE, raft: { uncommittedBytesMax: 2000, checkQuorum: false } });
  cluster.elect(1n);
  cluster.isolate(1n);
  let accepted = 0;
  while (accepted < 100 && cluster.propose(1n, "x".repeat(100))) accepted++;
  assert.ok(accepted >= 10 && accepted <= 20, `${accepted} accepted`);
  cluster.heal();
  cluster.pass(2);
  assert.equal(cluster.propose(1n, "after"), true);
});

// Snapshots, section 7

test("section 7: a follower behind the compacted log gets a snapshot and then the rest", () => {
  const cluster = new TestCluster({ voters: THREE });
  const leader = cluster.elect(1n);
  cluster.isolate(3n);
  for (let at = 0; at < 10; at++) cluster.propose(1n, `${at}`);
  cluster.settle();
  leader.compact();
  assert.equal(leader.node.status().firstIndex, 12);
  cluster.propose(1n, "after");
  cluster.settle();
  cluster.heal();
  cluster.pass(3);
  assert.equal(sentTo(cluster, 3n, MessageType.SNAP).length, 1);
  cluster.propose(1n, "last");
  cluster.settle();
  assert.deepEqual(cluster.member(3n).texts, ["last"], "what the snapshot holds is not applied again");
  assert.equal(cluster.member(3n).state.digest, leader.state.digest);
  assert.equal(leader.node.status().progress[2]?.state, "replicate");
  assert.equal(cluster.node(3n).status().firstIndex, 13, "the snapshot sent is of the state as it was then");
});

test("section 7: appends wait while a snapshot is under way; a failed one is sent again", () => {
  const cluster = new TestCluster({ voters: THREE });
  const leader = cluster.elect(1n);
  cluster.isolate(3n);
  cluster.propose(1n, "a");
  cluster.settle();
  leader.compact();
  cluster.heal();
  cluster.filter = ({ type }) => type !== MessageType.SNAP;
  cluster.pass(2);
  assert.equal(leader.node.status().progress[2]?.state, "snapshot");
  cluster.propose(1n, "b");
  cluster.pass(5);
  assert.equal(sentTo(cluster, 3n, MessageType.SNAP).length, 1);
  leader.node.reportSnapshot(3n, false);
  assert.equal(leader.node.status().progress[2]?.state, "probe");
  cluster.filter = () => true;
  cluster.pass(3);
  assert.equal(sentTo(cluster, 3n, MessageType.SNAP).length, 2);
  assert.equal(cluster.member(3n).state.digest, leader.state.digest);
});

test("section 7: no snapshot is made for a member that is not heard of", () => {
  const cluster = new TestCluster({ voters: THREE });
  const leader = cluster.elect(1n);
  cluster.isolate(3n);
  cluster.pass(25);
  cluster.propose(1n, "a");
  cluster.settle();
  leader.compact();
  leader.node.reportUnreachable(3n);
  cluster.propose(1n, "b");
  cluster.pass(5);
  assert.equal(sentTo(cluster, 3n, MessageType.SNAP).length, 0);
  cluster.heal();
  cluster.pass(3);
  assert.equal(sentTo(cluster, 3n, MessageType.SNAP).length, 1);
});

test("section 7: a snapshot is not acknowledged before it is on disk, and nobody campaigns meanwhile", () => {
  const cluster = new TestCluster({ voters: THREE });
  const leader = cluster.elect(1n);
  cluster.isolate(3n);
  cluster.propose(1n, "a");
  cluster.settle();
  leader.compact();
  cluster.heal();
  const follower = cluster.member(3n);
  cluster.filter = ({ type }) => type !== MessageType.SNAP;
  cluster.pass(2);
  cluster.deliver(sentTo(cluster, 3n, MessageType.SNAP)[0] as Message);
  cluster.sent.length = 0;
  cluster.take(follower);
  follower.node.campaign();
  assert.equal(follower.node.role, "follower");
  assert.deepEqual(sentTo(cluster, 1n, MessageType.APP_RESP), []);
  cluster.persist(follower);
  assert.deepEqual(
    sentTo(cluster, 1n, MessageType.APP_RESP).map(({ index }) => index),
    [3 - 1],
  );
  assert.equal(follower.node.appliedIndex, 2);
});

test("section 7: an old snapshot, and one of what the log holds already, replace nothing", () => {
  const cluster = new TestCluster({ voters: THREE });
  const leader = cluster.elect(1n);
  for (const text of ["a", "b"]) cluster.propose(1n, text);
  cluster.settle();
  leader.compact();
  const snapshot = leader.storage.snapshot;
  const before = cluster.node(2n).status();
  cluster.node(2n).step(message(MessageType.SNAP, { to: 2n, from: 1n, term: leader.node.term, snapshot }));
  cluster.settle();
  assert.equal(cluster.node(2n).status().firstIndex, before.firstIndex);

  // A follower that holds the entries but does not know that they are committed.
  const other = new TestCluster({ voters: THREE });
  other.seed(1n, [1, 1, 1]);
  const metadata = { index: 2, term: 1, confState: other.node(1n).confState };
  other.filter = () => false;
  other.node(1n).step(message(MessageType.SNAP, { from: 2n, term: 1, snapshot: { data: EMPTY_BYTES, metadata } }));
  assert.equal(other.node(1n).commitIndex, 2);
  assert.equal(other.node(1n).ready().snapshot, undefined);
});

test("section 7: a snapshot of a configuration without us is passed over", () => {
  const cluster = new TestCluster({ voters: THREE });
  const confState = { voters: [2n, 3n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const snapshot = { data: EMPTY_BYTES, metadata: { index: 9, term: 1, confState } };
  cluster.node(1n).step(message(MessageType.SNAP, { from: 2n, term: 1, snapshot }));
  assert.equal(cluster.node(1n).status().lastIndex, 0);
});

// Membership

test("a change of the configuration that is applied after a newer snapshot has come does not change that one's", () => {
  const old = { ...emptyConfState(), voters: THREE };
  const node = new RawNode({
    id: 3n,
    storage: new LogStorage(),
    applied: 0,
    confState: old,
    electionTicks: 10,
    heartbeatTicks: 1,
    preVote: true,
    checkQuorum: true,
    maxMessageBytes: 1024,
    inflightMax: 4,
    random: () => 0,
  });
  const change = { id: 0n, type: ConfChangeType.ADD_LEARNER_NODE, nodeId: 4n, context: EMPTY_BYTES };
  const entries = [{ type: EntryType.CONF_CHANGE, term: 1, index: 1, data: ConfChange.encode(change) }];
  node.step(message(MessageType.APP, { to: 3n, from: 1n, term: 1, entries, commit: 1 }));
  node.persisted(node.ready());
  const late = node.ready();
  assert.equal(late.committedEntries.length, 1);
  // Before it is applied: 4 has been promoted.
  const confState = { ...old, voters: [1n, 2n, 3n, 4n] };
  const snapshot = { data: EMPTY_BYTES, metadata: { index: 9, term: 1, confState } };
  node.step(message(MessageType.SNAP, { to: 3n, from: 1n, term: 1, snapshot }));
  assert.deepEqual(node.applyConfChange(change).learners, [4n]);
  node.appliedTo(1);
  const ready = node.ready();
  assert.equal(ready.snapshot, snapshot);
  node.persisted(late);
  node.persisted(ready);
  assert.deepEqual(node.confState, confState);
});

test("a learner is sent everything and never counts", () => {
  const cluster = new TestCluster({ voters: [1n, 2n], learners: [3n] });
  cluster.elect(1n);
  cluster.propose(1n, "a");
  cluster.settle();
  assert.deepEqual(cluster.member(3n).texts, ["a"]);
  cluster.isolate(2n);
  cluster.propose(1n, "b");
  cluster.settle();
  assert.deepEqual(cluster.member(1n).texts, ["a"], "one voter and a learner are no majority of two voters");
});

test("a member is added as a learner, catches up, is promoted and counts from then on", () => {
  const cluster = new TestCluster({ voters: [1n], spare: [2n] });
  cluster.elect(1n);
  cluster.propose(1n, "a");
  cluster.settle();
  const change = (type: number) => ConfChange.create({ type, nodeId: 2n });
  assert.equal(cluster.change(1n, change(ConfChangeType.ADD_LEARNER_NODE)), true);
  cluster.pass(2);
  assert.deepEqual(cluster.member(2n).texts, ["a"]);
  assert.deepEqual(cluster.node(2n).confState.learners, [2n]);
  assert.equal(cluster.change(1n, change(ConfChangeType.ADD_NODE)), true);
  cluster.pass(2);
  assert.deepEqual(cluster.node(2n).confState.voters, [1n, 2n]);
  cluster.isolate(2n);
  cluster.propose(1n, "b");
  cluster.settle();
  assert.deepEqual(cluster.member(1n).texts, ["a"]);
});

test("when the configuration shrinks, what the smaller quorum holds is committed at once", () => {
  const cluster = new TestCluster({ voters: [1n, 2n, 3n, 4n] });
  cluster.elect(1n);
  cluster.isolate(3n);
  // 4 helps to commit its removal, entry 2, and never sees entry 3: that one is held by 1 and 2.
  cluster.filter = ({ to, entries }) => to !== 4n || entries.every(({ index }) => index < 3);
  cluster.change(1n, ConfChange.create({ type: ConfChangeType.REMOVE_NODE, nodeId: 4n }));
  cluster.take(cluster.member(1n));
  cluster.propose(1n, "a");
  cluster.settle();
  assert.deepEqual(cluster.node(1n).confState.voters, [1n, 2n, 3n]);
  assert.deepEqual(cluster.member(1n).texts, ["a"], "two of three hold it");
});

test("a new leader proposes no change of the configuration while one of its log may be unapplied", () => {
  const cluster = new TestCluster({ voters: THREE });
  const change = (nodeId: bigint) => ConfChange.create({ type: ConfChangeType.ADD_LEARNER_NODE, nodeId });
  cluster.elect(1n);
  cluster.filter = ({ type }) => type !== MessageType.APP_RESP;
  cluster.change(1n, change(4n));
  cluster.settle();
  cluster.isolate(1n);
  cluster.pass(13);
  const leader = cluster.members.find(({ id, node }) => id !== 1n && node.isLeader);
  assert.ok(leader);
  assert.equal(leader.node.lastIndex, 3, "it has the change of the first leader and its own first entry");
  assert.equal(cluster.change(leader.id, change(5n)), false);
  cluster.filter = () => true;
  cluster.pass(2);
  assert.deepEqual(leader.node.confState.learners, [4n]);
  assert.equal(cluster.change(leader.id, change(5n)), true);
});

test("a leader that is removed goes on until it is stopped, or steps down where that is asked for", () => {
  for (const stepDownOnRemoval of [false, true]) {
    const cluster = new TestCluster({ voters: THREE, raft: { stepDownOnRemoval } });
    const leader = cluster.elect(1n);
    cluster.change(1n, ConfChange.create({ type: ConfChangeType.REMOVE_NODE, nodeId: 1n }));
    cluster.settle();
    assert.equal(leader.node.role, stepDownOnRemoval ? "follower" : "leader");
    assert.equal(cluster.propose(1n, "a"), false);
    cluster.isolate(1n);
    cluster.pass(40);
    const next = cluster.members.find(({ id, node }) => id !== 1n && node.isLeader);
    assert.ok(next);
    cluster.propose(next.id, "b");
    cluster.settle();
    assert.deepEqual(next.texts, ["b"]);
  }
});

test("a change passed on by a follower is refused as an empty entry when another is unapplied", () => {
  const cluster = new TestCluster({ voters: THREE });
  const leader = cluster.elect(1n);
  const change = (nodeId: bigint) => ConfChange.create({ type: ConfChangeType.ADD_LEARNER_NODE, nodeId });
  cluster.change(2n, change(4n));
  cluster.change(3n, change(5n));
  cluster.settle();
  assert.equal(leader.node.confState.learners.length, 1);
  assert.equal(leader.node.lastIndex, 3);
});

test("a joint configuration is entered, needs both majorities and is left by itself", () => {
  const cluster = new TestCluster({ voters: THREE, spare: [4n, 5n] });
  const leader = cluster.elect(1n);
  const changes = [
    { type: ConfChangeType.ADD_NODE, nodeId: 4n },
    { type: ConfChangeType.ADD_NODE, nodeId: 5n },
    { type: ConfChangeType.REMOVE_NODE, nodeId: 2n },
    { type: ConfChangeType.REMOVE_NODE, nodeId: 3n },
  ];
  assert.equal(cluster.change(1n, { transition: 0, changes, context: EMPTY_BYTES }), true);
  cluster.isolate(4n, 5n);
  cluster.settle();
  assert.deepEqual(leader.node.confState.votersOutgoing, THREE);
  assert.deepEqual(leader.node.confState.voters, [1n, 4n, 5n]);
  const { commitIndex } = leader.node;
  cluster.propose(1n, "a");
  cluster.settle();
  assert.equal(leader.node.commitIndex, commitIndex, "the incoming half has no majority");
  cluster.heal();
  cluster.pass(3);
  assert.deepEqual(leader.node.confState, {
    voters: [1n, 4n, 5n],
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  });
  assert.deepEqual(cluster.member(5n).texts, ["a"]);
});

// Disks

test("entries that go and come back while they are written are durable only with the last write", () => {
  const cluster = new TestCluster({ voters: THREE });
  const member = cluster.member(1n);
  const append = (term: number, entries: Entry[], commit = 0) =>
    cluster.deliver(message(MessageType.APP, { from: 2n, term, index: 0, logTerm: 0, entries, commit }));
  append(2, [entry(1, 1, "x")]);
  cluster.take(member);
  append(3, [entry(1, 3, "y")]);
  cluster.take(member);
  append(4, [entry(1, 1, "x")]);
  cluster.take(member);
  cluster.filter = () => false;
  for (let writes = 1; writes <= 3; writes++) {
    cluster.persist(member);
    const { stableIndex } = member.node.status();
    assert.equal(stableIndex, writes === 3 ? 1 : 0, `after ${writes} writes`);
  }
});

test("a member whose disk was wiped stops rather than answer for what it has lost", () => {
  const cluster = new TestCluster({ voters: THREE });
  cluster.elect(1n);
  cluster.propose(1n, "a");
  cluster.settle();
  const heartbeat = message(MessageType.HEARTBEAT, { to: 2n, from: 1n, term: 1, commit: 2 });
  const wiped = new TestCluster({ voters: THREE });
  assert.throws(() => wiped.node(2n).step(heartbeat), AssertionFailure);
});
