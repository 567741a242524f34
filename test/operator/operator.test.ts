/** A whole operator in a fake world: what people ask for comes about, and what breaks is mended. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CLAIMS, PODS } from "../../operator/cluster/kinds.ts";
import { OperatorWorld } from "./operator-world.ts";

async function ready(replicas = 3): Promise<OperatorWorld> {
  const world = new OperatorWorld();
  await world.startOperator();
  world.apply({ replicas });
  await world.untilReady(replicas);
  return world;
}

test("a cluster of three is applied and becomes ready", async () => {
  const world = new OperatorWorld();
  await world.startOperator();
  world.apply();
  const tookMs = await world.untilReady(3);
  assert.ok(tookMs <= 60_000, `it took ${tookMs} ms`);
  assert.deepEqual(world.names(PODS), ["example-0", "example-1", "example-2"]);
  assert.deepEqual(world.names(CLAIMS), ["data-example-0", "data-example-1", "data-example-2"]);
  assert.equal(world.etcd.births.length, 1);
  assert.equal(world.cluster.status?.clusterID, world.etcd.clusterIds[0]);
  assert.equal(world.etcd.voters(world.etcd.clusterIds[0] as string), 3);
  assert.deepEqual(world.madeTwice, [], "nothing is made twice");
});

test("three become five and three again, one at a time", async () => {
  const world = await ready();
  world.change({ replicas: 5 });
  await world.untilReady(5);
  assert.deepEqual(world.names(PODS).length, 5);
  world.change({ replicas: 3 });
  await world.untilReady(3);
  assert.equal(world.etcd.voters(world.etcd.clusterIds[0] as string), 3);
  assert.equal(world.names(CLAIMS).length, 3);
  assert.equal(world.etcd.births.length, 1);
});

test("a Pod that was killed comes back as the same member with its data", async () => {
  const world = await ready();
  const changes = world.etcd.changes.length;
  world.deletePod("example-1");
  await world.until("the Pod is gone", () => !world.names(PODS).includes("example-1") || world.created.length > 6);
  await world.untilReady(3);
  assert.deepEqual(world.names(PODS), ["example-0", "example-1", "example-2"]);
  assert.equal(world.etcd.changes.slice(changes).filter((what) => /^(?:add|remove)/.test(what)).length, 0);
});

test("all Pods at once come back, and no second cluster is begun", async () => {
  const world = await ready();
  const { clusterID } = world.cluster.status ?? {};
  for (const pod of world.names(PODS)) world.deletePod(pod);
  await world.time.advance(5000);
  await world.untilReady(3);
  assert.equal(world.etcd.births.length, 1);
  assert.equal(world.cluster.status?.clusterID, clusterID);
});

test("a member whose node is dead is replaced under a new name", async () => {
  const world = await ready();
  const pod = world.kube.objects.get(PODS, { namespace: "default", name: "example-2" }) as unknown as {
    spec: { nodeName: string };
  };
  world.kubelet.failNode(pod.spec.nodeName);
  await world.until("a member replaces it", () => world.names(PODS).includes("example-3"), 1_800_000);
  await world.until("three vote", () => world.etcd.voters(world.etcd.clusterIds[0] as string) === 3);
  await world.until("it is ready", () => world.condition("Ready")?.startsWith("True") === true);
  assert.ok(world.etcd.changes.some((what) => what === "remove example-2"));
});

test("a cluster that is deleted goes with its Pods, and its claims are kept where that is wanted", async () => {
  const world = await ready();
  world.deleteCluster();
  await world.until("it is gone", () => world.isGone);
  await world.until("its Pods are gone", () => world.names(PODS).length === 0);
  assert.equal(world.names(CLAIMS).length, 3);
});

test("nothing is done while it is paused", async () => {
  const world = await ready();
  world.change({ paused: true });
  await world.time.advance(10_000);
  world.deletePod("example-0");
  await world.time.advance(120_000);
  assert.deepEqual(world.names(PODS), ["example-1", "example-2"]);
  world.change({ paused: false });
  await world.untilReady(3);
});
