import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { collectionPath, objectPath, query } from "./api-path.ts";

const PODS = { group: "", version: "v1", plural: "pods", kind: "Pod", isNamespaced: true };
const NODES = { group: "", version: "v1", plural: "nodes", kind: "Node", isNamespaced: false };
const CLUSTERS = {
  group: "kvorum.dev",
  version: "v1alpha1",
  plural: "etcdclusters",
  kind: "EtcdCluster",
  isNamespaced: true,
};

describe("paths of the API", () => {
  it("of the core and of groups, in a namespace, in all, and in none", () => {
    assert.equal(collectionPath(PODS, "n"), "/api/v1/namespaces/n/pods");
    assert.equal(collectionPath(PODS, undefined), "/api/v1/pods");
    assert.equal(collectionPath(NODES, "ignored"), "/api/v1/nodes");
    const key = { namespace: "n", name: "a" };
    assert.equal(objectPath(CLUSTERS, key, "status"), "/apis/kvorum.dev/v1alpha1/namespaces/n/etcdclusters/a/status");
    assert.equal(objectPath(NODES, { name: "node-1" }), "/api/v1/nodes/node-1");
  });

  it("names cannot lead elsewhere", () => {
    assert.equal(objectPath(PODS, { namespace: "n", name: "../x?y" }), "/api/v1/namespaces/n/pods/..%2Fx%3Fy");
  });

  it("an object of a namespaced kind is not asked for without its namespace", () => {
    assert.throws(() => objectPath(PODS, { name: "a" }), /pods "a" was asked for without its namespace/);
  });

  it("a query holds what is defined, encoded", () => {
    assert.equal(
      query({ labelSelector: "a=b,c in (d)", limit: 5, continue: undefined }),
      "?labelSelector=a%3Db%2Cc+in+%28d%29&limit=5",
    );
    assert.equal(query({ a: undefined }), "");
  });
});
