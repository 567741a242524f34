import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "../../test/simulation/world/clock.ts";
import { put } from "../../test/support/apply-state.ts";
import { MemberCluster, type Seat } from "../../test/support/member-cluster.ts";
import type { PutRequest } from "../proto/etcdserverpb.ts";
import { EntryType, Message, MessageType } from "../proto/raftpb.ts";
import { ForwardedProposals } from "./forwarded-proposals.ts";

const PATIENCE_MS = 1000;

function proposal(name: number, bytes = 1): Message {
  const entry = { type: EntryType.NORMAL, term: 0, index: 0, data: new Uint8Array(bytes).fill(name) };
  return Message.create({ type: MessageType.PROP, from: 2n, to: 1n, entries: [entry] });
}

class Desk {
  canTake = false;
  readonly stepped: number[] = [];
  readonly clock = new SimClock();
  readonly forwarded = new ForwardedProposals({ host: this, clock: this.clock, patienceMs: PATIENCE_MS });

  step(message: Message): void {
    this.stepped.push(message.entries[0]?.data[0] ?? -1);
  }

  async pass(ms: number): Promise<void> {
    this.clock.after(ms, () => undefined);
    await this.clock.run(() => false, ms);
  }
}

test("what comes while nobody can take it is kept, and goes in its order once somebody can, each once", () => {
  const desk = new Desk();
  desk.forwarded.take(proposal(1));
  desk.forwarded.take(proposal(2));
  desk.forwarded.release();
  assert.deepEqual(desk.stepped, []);
  assert.ok(desk.forwarded.isKeeping);
  desk.canTake = true;
  desk.forwarded.take(proposal(3));
  assert.deepEqual(desk.stepped, [1, 2, 3]);
  desk.forwarded.release();
  assert.ok(!desk.forwarded.isKeeping);
  assert.deepEqual(desk.stepped, [1, 2, 3]);
});

test("nobody waits any more for what was kept too long, and there is a bound to what is kept", async () => {
  const desk = new Desk();
  desk.forwarded.take(proposal(1));
  await desk.pass(PATIENCE_MS / 2);
  desk.forwarded.take(proposal(2));
  await desk.pass(PATIENCE_MS / 2);
  for (let n = 0; n < 20; n++) desk.forwarded.take(proposal(3, 2 ** 20));
  desk.canTake = true;
  desk.forwarded.release();
  assert.equal(desk.stepped[0], 2);
  const large = desk.stepped.filter((name) => name === 3).length;
  assert.ok(large >= 14 && large < 17, `${large} of 1 MiB were kept`);
});

/** Has the leader of three begin to hand over to a member that does not hear of it; answers leader, target and the third. */
async function handingOver(cluster: MemberCluster): Promise<[Seat, Seat, Seat]> {
  const leader = await cluster.leader();
  const [target, third] = cluster.seats.filter((seat) => seat !== leader) as [Seat, Seat];
  cluster.network.cut(leader.id, target.id);
  leader.member.moveLeader(target.id).catch(() => undefined);
  await cluster.pass(1);
  return [leader, target, third];
}

async function tookMs(cluster: MemberCluster, seat: Seat): Promise<number> {
  const began = cluster.clock.monotonicMs();
  await cluster.come(seat.member.put(put("through a follower", "v").value as PutRequest));
  return cluster.clock.monotonicMs() - began;
}

test("a put through a follower of a leader that hands over is written by the new leader, well before its timeout", async () => {
  const cluster = await MemberCluster.start(3);
  const [leader, target, third] = await handingOver(cluster);
  cluster.clock.after(100, () => cluster.network.healAll());
  const tookAll = await tookMs(cluster, third);
  assert.ok(tookAll < third.member.requestTimeoutMs / 3, `it took ${tookAll} ms`);
  assert.ok((await cluster.leader()) === target || (await cluster.leader()) === leader);
  assert.equal(third.member.store.currentRevision, 2, "once");
});

test("a transfer that comes to nothing: the old leader writes what came meanwhile", async () => {
  const cluster = await MemberCluster.start(3);
  const [leader, , third] = await handingOver(cluster);
  const tookAll = await tookMs(cluster, third);
  assert.ok(tookAll > 100, `it was not taken before the transfer was given up: ${tookAll} ms`);
  assert.ok(tookAll < third.member.requestTimeoutMs / 3, `it took ${tookAll} ms`);
  assert.ok(leader.member.isLeader);
});
