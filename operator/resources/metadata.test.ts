import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterWith, DEFAULTS, laterStart, SMALL } from "../../test/operator/rendered.ts";
import { ANNOTATIONS, LABELS } from "../api/names.ts";
import { memberSelector, metadataOf, selectorText } from "./metadata.ts";
import { memberPod } from "./pod.ts";
import { volumeClaim } from "./volume-claim.ts";

test("the nearer word wins, and the operator's keys over all", () => {
  const cluster = clusterWith({
    inheritedMetadata: {
      labels: { a: "inherited", b: "inherited", [LABELS.instance]: "x" },
      annotations: { c: "inherited" },
    },
  });
  const { labels, annotations } = metadataOf(cluster, {
    name: "n",
    asked: { labels: { b: "asked", [LABELS.managedBy]: "x" } },
    labels: { [LABELS.member]: "m" },
  });
  assert.deepEqual(
    [labels["a"], labels["b"], labels[LABELS.instance], labels[LABELS.managedBy], labels[LABELS.member]],
    ["inherited", "asked", "example", "kvorum-operator", "m"],
  );
  assert.deepEqual(annotations, { c: "inherited" });
});

test("nobody writes the operator's memory for it", () => {
  const cluster = clusterWith({
    inheritedMetadata: {
      labels: { [LABELS.role]: "voter" },
      annotations: { [ANNOTATIONS.clusterId]: "cdf818194e3a8c32" },
    },
  });
  const { metadata } = volumeClaim(cluster, { member: "example-0", state: "initializing", clusterId: undefined });
  assert.equal(metadata.annotations?.[ANNOTATIONS.clusterId], undefined);
  assert.equal(metadata.labels[LABELS.role], undefined);
});

test("a claim that is kept has no owner and says whose it is; one that is not has both", () => {
  const claimOf = (onDelete: "Retain" | "Delete") => {
    const storage = { ...SMALL.spec.storage, reclaim: { onDelete, onMemberRemoval: "Delete" as const } };
    return volumeClaim(clusterWith({ storage }), {
      member: "example-0",
      state: "ready",
      clusterId: "cdf818194e3a8c32",
    });
  };
  for (const onDelete of ["Retain", "Delete"] as const) {
    const { annotations } = claimOf(onDelete).metadata;
    assert.equal(annotations?.[ANNOTATIONS.clusterUid], SMALL.metadata.uid);
    assert.equal(annotations?.[ANNOTATIONS.clusterId], "cdf818194e3a8c32");
    assert.equal(annotations?.[ANNOTATIONS.state], "ready");
  }
  assert.equal(claimOf("Retain").metadata.ownerReferences, undefined);
  const [owner] = claimOf("Delete").metadata.ownerReferences ?? [];
  assert.deepEqual([owner?.uid, owner?.controller, owner?.kind], [SMALL.metadata.uid, true, "EtcdCluster"]);
});

test("a cluster on ephemeral storage is asked for no claim", () => {
  const storage = { reclaim: SMALL.spec.storage.reclaim, ephemeral: { medium: "" as const } };
  const claim = { member: "example-0", state: "joining" as const, clusterId: undefined };
  assert.throws(() => volumeClaim(clusterWith({ storage }), claim), /persistent/);
});

test("the selector of status finds the Pods of members", () => {
  const { labels } = memberPod(SMALL, laterStart(SMALL), DEFAULTS).metadata;
  for (const [key, value] of Object.entries(memberSelector(SMALL))) assert.equal(labels[key], value);
  assert.equal(selectorText(memberSelector(SMALL)), "kvorum.dev/cluster=example,app.kubernetes.io/component=etcd");
});

test("names of objects of the longest cluster name stay within 63 characters", () => {
  const name = "a".repeat(40);
  const cluster = { ...SMALL, metadata: { ...SMALL.metadata, name } };
  const { metadata, spec } = memberPod(cluster, { ...laterStart(cluster), member: `${name}-999999999` }, DEFAULTS);
  for (const text of [metadata.name, spec["subdomain"] as string, ...Object.values(metadata.labels)])
    assert.ok(text.length <= 63, text);
});
