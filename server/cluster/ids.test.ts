import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterIdOf, memberIdOf } from "./ids.ts";

// What every etcd that was started without flags prints.
test("the ids of a default member and its cluster are etcd's", () => {
  const id = memberIdOf(["http://localhost:2380"], "etcd-cluster");
  assert.equal(id.toString(16), "8e9e05c52164694d");
  assert.equal(clusterIdOf([id]).toString(16), "cdf818194e3a8c32");
});

test("the order of URLs and members does not matter, the time of an addition does", () => {
  assert.equal(memberIdOf(["b", "a"], "t"), memberIdOf(["a", "b"], "t"));
  assert.equal(clusterIdOf([2n, 1n]), clusterIdOf([1n, 2n]));
  assert.notEqual(memberIdOf(["a"], "t", 1), memberIdOf(["a"], "t", 2));
});
