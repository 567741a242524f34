import assert from "node:assert/strict";
import { test } from "node:test";
import { put } from "../../test/support/apply-state.ts";
import { MemberCluster, type Seat } from "../../test/support/member-cluster.ts";
import { codeOf } from "../../test/support/member-world.ts";
import { LogLines } from "../../test/support/settling.ts";
import type { PutRequest } from "../proto/etcdserverpb.ts";
import { Expectations } from "./expectations.ts";
import { type FollowerProgress, LeaderMoves, type MovesHost } from "./leader-moves.ts";

const HANDED_OVER = "leadership was handed over before the stop";

function putRequest(key: string): PutRequest {
  return put(key, "v").value as PutRequest;
}

function othersOf(cluster: MemberCluster, seat: Seat): [Seat, Seat] {
  return cluster.seats.filter((one) => one !== seat) as [Seat, Seat];
}

test("a leader that stops has another member lead first: nobody waits for an election timeout", async () => {
  const cluster = await MemberCluster.start(3);
  const leader = await cluster.leader();
  const term = leader.member.header().raftTerm;
  const began = cluster.clock.monotonicMs();
  await cluster.come(leader.member.handOver());
  assert.equal(leader.member.isLeader, false);
  const [heir] = othersOf(cluster, leader).filter(({ member }) => member.isLeader) as [Seat];
  assert.equal(leader.member.leaderId, heir.id);
  assert.equal(heir.member.header().raftTerm, term + 1);
  assert.ok(cluster.clock.monotonicMs() - began < 200, `${cluster.clock.monotonicMs() - began} ms`);
  assert.ok(leader.logger.of("info").includes(HANDED_OVER));
  await cluster.come(leader.member.put(putRequest("through the old one")));
  await cluster.stop(leader);
  await cluster.come(heir.member.put(putRequest("without it")));
});

test("what is on its way when the leader stops is answered", async () => {
  const cluster = await MemberCluster.start(3);
  const leader = await cluster.leader();
  const calls = Array.from({ length: 50 }, (_, at) => leader.member.put(putRequest(`key ${at}`)));
  const stopped = leader.member.handOver();
  await cluster.come(Promise.all(calls));
  await cluster.come(stopped);
  assert.equal(leader.member.isLeader, false);
});

test("one that does not lead, and one that is alone, stop without more ado", async () => {
  const cluster = await MemberCluster.start(3);
  const [follower] = othersOf(cluster, await cluster.leader());
  await cluster.stop(follower);
  assert.equal(follower.logger.of("info").includes(HANDED_OVER), false);
  const single = await MemberCluster.start(1);
  const [only] = single.seats as [Seat];
  await single.stop(only);
  assert.deepEqual(only.logger.of("warn"), []);
});

test("a leader whose others are gone stops at once and says so", async () => {
  const cluster = await MemberCluster.start(3);
  const leader = await cluster.leader();
  for (const other of othersOf(cluster, leader)) cluster.kill(other);
  await cluster.pass(400);
  assert.equal(leader.member.isLeader, true);
  const began = cluster.clock.monotonicMs();
  await cluster.come(leader.member.handOver());
  assert.ok(cluster.clock.monotonicMs() - began <= 1000);
  assert.match(leader.logger.of("warn").join("\n"), /leadership (is not|could not be) handed over/);
});

test("a target that never leads holds the stop for an election timeout, no longer", async () => {
  const cluster = await MemberCluster.start(3);
  const leader = await cluster.leader();
  const others = othersOf(cluster, leader);
  for (const other of others) cluster.network.cut(leader.id, other.id);
  const began = cluster.clock.monotonicMs();
  const { id } = others[0];
  assert.equal(await cluster.come(codeOf(leader.member.moveLeader(id))), "TimeoutLeaderTransfer");
  assert.equal(cluster.clock.monotonicMs() - began, 1000);
});

function movesOf(progress: readonly FollowerProgress[], since: Readonly<Record<string, number>>): LeaderMoves {
  const { clock } = new MemberCluster(0);
  const host: MovesHost = {
    selfId: 1n,
    isLeader: true,
    leaderId: 1n,
    isVoter: () => true,
    progress: () => progress,
    activeSince: (id) => since[String(id)],
    transfer: () => undefined,
  };
  return new LeaderMoves({
    host,
    expectations: new Expectations(clock),
    clock,
    logger: new LogLines(),
    electionMs: 100,
  });
}

test("heir() passes over learners and those that cannot be reached, and takes the oldest connection among equals", () => {
  const voter = (id: bigint, match: number) => ({ id, match, isLearner: false });
  const learner = { id: 9n, match: 10, isLearner: true };
  const self = voter(1n, 10);
  assert.equal(movesOf([self, learner, voter(2n, 8), voter(3n, 7)], { 2: 5, 3: 1, 9: 0 }).heir(), 2n);
  assert.equal(movesOf([self, learner, voter(2n, 8), voter(3n, 7)], { 3: 1, 9: 0 }).heir(), 3n);
  assert.equal(movesOf([self, voter(2n, 8), voter(3n, 8)], { 2: 5, 3: 1 }).heir(), 3n);
  assert.equal(movesOf([self, learner], { 9: 0 }).heir(), undefined);
});
