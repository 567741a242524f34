import assert from "node:assert/strict";
import { test } from "node:test";
import { compare, deleteRange, put, range, shown, txn } from "../../test/support/apply-state.ts";
import { codeOf, MemberWorld } from "../../test/support/member-world.ts";
import { loadConsistentIndex } from "../apply/consistent-index.ts";
import { EMPTY_BYTES, utf8Bytes, utf8Text } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import {
  AlarmAction,
  AlarmType,
  CompareResult,
  CompareTarget,
  type InternalRequest,
  RangeRequest,
} from "../proto/etcdserverpb.ts";
import { Event } from "../proto/mvccpb.ts";
import type { Member } from "./member.ts";

const ALL = range("\0", "\0").value;

async function keys(world: MemberWorld): Promise<string[]> {
  return (await world.come(Promise.resolve(world.member.range(ALL)))).kvs.map(shown);
}

/** Entries that raft has committed. */
function committed(member: Member): number {
  return member.status().raftIndex;
}

async function hashOf(world: MemberWorld) {
  const { hash, compactRevision } = await world.come(world.member.hashKv(0));
  const { lessor, store } = world.member;
  const leases = lessor
    .leases()
    .map(({ id, remainingTtlSeconds }) => ({ id, remainingTtlSeconds, keys: lessor.keysOf(id) }));
  leases.sort((left, right) => (left.id < right.id ? -1 : 1));
  return { hash, compactRevision, revision: store.currentRevision, leases, alarms: world.member.alarms() };
}

// ---- starting ------------------------------------------------------------------------------------------------------------

test("a new member elects itself, tells its name and URLs, and decides the versions", async () => {
  const world = new MemberWorld();
  const member = world.make();
  assert.equal(member.clusterVersion, "not_decided");
  assert.equal(member.storageVersion, "unknown");
  assert.equal(await world.refusal(member.put(put("a").value)), "NoLeader");
  await world.come(member.start());
  assert.ok(member.isLeader);
  assert.equal(member.leaderId, member.memberId);
  assert.deepEqual([member.clusterVersion, member.storageVersion], ["3.7.0", "3.7.0"]);
  assert.deepEqual(await world.come(member.members(true)), [
    {
      id: member.memberId,
      name: "one",
      peerUrls: ["http://127.0.0.1:2380"],
      clientUrls: ["http://127.0.0.1:2379"],
      isLearner: false,
    },
  ]);
  assert.deepEqual(
    { ...member.header() },
    { clusterId: member.clusterId, memberId: member.memberId, revision: 1, raftTerm: 2 },
  );
});

test("a member that is stopped while it starts says so", async () => {
  const world = new MemberWorld();
  const member = world.make();
  const started = member.start();
  const stopped = member.stop();
  assert.equal(await world.refusal(started), "Stopped");
  await world.come(stopped);
  await world.pass(3_600_000);
  assert.deepEqual(world.fatal, []);
});

test("a restarted member decides no version anew", async () => {
  const world = new MemberWorld();
  await world.come((await world.start()).stop());
  world.kill();
  const before = world.logger.of("info").filter((line) => line === "set cluster version").length;
  await world.start();
  assert.equal(world.logger.of("info").filter((line) => line === "set cluster version").length, before);
});

// ---- requests --------------------------------------------------------------------------------------------------------------

test("what was acknowledged is seen by every read after it", async () => {
  const world = new MemberWorld();
  const member = await world.start();
  assert.equal((await world.come(member.put(put("a", "1").value))).header?.revision, 2);
  assert.deepEqual(await keys(world), ["a=1@2/2/1"]);
  assert.equal((await world.come(member.deleteRange(deleteRange("a").value))).deleted, 1);
  assert.deepEqual(await keys(world), []);
  assert.equal(member.header().revision, 3);
});

test("everything asked for in one turn shares a write of the log", async () => {
  const writes: number[] = [];
  const world = new MemberWorld({ metrics: { walWritten: (bytes) => void writes.push(bytes) } });
  const member = await world.start();
  await world.pass(1000);
  writes.length = 0;
  const puts = Array.from({ length: 20 }, (_, at) => member.put(put(`key ${at}`).value));
  const revisions = (await world.come(Promise.all(puts))).map(({ header }) => header?.revision);
  assert.deepEqual(
    revisions,
    Array.from({ length: 20 }, (_, at) => 2 + at),
  );
  await world.pass(10);
  assert.equal(writes.length, 2, "the entries, and then that they are committed");
});

test("reads, and transactions that only read, add nothing to the log; others do, nested ones too", async () => {
  const world = new MemberWorld();
  const member = await world.start();
  await world.come(member.put(put("a", "1").value));
  const adds = async (ask: () => unknown) => {
    const before = committed(member);
    await world.come(Promise.resolve(ask()));
    await world.pass(10);
    return committed(member) - before;
  };
  const stale = range("a", "", { serializable: true });
  assert.equal(await adds(() => member.range(range("a").value)), 0);
  assert.equal(await adds(() => member.range(stale.value)), 0);
  assert.equal(await adds(() => member.txn(txn({}).value)), 0);
  assert.equal(await adds(() => member.txn(txn({ run: [range("a")], orElse: [stale] }).value)), 0);
  assert.equal(await adds(() => member.txn(txn({ run: [txn({ run: [range("a")] })] }).value)), 1);
  assert.equal(await adds(() => member.txn(txn({ run: [put("a", "2")] }).value)), 1);
});

test("a serializable read is answered at once, also while the log stands still; refusals of it are thrown", async () => {
  const world = new MemberWorld();
  const member = await world.start();
  await world.come(member.put(put("a", "1").value));
  const read = member.range(range("a", "", { serializable: true }).value);
  assert.ok(!(read instanceof Promise));
  assert.throws(() => member.range(range("a", "", { serializable: true, revision: 9 }).value), {
    code: "FutureRevision",
  });
});

test("refusals of apply are those of the call", async () => {
  const world = new MemberWorld();
  const member = await world.start();
  assert.equal(await world.refusal(member.put(put("a", "1", { lease: 9n }).value)), "LeaseNotFound");
  assert.equal(await world.refusal(member.leaseRevoke({ id: 9n })), "LeaseNotFound");
  assert.equal(await world.refusal(member.compact({ revision: 9, physical: true })), "FutureRevision");
  assert.equal(await world.refusal(Promise.resolve(member.range({ ...ALL, revision: 9 }))), "FutureRevision");
});

test("changes go to who watches, each revision once and in order, those of one turn together", async () => {
  const world = new MemberWorld();
  const member = await world.start();
  const stream = member.hub.openStream({ onWritable: () => undefined });
  stream.create({
    key: utf8Bytes("a"),
    rangeEnd: utf8Bytes("\0"),
    startRevision: 0,
    progressNotify: false,
    filters: [],
    prevKv: false,
    watchId: 0,
    fragment: false,
  });
  await world.come(
    Promise.all([
      member.put(put("a", "1").value),
      member.txn(txn({ run: [put("b", "1"), put("c", "1")] }).value),
      member.deleteRange(deleteRange("x").value),
      member.deleteRange(deleteRange("a", "c").value),
    ]),
  );
  await world.come(member.put(put("b", "2").value));
  const revisions: number[] = [];
  const events: string[] = [];
  for (let next = stream.next(); next !== undefined; next = stream.next()) {
    revisions.push(next.revision);
    for (const bytes of next.response.events) {
      const { type, kv } = Event.decode(bytes);
      events.push(`${type} ${utf8Text(kv?.key ?? EMPTY_BYTES)} @${kv?.modRevision}`);
    }
  }
  assert.deepEqual(revisions, [1, 4, 5]);
  assert.deepEqual(events, ["0 a @2", "0 b @3", "0 c @3", "1 a @4", "1 b @4", "0 b @5"]);
  stream.close();
});

// ---- limits ------------------------------------------------------------------------------------------------------------------

test("a request that would be too large for the log is refused at the door; one byte less passes", async () => {
  const world = new MemberWorld({ maxRequestBytes: 10_000 });
  const member = await world.start();
  const before = committed(member);
  let size = 10_000;
  while ((await world.refusal(member.put(put("a", "x".repeat(size)).value))) === "RequestTooLarge") size--;
  await world.pass(10);
  assert.equal(committed(member), before + 1, "those that were refused left no entry");
  assert.ok(size > 9950 && size < 10_000);
});

test("at most so many bytes wait for their answers; what frees space still passes, and so does a lone large one", async () => {
  const world = new MemberWorld({ transitBytes: 10_000 });
  const member = await world.start();
  const large = put("a", "x".repeat(6000)).value;
  const asked = [
    member.put(large),
    member.put(large),
    member.put(put("b", "small").value),
    member.deleteRange(deleteRange("z", "", { rangeEnd: new Uint8Array(6000) }).value),
  ];
  assert.deepEqual(await world.come(Promise.all(asked.map(codeOf))), ["none", "TooManyRequests", "none", "none"]);
  assert.equal(await world.refusal(member.put(put("a", "x".repeat(30_000)).value)), "none");
  assert.equal(await world.refusal(member.put(large)), "none");
});

test("a backlog of more than 5000 entries refuses everything that would add to it, until it is applied", async () => {
  const world = new MemberWorld({ transitBytes: 1e9, backendBatchOperations: 10 });
  const member = await world.start();
  await world.pass(1000);
  world.stall();
  const first = Array.from({ length: 100 }, () => codeOf(member.put(put("a", "1").value)));
  await world.pass(10);
  const more = Array.from({ length: 5100 }, () => codeOf(member.put(put("a", "1").value)));
  await world.pass(10);
  const { raftIndex, raftAppliedIndex } = member.status();
  assert.ok(raftIndex - raftAppliedIndex > 5000);
  assert.equal(await world.refusal(member.put(put("a", "1").value)), "TooManyRequests");
  assert.equal(await world.refusal(member.deleteRange(deleteRange("a").value)), "TooManyRequests");
  world.goOn();
  assert.deepEqual(new Set(await world.come(Promise.all([...first, ...more]))), new Set(["none"]));
  assert.equal(await world.refusal(member.put(put("a", "1").value)), "none");
});

/** A member that applies nothing more until its backend goes on. */
async function stuck(): Promise<MemberWorld> {
  const world = new MemberWorld({ backendBatchOperations: 2 });
  const member = await world.start();
  await world.pass(1000);
  world.stall();
  for (let at = 0; at < 20; at++) {
    void codeOf(member.put(put("stuck", `${at}`).value));
    await world.pass(1);
  }
  return world;
}

test("a request that is not applied in time ends with Timeout, and may still be applied later", async () => {
  const world = await stuck();
  const { member, clock } = world;
  assert.equal(member.requestTimeoutMs, 7000);
  const began = clock.monotonicMs();
  assert.equal(await world.refusal(member.put(put("late", "1").value)), "Timeout");
  assert.ok(clock.monotonicMs() - began >= 7000 && clock.monotonicMs() - began < 7200);
  world.goOn();
  await world.pass(1000);
  assert.ok((await keys(world)).some((key) => key.startsWith("late=1")));
});

test("who is not that patient waits no longer than that, and who is more patient no longer than the member", async () => {
  const world = await stuck();
  const { member, clock } = world;
  const began = clock.monotonicMs();
  const took = async (deadlineMs: number) => {
    assert.equal(await codeOf(member.put(put("a").value, { deadlineMs })), "Timeout");
    return clock.monotonicMs() - began;
  };
  const [short, long] = await world.come(Promise.all([took(began + 1000), took(began + 60_000)]));
  assert.ok(short >= 1000 && short < 1200, `${short} ms`);
  assert.ok(long >= 7000 && long < 7200, `${long} ms`);
});

test("a stop ends everybody who waits with Stopped, and lets nobody in", async () => {
  const world = await stuck();
  const { member } = world;
  const waiting = [
    codeOf(member.put(put("a").value)),
    codeOf(Promise.resolve(member.range(ALL))),
    codeOf(member.txn(txn({ run: [put("a")] }).value)),
    codeOf(member.compact({ revision: 2, physical: true })),
  ];
  await world.pass(1);
  const stopped = member.stop();
  world.goOn();
  assert.deepEqual(await world.come(Promise.all(waiting)), ["Stopped", "Stopped", "Stopped", "Stopped"]);
  assert.equal(await world.refusal(member.put(put("a").value)), "Stopped");
  assert.equal(await world.refusal(member.linearizableRead()), "Stopped");
  await world.come(stopped);
  await world.come(member.stop());
  assert.deepEqual(world.fatal, []);
});

// ---- space ---------------------------------------------------------------------------------------------------------------------

/** What a member takes that was never written. */
async function emptyBytes(): Promise<number> {
  const world = new MemberWorld();
  await world.start();
  return world.backend.sizeInUseBytes();
}

test("at the quota writes are refused and the alarm is raised once, whoever finds out; deletions pass", async () => {
  const world = new MemberWorld({ quotaBytes: (await emptyBytes()) + 5000 });
  const member = await world.start();
  await world.come(member.put(put("a", "x".repeat(4000)).value));
  await world.pass(1000);
  const before = committed(member);
  const refused = [
    member.put(put("b", "x".repeat(1000)).value),
    member.txn(txn({ run: [put("c", "x".repeat(1000))] }).value),
    member.put(put("d", "x".repeat(1000)).value),
  ];
  assert.deepEqual(await world.come(Promise.all(refused.map(codeOf))), ["NoSpace", "NoSpace", "NoSpace"]);
  await world.pass(100);
  assert.deepEqual(
    member.alarms().map(({ memberId, alarm }) => [memberId, alarm]),
    [[member.memberId, AlarmType.NOSPACE]],
  );
  assert.equal(committed(member) - before, 1, "the alarm, and nothing else");
  assert.equal(world.logger.of("warn").filter((line) => line.includes("NOSPACE")).length, 1);
  assert.equal(await world.refusal(member.put(put("f", "1").value)), "NoSpace", "small as it is: the alarm is on");
  assert.equal((await world.come(member.deleteRange(deleteRange("a").value))).deleted, 1);
  assert.equal(await world.refusal(member.txn(txn({ run: [deleteRange("a")] }).value)), "none");
  await world.come(member.compact({ revision: member.header().revision, physical: true }));
  assert.equal(await world.refusal(member.put(put("f", "1").value)), "NoSpace", "until it is disarmed");
  await world.come(
    member.alarm({ action: AlarmAction.DEACTIVATE, memberId: member.memberId, alarm: AlarmType.NOSPACE }),
  );
  assert.equal(await world.refusal(member.put(put("f", "1").value)), "none");
});

test("an alarm that was disarmed while there is still no room is raised again", async () => {
  const world = new MemberWorld({ quotaBytes: 3000 });
  const member = await world.start();
  const large = put("a", "x".repeat(4000)).value;
  for (let round = 0; round < 3; round++) {
    assert.equal(await world.refusal(member.put(large)), "NoSpace");
    await world.pass(100);
    assert.equal(member.alarms().length, 1);
    await world.come(
      member.alarm({ action: AlarmAction.DEACTIVATE, memberId: member.memberId, alarm: AlarmType.NOSPACE }),
    );
    assert.equal(member.alarms().length, 0);
  }
});

test("what was let in and finds no room when it is applied is done, answered with NoSpace, and raises the alarm", async () => {
  const world = new MemberWorld({ quotaBytes: (await emptyBytes()) + 5000 });
  const member = await world.start();
  const writes = ["a", "b", "c"].map((key) => codeOf(member.put(put(key, "x".repeat(2500)).value)));
  assert.deepEqual(await world.come(Promise.all(writes)), ["none", "NoSpace", "NoSpace"]);
  assert.equal(member.header().revision, 4, "all three were done");
  await world.pass(100);
  assert.equal(member.alarms().length, 1);
  assert.equal(world.logger.of("warn").filter((line) => line.includes("raising alarm")).length, 1);
});

test("while the heap is nearly full writes are refused without an alarm, and accepted when there is room again", async () => {
  const world = new MemberWorld();
  const member = await world.start();
  world.heapShare = 0.9;
  await world.pass(200);
  assert.equal(await world.refusal(member.put(put("a").value)), "NoSpace");
  assert.equal(await world.refusal(member.deleteRange(deleteRange("a").value)), "none");
  assert.deepEqual(member.alarms(), []);
  world.heapShare = 0.5;
  await world.pass(200);
  assert.equal(await world.refusal(member.put(put("a").value)), "none");
});

test("a store without room keeps what was acknowledged and goes on when a deletion has made some", async () => {
  const world = new MemberWorld({ maxSizeBytes: 8000 });
  const member = await world.start();
  const acknowledged: string[] = [];
  for (let at = 10; at < 30; at++) {
    const code = await world.refusal(member.put(put(`key ${at}`, "x".repeat(500)).value));
    if (code === "none") acknowledged.push(`key ${at}`);
    await world.pass(30);
  }
  await world.pass(3000);
  assert.deepEqual(member.alarms().length, 1);
  assert.equal(await world.refusal(member.put(put("more", "1").value)), "NoSpace");
  assert.deepEqual(
    (await keys(world)).map((key) => key.slice(0, 6)),
    acknowledged,
  );
  assert.ok(acknowledged.length > 5 && acknowledged.length < 20);
  await world.come(member.deleteRange(deleteRange("key", "l").value));
  await world.come(member.compact({ revision: member.header().revision, physical: true }));
  await world.pass(3000);
  assert.ok(world.backend.sizeInUseBytes() < 8000);
  assert.deepEqual(world.fatal, []);
  assert.equal(world.backend.pendingOperations(), 0);
});

// ---- leases ----------------------------------------------------------------------------------------------------------------------

test("a lease without an id gets a positive one; one that is not renewed ends with its keys", async () => {
  const world = new MemberWorld();
  const member = await world.start();
  const { id, ttl } = await world.come(member.leaseGrant({ id: 0n, ttl: 5 }));
  assert.ok(id > 0n && id < 2n ** 63n);
  assert.equal(ttl, 5);
  await world.come(member.put(put("a", "1", { lease: id }).value));
  await world.pass(4000);
  assert.deepEqual(await keys(world), [`a=1@2/2/1+${id}`]);
  await world.pass(3000);
  assert.deepEqual(await keys(world), []);
  assert.equal(member.lessor.size, 0);
  assert.equal(member.header().revision, 3);
});

test("a renewed lease lives on; one that is not there is not renewed", async () => {
  const world = new MemberWorld();
  const member = await world.start();
  await world.come(member.leaseGrant({ id: 7n, ttl: 5 }));
  for (let round = 0; round < 5; round++) {
    await world.pass(4000);
    assert.equal(await world.come(member.leaseRenew(7n)), 5);
    assert.equal(member.leaseRemainingSeconds(7n), 5);
  }
  assert.equal(await world.refusal(member.leaseRenew(8n)), "LeaseNotFound");
});

test("a lease whose time is up is not renewed: the answer comes when it is gone", async () => {
  const world = new MemberWorld();
  const member = await world.start();
  await world.pass(123);
  await world.come(member.leaseGrant({ id: 7n, ttl: 2 }));
  assert.equal(member.leaseRemainingSeconds(7n), 2);
  await world.pass(2001);
  assert.equal(member.leaseRemainingSeconds(7n), 0, "it waits for its end");
  assert.equal(await world.refusal(member.leaseRenew(7n)), "LeaseNotFound");
  assert.equal(member.lessor.lookup(7n), undefined);
});

test("a renewed lease has its full time for the next leader too", async () => {
  const world = new MemberWorld({ leaseCheckpoints: true });
  const member = await world.start();
  await world.come(member.leaseGrant({ id: 7n, ttl: 1000 }));
  await world.pass(310_000);
  assert.ok((member.lessor.lookup(7n)?.remainingTtlSeconds ?? 0) > 0);
  const before = committed(member);
  assert.equal(await world.come(member.leaseRenew(7n)), 1000);
  assert.equal(member.lessor.lookup(7n)?.remainingTtlSeconds, 0);
  assert.equal(await world.come(member.leaseRenew(7n)), 1000);
  assert.equal(committed(member) - before, 1, "it is told once");
});

// ---- compaction, hashes, upkeep ----------------------------------------------------------------------------------------------------

test("a physical compaction answers when what it deleted is durable, another one at once", async () => {
  const world = new MemberWorld({ compactionBatchRevisions: 2, compactionSleepMs: 10 });
  const member = await world.start();
  for (let at = 0; at < 30; at++) await world.come(member.put(put("a", `${at}`).value));
  await world.come(member.compact({ revision: 10, physical: false }));
  assert.ok(member.store.pendingCompaction !== undefined);
  const { header } = await world.come(member.compact({ revision: 31, physical: true }));
  assert.equal(header?.revision, 31);
  assert.equal(member.store.pendingCompaction, undefined);
  assert.equal(world.backend.recordCount("key"), 1, "and nothing waits for a commit");
});

test("physical compactions asked for one right after the other are all answered", async () => {
  const world = new MemberWorld({ compactionBatchRevisions: 1 });
  const member = await world.start();
  for (let at = 0; at < 10; at++) await world.come(member.put(put("a", `${at}`).value));
  const ends: Promise<unknown>[] = [];
  for (let revision = 2; revision <= 10; revision++) {
    ends.push(member.compact({ revision, physical: true }));
    await world.pass(revision % 4);
  }
  await world.come(Promise.all(ends));
  assert.equal(member.store.pendingCompaction, undefined);
});

test("an interrupted compaction goes on after a restart", async () => {
  const world = new MemberWorld({ compactionBatchRevisions: 1, compactionSleepMs: 50 });
  const member = await world.start();
  for (let at = 0; at < 20; at++) await world.come(member.put(put("a", `${at}`).value));
  await world.come(member.compact({ revision: 20, physical: false }));
  await world.pass(200);
  world.kill();
  const again = await world.start();
  assert.equal(again.store.compactRevision, 20);
  await world.pass(10_000);
  assert.equal(again.store.pendingCompaction, undefined);
  assert.equal(world.backend.recordCount("key"), 2);
});

test("automatic compaction by revision keeps what is to be kept", async () => {
  const world = new MemberWorld({ autoCompaction: { mode: "revision", retainRevisions: 5 } });
  const member = await world.start();
  for (let at = 0; at < 20; at++) await world.come(member.put(put("a", `${at}`).value));
  await world.pass(301_000);
  assert.equal(member.store.compactRevision, 21 - 5);
});

test("a hash is taken at the revision asked for, in slices", async () => {
  const world = new MemberWorld();
  const member = await world.start();
  for (let at = 0; at < 10; at++) await world.come(member.put(put(`key ${at}`).value));
  const then = await world.come(member.hashKv(0));
  assert.deepEqual([then.hashRevision, then.compactRevision], [11, -1]);
  await world.come(member.put(put("another").value));
  assert.equal((await world.come(member.hashKv(11))).hash, then.hash);
  assert.notEqual((await world.come(member.hashKv(0))).hash, then.hash);
  assert.equal(await world.refusal(member.hashKv(99)), "FutureRevision");
  assert.equal(member.hashSteps().next().done, true, "of a small store it is one step");
});

test("a defragmentation commits what there is first", async () => {
  const world = new MemberWorld();
  const member = await world.start();
  await world.come(member.put(put("a").value));
  await world.come(member.defragment());
  assert.equal(world.backend.pendingOperations(), 0);
});

// ---- the end, and what comes after -----------------------------------------------------------------------------------------------

test("a member that was stopped has everything in its store, and applies nothing twice after it", async () => {
  const applied: string[] = [];
  const world = new MemberWorld({ metrics: { applied: (kind) => void applied.push(kind) } });
  const member = await world.start();
  for (let at = 0; at < 5; at++) await world.come(member.put(put("a", `${at}`).value));
  const before = await hashOf(world);
  await world.come(member.stop());
  world.kill();
  applied.length = 0;
  const again = world.make();
  await world.come(again.start());
  assert.ok(!applied.includes("put"), applied.join(" "));
  assert.deepEqual(await hashOf(world), before);
  assert.equal(again.header().revision, 6);
});

test("what the log has and the store has not is applied at the start, each entry once", async () => {
  const applied: string[] = [];
  const world = new MemberWorld({ metrics: { applied: (kind) => void applied.push(kind) } });
  const member = await world.start();
  await world.come(member.put(put("a", "1").value));
  await world.pass(1000);
  world.stall();
  for (let at = 2; at < 7; at++) await world.come(member.put(put("a", `${at}`).value));
  const before = await hashOf(world);
  const index = committed(member);
  world.kill();
  assert.ok(loadConsistentIndex(world.backend).index < index);
  applied.length = 0;
  await world.start();
  assert.equal(applied.filter((kind) => kind === "put").length, 5);
  assert.deepEqual(await hashOf(world), before);
  assert.deepEqual(await keys(world), ["a=6@7/2/6"]);
});

test("a replay ends where a member that was never killed stands, whenever the process died", async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const prng = new Prng(seed);
    const steady = new MemberWorld({ seed, backendBatchMs: 5 });
    const killed = new MemberWorld({ seed, backendBatchMs: 30, snapshotCount: 20, valueCacheBytes: 0 });
    await steady.start();
    await killed.start();
    for (let step = 0; step < 60; step++) {
      const request = randomRequest(prng, steady.member.header().revision);
      const outcome = await ask(steady, request);
      assert.equal(await ask(killed, request), outcome, `seed ${seed}, step ${step}: ${request.kind}`);
      await killed.pass(prng.below(20));
      if (prng.chance(0.15)) {
        killed.kill();
        await killed.start();
      }
    }
    await steady.pass(1000);
    await killed.pass(1000);
    assert.deepEqual(await hashOf(killed), await hashOf(steady), `seed ${seed}`);
    assert.deepEqual(await keys(killed), await keys(steady));
    assert.deepEqual([...steady.fatal, ...killed.fatal], []);
  }
});

function randomRequest(prng: Prng, revision: number): InternalRequest {
  const key = prng.pick(["a", "b", "c", "d"]);
  const lease = prng.pick([0n, 0n, 1n, 2n]);
  const chance = prng.below(100);
  if (chance < 40) return put(key, `${prng.below(100)}`, { lease });
  if (chance < 50) return deleteRange(key, prng.pick(["", "\0"]));
  if (chance < 70) {
    const isNew = compare(key, CompareTarget.CREATE, CompareResult.EQUAL, { kind: "createRevision", value: 0 });
    return txn({ when: [isNew], run: [put(key, "new"), put("x", key)], orElse: [deleteRange(key), put("y", key)] });
  }
  if (chance < 80) return { kind: "leaseGrant", value: { id: prng.pick([1n, 2n]), ttl: 5000 } };
  if (chance < 90) return { kind: "leaseRevoke", value: { id: prng.pick([1n, 2n]) } };
  return { kind: "compaction", value: { revision: Math.max(1, revision - prng.below(5)), physical: false } };
}

/** "none", or the code of the refusal. */
function ask(world: MemberWorld, request: InternalRequest): Promise<string> {
  const { member } = world;
  switch (request.kind) {
    case "put":
      return world.refusal(member.put(request.value));
    case "deleteRange":
      return world.refusal(member.deleteRange(request.value));
    case "txn":
      return world.refusal(member.txn(request.value));
    case "leaseGrant":
      return world.refusal(member.leaseGrant(request.value));
    case "leaseRevoke":
      return world.refusal(member.leaseRevoke(request.value));
    case "compaction":
      return world.refusal(member.compact({ ...request.value, physical: true }));
    default:
      throw new Error(request.kind);
  }
}

test("the log is cut once the store has what it says, and a restart goes on from there", async () => {
  const world = new MemberWorld({ snapshotCount: 10, snapshotCatchupEntries: 2 });
  const member = await world.start();
  for (let at = 0; at < 50; at++) await world.come(member.put(put("a", `${at}`).value));
  await world.pass(1000);
  assert.ok(world.logger.of("info").includes("saved snapshot"));
  const before = await hashOf(world);
  world.kill();
  const again = await world.start();
  assert.deepEqual(await hashOf(world), before);
  assert.equal((await world.come(again.put(put("a", "more").value))).header?.revision, 52);
});

test("a log that the disk refuses is fatal: nothing is acknowledged after it", async () => {
  const world = new MemberWorld();
  const member = await world.start();
  await world.pass(1000);
  world.disk.failOperation(1, "EIO", { lasting: true });
  const outcome = codeOf(member.put(put("a").value));
  await world.pass(1);
  assert.equal(world.fatal.length, 1);
  assert.equal(await world.come(outcome), "Timeout");
  assert.equal(member.store.currentRevision, 1);
});

test("a store that the disk refuses is fatal", async () => {
  const world = new MemberWorld();
  const member = await world.start();
  await world.pass(1000);
  world.backend.failNextCommit(new Error("the disk is dead"));
  await world.come(member.put(put("a").value));
  await world.pass(1000);
  assert.ok(world.fatal.length > 0);
});

test("a damaged record is fatal when an entry needs it, and no outcome", async () => {
  const world = new MemberWorld({ valueCacheBytes: 0 });
  const member = await world.start();
  await world.come(member.put(put("a", "1").value));
  world.backend.scan("key", EMPTY_BYTES, undefined, (key) => {
    queueMicrotask(() => world.backend.damage("key", key));
    return true;
  });
  await world.pass(1);
  void member.put(put("a", "", { ignoreValue: true }).value).catch(() => undefined);
  await world.pass(1000);
  assert.match(String(world.fatal[0]), /CorruptRecord/);
  assert.throws(() => member.range(RangeRequest.create({ key: utf8Bytes("a"), serializable: true })), {
    name: "CorruptRecord",
  });
});
