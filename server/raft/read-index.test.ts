import assert from "node:assert/strict";
import { test } from "node:test";
import { TestCluster } from "../../test/support/raft-cluster.ts";
import { type ConfState, type Message, MessageType } from "../proto/raftpb.ts";
import { emptyConfState } from "./conf-change.ts";
import { ReadQueue } from "./read-index.ts";

const THREE = [1n, 2n, 3n];
const config: ConfState = { ...emptyConfState(), voters: THREE };
const context = new Uint8Array(8);

test("a read is confirmed by a quorum that answered a heartbeat sent after it was asked", () => {
  const reads = new ReadQueue();
  reads.add({ from: 1n, index: 5, context }, 1n);
  const first = reads.heartbeatContext();
  reads.add({ from: 1n, index: 6, context }, 1n);
  const second = reads.heartbeatContext();
  assert.deepEqual([...first], [1, 0, 0, 0, 0, 0, 0, 0], "little-endian, as etcd 3.7 sends it");
  assert.deepEqual(reads.takeConfirmed(config), []);
  reads.acknowledge(2n, first);
  assert.deepEqual(
    reads.takeConfirmed(config).map(({ index }) => index),
    [5],
  );
  reads.acknowledge(3n, first);
  assert.deepEqual(
    reads.takeConfirmed(config),
    [],
    "an answer to the earlier heartbeat says nothing of the later read",
  );
  reads.acknowledge(3n, second);
  assert.deepEqual(
    reads.takeConfirmed(config).map(({ index }) => index),
    [6],
  );
  assert.equal(reads.heartbeatContext().length, 0);
});

test("one answer confirms all reads before it, and answers may come twice or out of order", () => {
  const reads = new ReadQueue();
  for (const index of [1, 2, 3]) reads.add({ from: 1n, index, context }, 1n);
  const last = reads.heartbeatContext();
  reads.acknowledge(2n, last);
  reads.acknowledge(2n, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
  assert.deepEqual(
    reads.takeConfirmed(config).map(({ index }) => index),
    [1, 2, 3],
  );
  reads.acknowledge(2n, last);
  assert.deepEqual(reads.takeConfirmed(config), []);
});

test("bytes that are no position confirm nothing", () => {
  const reads = new ReadQueue();
  reads.add({ from: 1n, index: 1, context }, 1n);
  for (const bytes of [new Uint8Array(0), new Uint8Array(8), new Uint8Array(8).fill(255), Uint8Array.of(1)]) {
    reads.acknowledge(2n, bytes);
  }
  assert.deepEqual(reads.takeConfirmed(config), []);
});

test("in a joint configuration both halves must confirm", () => {
  const reads = new ReadQueue();
  const joint = { ...config, votersOutgoing: [1n, 4n, 5n] };
  reads.add({ from: 1n, index: 1, context }, 1n);
  const position = reads.heartbeatContext();
  reads.acknowledge(2n, position);
  assert.deepEqual(reads.takeConfirmed(joint), []);
  reads.acknowledge(4n, position);
  assert.equal(reads.takeConfirmed(joint).length, 1);
});

test("thesis section 6.4: reads of leader, follower and learner are answered with the commit index", () => {
  const cluster = new TestCluster({ voters: [1n, 2n], learners: [3n] });
  cluster.elect(1n);
  cluster.propose(1n, "a");
  cluster.settle();
  for (const id of [1n, 2n, 3n]) {
    assert.equal(cluster.ask(id, 40n + id), true);
    cluster.settle();
    assert.deepEqual(cluster.member(id).reads, [{ index: 2, context: 40n + id }]);
  }
});

test("reads of one turn share one round of heartbeats", () => {
  const cluster = new TestCluster({ voters: THREE });
  cluster.elect(1n);
  cluster.sent.length = 0;
  for (let at = 0n; at < 50n; at++) cluster.ask(1n, at);
  cluster.settle();
  assert.equal(cluster.sent.filter(({ type }) => type === MessageType.HEARTBEAT).length, 2);
  assert.equal(cluster.member(1n).reads.length, 50);
});

test("a leader that nobody confirms answers no read", () => {
  const cluster = new TestCluster({ voters: THREE });
  cluster.elect(1n);
  cluster.isolate(1n);
  assert.equal(cluster.ask(1n, 1n), true);
  cluster.settle();
  cluster.pass(5);
  assert.deepEqual(cluster.member(1n).reads, []);
  cluster.heal();
  cluster.pass(1);
  assert.deepEqual(cluster.member(1n).reads.length, 1, "the next round of heartbeats asks again");
});

test("a leader deposed without knowing it answers no read with an old index", () => {
  const cluster = new TestCluster({ voters: THREE });
  cluster.elect(1n);
  cluster.isolate(1n);
  cluster.pass(12);
  const next = [2n, 3n].find((id) => cluster.node(id).isLeader) ?? 0n;
  assert.notEqual(next, 0n);
  cluster.propose(next, "new");
  cluster.settle();
  if (cluster.node(1n).isLeader) cluster.ask(1n, 1n);
  cluster.heal();
  cluster.pass(3);
  assert.deepEqual(cluster.member(1n).reads, []);
});

test("a new leader keeps reads back until it has committed in its own term", () => {
  const cluster = new TestCluster({ voters: THREE });
  cluster.elect(1n);
  cluster.propose(1n, "a");
  // Committed by 1, and not yet known to 2 and 3.
  cluster.filter = ({ type, commit }) => type !== MessageType.APP || commit < 2;
  cluster.settle();
  assert.equal(cluster.node(1n).commitIndex, 2);
  cluster.isolate(1n);
  cluster.filter = ({ type }) => type !== MessageType.APP;
  cluster.pass(30);
  const next = [2n, 3n].find((id) => cluster.node(id).isLeader) ?? 0n;
  assert.equal(cluster.node(next).commitIndex, 1);
  assert.equal(cluster.ask(next, 7n), true);
  cluster.settle();
  assert.deepEqual(cluster.member(next).reads, []);
  cluster.filter = () => true;
  cluster.pass(3);
  assert.deepEqual(cluster.member(next).reads, [{ index: 3, context: 7n }]);
});

test("a late answer to the heartbeat of one read does not confirm the next", () => {
  const cluster = new TestCluster({ voters: THREE });
  cluster.elect(1n);
  const held: Message[] = [];
  cluster.filter = (message) => {
    if (message.type !== MessageType.HEARTBEAT_RESP) return true;
    held.push(message);
    return false;
  };
  cluster.ask(1n, 1n);
  cluster.settle();
  cluster.ask(1n, 2n);
  cluster.take(cluster.member(1n));
  cluster.network.length = 0;
  for (const answer of [...held, ...held]) cluster.deliver(answer);
  cluster.take(cluster.member(1n));
  assert.deepEqual(
    cluster.member(1n).reads.map((read) => read.context),
    [1n],
  );
});

test("reads that wait are forgotten when leadership is lost", () => {
  const cluster = new TestCluster({ voters: THREE });
  cluster.elect(1n);
  cluster.isolate(1n);
  cluster.ask(1n, 1n);
  cluster.settle();
  cluster.pass(30);
  assert.notEqual(cluster.node(1n).role, "leader");
  cluster.heal();
  cluster.pass(40);
  if (!cluster.node(1n).isLeader) cluster.node(cluster.leader()?.id ?? 0n).transferLeader(1n);
  cluster.pass(3);
  assert.equal(cluster.node(1n).role, "leader");
  assert.deepEqual(cluster.member(1n).reads, []);
});
