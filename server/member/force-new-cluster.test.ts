import assert from "node:assert/strict";
import { test } from "node:test";
import { put } from "../../test/support/apply-state.ts";
import { MemberCluster, type Seat } from "../../test/support/member-cluster.ts";
import { codeOf } from "../../test/support/member-world.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { type PutRequest, RangeRequest } from "../proto/etcdserverpb.ts";
import type { Member } from "./member.ts";

/** For so long members must have been connected before a change is accepted. */
const UNTIL_CHANGES_MS = 5000;

function putRequest(key: string): PutRequest {
  return put(key, "v").value as PutRequest;
}

async function has(cluster: MemberCluster, member: Member, key: string): Promise<boolean> {
  const { kvs } = await cluster.come(Promise.resolve(member.range(RangeRequest.create({ key: utf8Bytes(key) }))));
  return kvs.length === 1;
}

async function begin(seed: number): Promise<{ cluster: MemberCluster; survivor: Seat; lost: Seat[] }> {
  const cluster = await MemberCluster.start(3, {}, seed);
  const leader = await cluster.leader();
  for (let n = 0; n < 5; n++) await cluster.come(leader.member.put(putRequest(`key ${n}`)));
  await cluster.pass(300); // so that all know what is committed
  const survivor = seed % 2 === 0 ? leader : (cluster.seats.find((seat) => seat !== leader) as Seat);
  return { cluster, survivor, lost: cluster.seats.filter((seat) => seat !== survivor) };
}

async function force(cluster: MemberCluster, seat: Seat): Promise<Member> {
  const member = cluster.begin(seat, { forceNewCluster: true });
  await cluster.come(member.start());
  return member;
}

for (const seed of [1, 2]) {
  test(`one of three goes on alone with all that was committed, and keeps its ids (seed ${seed})`, async () => {
    const { cluster, survivor, lost } = await begin(seed);
    const { clusterId, memberId } = survivor.member;
    const { hash } = await cluster.come(survivor.member.hashKv(0));
    for (const seat of cluster.seats) cluster.kill(seat);
    const member = await force(cluster, survivor);
    assert.deepEqual([member.clusterId, member.memberId], [clusterId, memberId]);
    assert.equal((await cluster.come(member.hashKv(0))).hash, hash);
    const members = await member.members(false);
    assert.deepEqual(
      members.map(({ id, name }) => [id, name]),
      [[memberId, survivor.name]],
    );
    await cluster.come(member.put(putRequest("alone")));
    assert.match(survivor.logger.of("warn").join("\n"), /goes on as a cluster of one/);

    // A start without the flag goes on as one that is alone.
    await cluster.stop(survivor);
    const again = cluster.begin(survivor);
    await cluster.come(again.start());
    assert.equal(await has(cluster, again, "alone"), true);
    assert.equal((await again.members(false)).length, 1);

    // What the others hold is of no use any more.
    const [other] = lost as [Seat, Seat];
    cluster
      .begin(other)
      .start()
      .catch(() => undefined);
    await cluster.until("the other is told that it was removed", () => other.isRemoved);
    assert.equal((await again.members(false)).length, 1);
    await cluster.come(again.put(putRequest("still alone")));
    assert.deepEqual(survivor.fatal, []);
  });
}

test("what is not known to be committed is dropped", async () => {
  const { cluster, survivor, lost } = await begin(2);
  for (const seat of lost) cluster.kill(seat);
  const code = codeOf(survivor.member.put(putRequest("uncommitted")));
  await cluster.pass(50);
  cluster.kill(survivor);
  void code;
  const member = await force(cluster, survivor);
  assert.equal(await has(cluster, member, "uncommitted"), false);
  assert.equal(await has(cluster, member, "key 4"), true);
  const [{ fields }] = survivor.logger.lines.filter(({ message }) => message.startsWith("--force-new-cluster")) as [
    (typeof survivor.logger.lines)[0],
  ];
  assert.equal(fields["dropped-entries"], 1);
  assert.deepEqual(survivor.fatal, []);
});

test("learners are removed too, and changes that the store had not seen count", async () => {
  const { cluster, survivor, lost } = await begin(2);
  await cluster.pass(UNTIL_CHANGES_MS);
  await cluster.come(survivor.member.changes.add(["http://learner:2380"], true));
  cluster.kill(survivor); // at once: the store is behind the log
  for (const seat of lost) cluster.kill(seat);
  const member = await force(cluster, survivor);
  assert.equal((await member.members(false)).length, 1);
  await cluster.come(member.put(putRequest("alone")));
});

test("a learner is promoted and goes on", async () => {
  const cluster = new MemberCluster(2);
  const [leader, learner] = cluster.seats as [Seat, Seat];
  const alone = { initialCluster: new Map([[leader.name, [leader.url]]]) };
  const first = cluster.begin(leader, alone);
  await cluster.come(first.start());
  const { id } = await cluster.come(first.changes.add([learner.url], true));
  const joined = { clusterId: first.clusterId, members: await first.members(false) };
  const second = cluster.begin(learner, { joined });
  await cluster.come(second.start());
  await cluster.come(first.put(putRequest("key")));
  await cluster.pass(500);
  cluster.kill(leader);
  cluster.network.crash(id);
  cluster.kill(learner);
  const member = await force(cluster, learner);
  assert.equal(member.memberId, id);
  assert.equal(member.isLearner, false);
  assert.equal(await has(cluster, member, "key"), true);
  await cluster.come(member.put(putRequest("alone")));
});

test("a member that was removed is refused, and so is an empty folder", async () => {
  const { cluster, lost } = await begin(1);
  const [gone] = lost as [Seat, Seat];
  const keeper = cluster.seats.find((seat) => seat !== gone) as Seat;
  await cluster.pass(UNTIL_CHANGES_MS);
  await cluster.come(keeper.member.changes.remove(gone.id));
  await cluster.until("it knows that it was removed", () => gone.isRemoved);
  cluster.kill(gone);
  assert.throws(() => cluster.begin(gone, { forceNewCluster: true }), /was removed from its cluster/);
  const empty = new MemberCluster(1);
  assert.throws(() => empty.begin(empty.seats[0] as Seat, { forceNewCluster: true }), /there is no log in "\/data/);
});
