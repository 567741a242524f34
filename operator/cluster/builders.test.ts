import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleCluster } from "../api/example.ts";
import { clusterBuilders } from "./builders.ts";

test("a version that this operator does not know is told apart from a bad spec", () => {
  const { validate } = clusterBuilders({ serverImage: "kvorum-server" });
  const cluster = exampleCluster();
  const kindsOf = (version: string) =>
    validate({ ...cluster, spec: { ...cluster.spec, version } }).map(({ kind }) => kind);
  assert.deepEqual(kindsOf(cluster.spec.version), []);
  assert.deepEqual(kindsOf("9.9.9"), ["UnsupportedVersion"]);
  assert.deepEqual(kindsOf("nine"), ["InvalidSpec"]);
});
