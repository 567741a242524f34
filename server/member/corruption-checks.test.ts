/** Members in virtual time of which one holds other data than the rest: who finds it, and what comes of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { put } from "../../test/support/apply-state.ts";
import { MemberCluster, type Seat } from "../../test/support/member-cluster.ts";
import { codeOf } from "../../test/support/member-world.ts";
import { AlarmType, type PutRequest } from "../proto/etcdserverpb.ts";
import type { CorruptionCheckOptions } from "./corruption-checks.ts";

const NEVER: CorruptionCheckOptions = { initially: false, everyMs: 0, compactionsEveryMs: undefined };
const EVERY_MS = 5000;

function putRequest(key: string, value = "v"): PutRequest {
  return put(key, value).value as PutRequest;
}

async function fill(cluster: MemberCluster): Promise<void> {
  const leader = await cluster.leader();
  for (let n = 0; n < 20; n++) await cluster.come(leader.member.put(putRequest(`key ${n % 7}`, `${n}`)));
  await cluster.pass(300);
}

/** The value of some record becomes another one, below all that could notice. */
function spoil({ backend }: Seat): void {
  let newest: [Uint8Array, Uint8Array] | undefined;
  backend.scan("key", new Uint8Array(), undefined, (key, value) => {
    newest = [Uint8Array.from(key), Uint8Array.from(value)];
    return true;
  });
  const [key, value] = newest as [Uint8Array, Uint8Array];
  value[value.length - 1] = (value.at(-1) as number) ^ 1;
  backend.put("key", key, value);
}

/** A member that leads with two others, and one that does not lead. */
async function three(corruptionChecks: Partial<CorruptionCheckOptions>): Promise<[MemberCluster, Seat, Seat]> {
  const cluster = await MemberCluster.start(3, { corruptionChecks: { ...NEVER, ...corruptionChecks } });
  await fill(cluster);
  const leader = await cluster.leader();
  return [cluster, leader, cluster.seats.find((seat) => seat !== leader) as Seat];
}

test("members that are alike raise no alarm, however often they are compared", async () => {
  const [cluster, leader] = await three({ everyMs: EVERY_MS, compactionsEveryMs: EVERY_MS });
  await cluster.come(leader.member.compact({ revision: 15, physical: true }));
  await cluster.pass(3 * EVERY_MS);
  assert.deepEqual(leader.member.alarms(), []);
  const lines = leader.logger.lines.filter(({ message }) =>
    /finished (peer corruption|compaction hash) check/.test(message),
  );
  assert.ok(lines.length >= 4, `${lines.length} checks`);
  assert.ok(lines.every(({ fields }) => fields["number-of-peers-checked"] === 2));
});

test("--corrupt-check-time: whoever differs gets the alarm CORRUPT, and writes are refused", async () => {
  const [cluster, leader, follower] = await three({ everyMs: EVERY_MS });
  await cluster.pass(EVERY_MS);
  assert.deepEqual(leader.member.alarms(), []);
  spoil(follower);
  await cluster.until("the alarm is raised", () => leader.member.alarms().length > 0, 2 * EVERY_MS);
  assert.deepEqual(leader.member.alarms(), [{ memberId: follower.id, alarm: AlarmType.CORRUPT }]);
  assert.equal(await cluster.come(codeOf(leader.member.put(putRequest("refused")))), "Corrupt");
  await cluster.until("all know", () => cluster.seats.every(({ member }) => member.alarms().length === 1));
});

test("CompactHashCheck: the one that came by something else in a compaction gets the alarm, be it the leader", async () => {
  for (const spoilsLeader of [false, true]) {
    const [cluster, leader, follower] = await three({ compactionsEveryMs: EVERY_MS });
    const spoiled = spoilsLeader ? leader : follower;
    spoil(spoiled);
    const revision = leader.member.store.currentRevision;
    await cluster.come(leader.member.compact({ revision, physical: true }));
    await cluster.until("the alarm is raised", () => leader.member.alarms().length > 0, 3 * EVERY_MS);
    assert.deepEqual(leader.member.alarms(), [{ memberId: spoiled.id, alarm: AlarmType.CORRUPT }]);
  }
});

async function restarted(cluster: MemberCluster, seat: Seat): Promise<string> {
  const corruptionChecks = { ...NEVER, initially: true };
  const started = cluster.begin(seat, { corruptionChecks }).start();
  return cluster.come(
    started.then(
      () => "serves",
      (error: Error) => error.message,
    ),
  );
}

test("InitialCorruptCheck: a member whose data differ from the others' does not start, and one like them does", async () => {
  const [cluster, , follower] = await three(NEVER);
  await cluster.stop(follower);
  assert.equal(await restarted(cluster, follower), "serves");
  assert.match(follower.logger.of("info").join("\n"), /initial corruption checking passed; no corruption/);
  await cluster.stop(follower);
  spoil(follower);
  assert.match(await restarted(cluster, follower), /found data inconsistency with peers: at revision \d+ .+ remove it/);
  await cluster.come(follower.member.stop());
});

test("InitialCorruptCheck: a member that was away for long is behind, which is no difference", async () => {
  const [cluster, leader, follower] = await three(NEVER);
  await cluster.stop(follower);
  for (let n = 0; n < 30; n++) await cluster.come(leader.member.put(putRequest(`later ${n}`)));
  assert.equal(await restarted(cluster, follower), "serves");
  await cluster.stop(follower);
  for (let n = 0; n < 100; n++) await cluster.come(leader.member.put(putRequest(`last ${n}`)));
  await cluster.come(leader.member.compact({ revision: leader.member.store.currentRevision, physical: true }));
  assert.equal(await restarted(cluster, follower), "serves");
});

test("InitialCorruptCheck: others that are down hold nobody up for long", async () => {
  const [cluster] = await three(NEVER);
  for (const seat of cluster.seats) await cluster.come(seat.member.stop()).then(() => cluster.kill(seat));
  const results = cluster.seats.map((seat) => restarted(cluster, seat));
  assert.deepEqual(await Promise.all(results), ["serves", "serves", "serves"]);
});
