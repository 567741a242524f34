/** Three real members of ours: what a cluster owes its clients, with members that are killed, moved, added and removed. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { type ClusterMember, ClusterProcess, ours } from "../support/cluster-process.ts";

const { kv, lease, cluster: membership, maintenance } = SERVICES;
const NAMES = ["one", "two", "three"] as const;
const CALL = { timeoutMs: 3000 };
/** The members' data are compared all the time: whatever the tests do, no two may differ. */
const CHECKED = ["--feature-gates=InitialCorruptCheck=true,CompactHashCheck=true", "--corrupt-check-time=500ms"];

async function refusal(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "none",
    (error: Error) => error.message,
  );
}

/** How long a request that failed may go on failing while leadership moves. */
const AGAIN_MS = 10_000;

describe("three members", { timeout: 240_000 }, () => {
  let cluster: ClusterProcess;
  before(async () => {
    cluster = await ClusterProcess.start(ours(...NAMES), CHECKED);
  });
  after(() => cluster.remove());
  const followers = async () => {
    const leader = await cluster.leader();
    return cluster.members.filter((member) => member !== leader);
  };

  test("what is written through one is read through every other, at once", async () => {
    for (const [at, writer] of cluster.members.entries()) {
      await writer.put(`key ${at}`, `${at}`);
      for (const reader of cluster.members) assert.equal(await reader.get(`key ${at}`), `${at}`);
    }
    await cluster.level();
  });

  test("the members list each other, and agree on a version", async () => {
    for (const { client } of cluster.members) {
      const { members } = await client.unary(membership.methods.memberList, { linearizable: true }, CALL);
      assert.deepEqual(members.map(({ name }) => name).sort(), [...NAMES].sort());
      assert.ok(members.every(({ clientUrls }) => clientUrls.length === 1));
    }
    const { server } = cluster.members[0] as ClusterMember;
    const version = (await (await fetch(`${server.url}/version`)).json()) as { etcdcluster: string };
    assert.equal(version.etcdcluster, "3.7.0");
  });

  test("a lease is renewed and asked for through whoever does not lead, and ends everywhere", async () => {
    const [follower, other] = (await followers()) as [ClusterMember, ClusterMember];
    const { id } = await follower.client.unary(lease.methods.leaseGrant, { id: 0n, ttl: 2 }, CALL);
    await follower.client.unary(kv.methods.put, { key: utf8Bytes("leased"), value: utf8Bytes("v"), lease: id }, CALL);
    const left = await other.client.unary(lease.methods.leaseTimeToLive, { id, keys: true }, CALL);
    assert.equal(left.grantedTtl, 2);
    assert.deepEqual(left.keys.map(utf8Text), ["leased"]);
    await cluster.eventually("the lease has ended", async () => {
      for (const member of cluster.members) assert.equal(await member.get("leased"), undefined);
    });
  });

  test("leadership is handed over, and only the leader hands it over", async () => {
    const leader = await cluster.leader();
    const [target] = (await followers()) as [ClusterMember];
    const { id: targetId } = await target.status();
    assert.match(await refusal(target.client.unary(maintenance.methods.moveLeader, { targetId }, CALL)), /not leader/);
    assert.match(
      await refusal(leader.client.unary(maintenance.methods.moveLeader, { targetId: 5n }, CALL)),
      /bad leader transferee/,
    );
    await leader.client.unary(maintenance.methods.moveLeader, { targetId }, CALL);
    assert.equal((await cluster.leader()).name, target.name);
  });

  test("members are restarted one after another under load: a request that fails is good when tried again", async () => {
    let isOver = false;
    let written = 0;
    const again: string[] = [];
    const lost: string[] = [];
    /** As a client that knows all endpoints: where nobody listens it has sent nothing. */
    const write = async (key: string, first: number) => {
      for (let at = first; ; at++) {
        const member = cluster.members[at % 3] as ClusterMember;
        const failed = await refusal(member.tryPut(key, "v"));
        if (!/No connection established/.test(failed)) return failed;
        await sleep(20);
      }
    };
    const writing = cluster.members.map(async (_, at) => {
      for (let n = 0; !isOver; n++) {
        const key = `rolling ${at}/${n}`;
        const failed = await write(key, at);
        written++;
        if (failed !== "none") {
          again.push(failed);
          let last = failed;
          for (const end = performance.now() + AGAIN_MS; last !== "none" && performance.now() < end; ) {
            await sleep(50);
            last = await write(key, at + 1);
          }
          if (last !== "none") lost.push(last);
        }
        await sleep(5);
      }
    });
    try {
      // The leader each time, so that each restart moves leadership.
      for (let round = 0; round < 3; round++) {
        const leader = await cluster.leader();
        await leader.server.stop("SIGTERM");
        assert.match(leader.server.log, /leadership was handed over before the stop/);
        await leader.server.launch();
        assert.match(leader.server.log, /initial corruption checking passed; no corruption.+"compared":2/);
      }
    } finally {
      isOver = true;
      await Promise.all(writing);
    }
    await cluster.level();
    assert.deepEqual(lost, []);
    assert.ok(written > 100, `${written} requests`);
    assert.ok(again.length < 10, `${again.length} of ${written} were tried again: ${again.slice(0, 5).join("; ")}`);
  });

  test("the leader is killed: no acknowledged write is lost, and it comes level again", async () => {
    for (let round = 0; round < 2; round++) {
      const leader = await cluster.leader();
      const [writer] = (await followers()) as [ClusterMember];
      const acknowledged: string[] = [];
      const writing = (async () => {
        for (let at = 0; at < 60; at++) {
          const key = `round ${round}/${at}`;
          const failed = await refusal(writer.tryPut(key, "v"));
          if (failed === "none") acknowledged.push(key);
          else await sleep(100);
        }
      })();
      await sleep(100);
      await leader.server.stop("SIGKILL");
      await writing;
      assert.ok(acknowledged.length > 20, `${acknowledged.length} of 60 writes were acknowledged`);
      await leader.server.launch();
      await cluster.level();
      for (const key of acknowledged) assert.notEqual(await leader.get(key), undefined, key);
    }
  });

  test("without a majority nothing is written, and with it again everything goes on", async () => {
    const [first, second] = (await followers()) as [ClusterMember, ClusterMember];
    const leader = await cluster.leader();
    await Promise.all([first.server.stop("SIGKILL"), second.server.stop("SIGKILL")]);
    assert.notEqual(await refusal(leader.tryPut("alone", "v")), "none");
    const { kvs } = await leader.client.unary(kv.methods.range, { key: utf8Bytes("key 0"), serializable: true }, CALL);
    assert.equal(kvs.length, 1, "what may be stale is still read");
    await Promise.all([first.server.launch(), second.server.launch()]);
    await cluster.eventually("writes go on", () => leader.put("together", "v"));
    await cluster.level();
  });

  test("nobody was found to hold other data than the rest", async () => {
    const leader = await cluster.leader();
    await cluster.eventually("the leader has looked", async () =>
      assert.match(leader.server.log, /finished peer corruption check.+"number-of-peers-checked":2/),
    );
    const { alarms } = await leader.client.unary(maintenance.methods.alarm, {}, CALL);
    assert.deepEqual(alarms, []);
  });

  test("a member is added as a learner, promoted and removed; then it stops, and may not come back", async () => {
    const asked = (peerUrl: string, isLearner: boolean) =>
      cluster.any().client.unary(membership.methods.memberAdd, { peerUrls: [peerUrl], isLearner }, CALL);
    const { peerUrl } = cluster.members[1] as ClusterMember;
    // As in etcd the others must have been there for five seconds, and two of them have just been started again.
    await cluster.eventually("the cluster is healthy enough for a change", async () =>
      assert.match(await refusal(asked(peerUrl, false)), /Peer URLs already exists/),
    );
    assert.match(await refusal(asked("nowhere", false)), /given member URLs are invalid/);
    const fourth = await cluster.join({ name: "four" }, true);
    const { id } = await fourth.status();
    assert.match(await refusal(asked("http://127.0.0.1:1", true)), /too many learner members/);
    assert.match(await refusal(fourth.get("key 0")), /rpc not supported for learner/);
    // Asked of the leader: another member goes on asking it after we have given up, and may have it done then.
    const leader = await cluster.leader();
    await cluster.eventually("the learner is promoted", () =>
      leader.client.unary(membership.methods.memberPromote, { id }, CALL),
    );
    assert.match(
      await refusal(cluster.any().client.unary(membership.methods.memberPromote, { id }, CALL)),
      /can only promote a learner member/,
    );
    await cluster.eventually("it knows that it votes", () => fourth.put("from the fourth", "v"));
    await cluster.level();
    cluster.members.pop();
    await cluster.any().client.unary(membership.methods.memberRemove, { id }, CALL);
    const { code } = await fourth.server.exited;
    assert.equal(code, 1);
    assert.match(fourth.server.log, /removed from the cluster/);
    assert.match(
      await refusal(cluster.any().client.unary(membership.methods.memberRemove, { id }, CALL)),
      /member not found/,
    );
    void fourth.server.spawn();
    assert.equal((await fourth.server.exited).code, 1, "it is told so again, and ends");
    fourth.client.close();
    await fourth.server.remove();
    await cluster.level();
  });
});
