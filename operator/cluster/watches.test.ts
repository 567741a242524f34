import assert from "node:assert/strict";
import { test } from "node:test";
import { LABELS } from "../api/names.ts";
import type { KubeObject, ObjectMeta } from "../runtime/kube.ts";
import { clusterOf, clustersOnNode, isNews, isNodeNews } from "./watches.ts";

const object = (metadata: Partial<ObjectMeta>, more: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "a", namespace: "ns", ...metadata },
  ...more,
});

test("clusterOf() finds the cluster by label, else by owner", () => {
  assert.deepEqual(clusterOf(object({ labels: { [LABELS.cluster]: "c" } })), { namespace: "ns", name: "c" });
  const owner = { apiVersion: "kvorum.dev/v1alpha1", kind: "EtcdCluster", name: "d", uid: "u", controller: true };
  assert.deepEqual(clusterOf(object({ ownerReferences: [owner] })), { namespace: "ns", name: "d" });
  assert.equal(clusterOf(object({ ownerReferences: [{ ...owner, kind: "Deployment" }] })), undefined);
  assert.equal(clusterOf(object({})), undefined);
});

test("isNews() passes over what only the status says", () => {
  const before = object({ uid: "u", generation: 1, resourceVersion: "1" });
  assert.equal(isNews(before, object({ uid: "u", generation: 1, resourceVersion: "2" })), false);
  assert.equal(isNews(before, object({ uid: "u", generation: 2 })), true);
  assert.equal(isNews(before, object({ uid: "v", generation: 1 })), true);
  assert.equal(isNews(before, object({ uid: "u", generation: 1, annotations: { a: "1" } })), true);
  assert.equal(isNews(before, object({ uid: "u", generation: 1, deletionTimestamp: "2026-01-01T00:00:00Z" })), true);
  assert.equal(isNews(undefined, before), true);
});

test("isNodeNews() hears of readiness and taints, and not of heartbeats", () => {
  const node = (status: string, heartbeat: string, taints?: unknown) =>
    object(
      { uid: "n" },
      { spec: { taints }, status: { conditions: [{ type: "Ready", status, lastHeartbeatTime: heartbeat }] } },
    );
  assert.equal(isNodeNews(node("True", "1"), node("True", "2")), false);
  assert.equal(isNodeNews(node("True", "1"), node("Unknown", "1")), true);
  assert.equal(isNodeNews(node("True", "1"), node("True", "1", [{ key: "x" }])), true);
});

test("clustersOnNode() names each cluster once", () => {
  const pod = (name: string, cluster: string, nodeName: string) =>
    object({ name, labels: { [LABELS.cluster]: cluster } }, { spec: { nodeName } });
  const pods = [pod("a", "c", "n1"), pod("b", "c", "n1"), pod("d", "e", "n2"), pod("f", "g", "n1")];
  assert.deepEqual(clustersOnNode("n1", pods), [
    { namespace: "ns", name: "c" },
    { namespace: "ns", name: "g" },
  ]);
});
