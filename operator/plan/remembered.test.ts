import assert from "node:assert/strict";
import { test } from "node:test";
import { plainBuilders } from "../../test/operator/plain-builders.ts";
import { exampleCluster } from "../api/example.ts";
import type { Builders } from "./builders.ts";
import { remembered } from "./remembered.ts";

const plain = plainBuilders();

/** Builders that say how often each was asked. */
function counting(): { readonly builders: Builders; readonly calls: Map<string, number> } {
  const calls = new Map<string, number>();
  const count = (name: string) => calls.set(name, (calls.get(name) ?? 0) + 1);
  const builders: Builders = {
    ...plain,
    validate: (cluster) => {
      count("validate");
      return plain.validate(cluster);
    },
    templateHash: (cluster) => {
      count("templateHash");
      return plain.templateHash(cluster);
    },
    children: (cluster) => {
      count("children");
      return plain.children(cluster);
    },
    budget: (cluster, floor) => {
      count("budget");
      return plain.budget(cluster, floor);
    },
  };
  return { builders, calls };
}

function ask(builders: Builders, cluster = exampleCluster()): void {
  assert.deepEqual(builders.validate(cluster), plain.validate(cluster));
  assert.equal(builders.templateHash(cluster), plain.templateHash(cluster));
  assert.deepEqual(builders.children(cluster), plain.children(cluster));
  for (const floor of [1, 2]) assert.deepEqual(builders.budget(cluster, floor), plain.budget(cluster, floor));
}

test("a spec that is as it was is not worked out again, though it was read anew", () => {
  const { builders, calls } = counting();
  const remembering = remembered(builders);
  const cluster = exampleCluster();
  for (let pass = 0; pass < 3; pass++) ask(remembering, structuredClone(cluster));
  assert.deepEqual([...calls.values()], [1, 1, 1, 2]);
  assert.equal(remembering.children(cluster), remembering.children(structuredClone(cluster)));
});

test("another spec, another name and another cluster are worked out", () => {
  const remembering = remembered(counting().builders);
  const cluster = exampleCluster();
  const { metadata, spec } = cluster;
  ask(remembering, cluster);
  ask(remembering, { ...cluster, spec: { ...spec, version: "0.9.9" } });
  ask(remembering, { ...cluster, metadata: { ...metadata, name: "other" } });
  ask(remembering, { ...cluster, metadata: { ...metadata, uid: "other", namespace: "elsewhere" } });
  ask(remembering, cluster);
});

test("the spec that is refused and the one in force do not push each other out", () => {
  const { builders, calls } = counting();
  const remembering = remembered(builders);
  const inForce = exampleCluster();
  const asked = { ...inForce, spec: { ...inForce.spec, replicas: 5 } };
  for (let pass = 0; pass < 3; pass++) {
    remembering.validate(asked);
    remembering.templateHash(inForce);
  }
  assert.deepEqual([...calls.values()], [1, 1]);
});

test("more clusters than it may remember are forgotten, the first seen first", () => {
  const { builders, calls } = counting();
  const remembering = remembered(builders, 2);
  const clusters = ["a", "b", "c"].map((uid) => {
    const cluster = exampleCluster();
    return { ...cluster, metadata: { ...cluster.metadata, uid } };
  });
  for (const cluster of [...clusters, ...clusters.slice(1)]) remembering.validate(cluster);
  assert.equal(calls.get("validate"), 3);
  remembering.validate(clusters[0] as (typeof clusters)[number]);
  assert.equal(calls.get("validate"), 4);
});
