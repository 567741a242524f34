/** Maintenance and Cluster of one member (etcd-contract sections 9 and 11), and gRPC's own health service. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ServingStatus } from "../../server/proto/healthpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { refusal, revisionOf, statusText } from "./store.ts";
import { aloneTest, suite } from "./target.ts";

const { maintenance, cluster, health } = SERVICES;

export const maintenanceSuite = suite("Maintenance, Cluster and Health", [], (store) => {
  aloneTest("the status is that of a member that leads and has no worries", async () => {
    const revision = await store.write("k");
    const status = await store.status();
    assert.match(status.version, /^3\.7\.\d+$/);
    assert.equal(status.storageVersion, "3.7.0");
    assert.equal(status.leader, status.header?.memberId);
    assert.equal(revisionOf(status), revision);
    assert.equal(status.raftTerm, status.header?.raftTerm);
    assert.ok(status.raftIndex > 0 && status.raftAppliedIndex <= status.raftIndex);
    assert.ok(status.dbSize > 0 && status.dbSizeInUse > 0 && status.dbSizeInUse <= status.dbSize);
    assert.equal(status.dbSizeQuota, 2 ** 31);
    assert.deepEqual([status.errors, status.isLearner], [[], false]);
    assert.deepEqual(status.downgradeInfo, { enabled: false, targetVersion: "" });
  });

  test("each write is one entry of the log", async () => {
    const before = await store.status();
    for (let at = 0; at < 5; at++) await store.write("index");
    const after = await store.status();
    assert.equal(after.raftIndex - before.raftIndex, 5);
    assert.equal(after.raftAppliedIndex, after.raftIndex);
    await store.range("index");
    assert.equal((await store.status()).raftIndex, after.raftIndex, "a read is none");
  });

  test("the hash of everything is answered, and is the same while nothing changes", async () => {
    const first = await store.client.unary(maintenance.methods.hash);
    const second = await store.client.unary(maintenance.methods.hash);
    assert.equal(first.hash, second.hash);
    assert.equal(revisionOf(first), await store.revision());
    await store.write("hash");
    assert.notEqual((await store.client.unary(maintenance.methods.hash)).hash, first.hash);
  });

  test("defragment answers without a header, and everything is still there", async () => {
    for (let at = 0; at < 100; at++) await store.write("fragmented", "v".repeat(10_000));
    const now = await store.revision();
    await store.compact(now, { physical: true });
    const hash = await store.hashKv(now);
    assert.deepEqual(await store.client.unary(maintenance.methods.defragment), { header: undefined });
    assert.equal((await store.hashKv(now)).hash, hash.hash);
    assert.equal((await store.get("fragmented"))?.version, 100);
    assert.equal(await store.write("fragmented", "short"), now + 1);
  });

  test("defragment gives space back", async () => {
    const value = "v".repeat(100_000);
    for (let at = 0; at < 50; at++) await store.write(`space/${at}`, value);
    await store.delete("space/", { rangeEnd: "space0" });
    await store.compact(await store.revision(), { physical: true });
    const before = await store.status();
    await store.client.unary(maintenance.methods.defragment);
    const after = await store.status();
    assert.ok(after.dbSize < before.dbSize, `${after.dbSize} bytes after, ${before.dbSize} before`);
  });

  aloneTest("Cluster: the only member is listed with its name and addresses; headers have no revision", async () => {
    await store.write("k");
    const { header, leader } = await store.status();
    for (const linearizable of [true, false]) {
      const answer = await store.client.unary(cluster.methods.memberList, { linearizable });
      assert.deepEqual(answer.header, { ...header, revision: 0 });
      const url = store.server.url;
      const peerUrls = [`http://127.0.0.1:${store.server.peerPort}`];
      const member = { id: leader, name: "one", peerUrls, clientUrls: [url], isLearner: false };
      assert.deepEqual(answer.members, [member]);
    }
  });

  test("Health: the server as a whole serves, and no other service is known", async () => {
    assert.deepEqual(await store.client.unary(health.methods.check), { status: ServingStatus.SERVING });
    const service = "etcdserverpb.KV";
    assert.equal(await refusal(store.client.unary(health.methods.check, { service })), "NotFound unknown service");
  });

  test("Health: watching tells the state at once", async () => {
    for (const [service, status] of [
      ["", ServingStatus.SERVING],
      ["no such", ServingStatus.SERVICE_UNKNOWN],
    ] as const) {
      const stream = store.client.serverStream(health.methods.watch, { service });
      assert.deepEqual(await stream.next(), { status });
      stream.cancel();
      assert.equal(statusText(await stream.status), "Canceled Cancelled on client");
    }
  });

  test("Health: all that is known is listed", async () => {
    const { statuses } = await store.client.unary(health.methods.list);
    assert.deepEqual(statuses, [{ key: "", value: { status: ServingStatus.SERVING } }]);
  });
});
