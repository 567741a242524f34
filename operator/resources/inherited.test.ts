import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterWith } from "../../test/operator/rendered.ts";
import { ANNOTATIONS, LABELS } from "../api/names.ts";
import { inheritanceChange, inheritanceMark, inheritedBy } from "./inherited.ts";

const NONE = { labels: {}, annotations: {} };

function cluster(labels: Record<string, string>, annotations: Record<string, string> = {}, podLabels = {}) {
  const base = clusterWith();
  return clusterWith({ inheritedMetadata: { labels, annotations }, pod: { ...base.spec.pod, labels: podLabels } });
}

test("the nearer word wins, and the operator's own keys are nobody else's", () => {
  const asked = cluster(
    { team: "blue", tier: "1", [LABELS.instance]: "x", [LABELS.role]: "voter" },
    { a: "1" },
    { tier: "2" },
  );
  assert.deepEqual(inheritedBy(asked, "pod"), { labels: { team: "blue" }, annotations: { a: "1" } });
  assert.deepEqual(inheritedBy(asked, "claim").labels, { team: "blue", tier: "1" });
});

test("a Pod that has all of it needs no change; one that was made before gets it, with the memory of it", () => {
  const asked = cluster({ team: "blue" }, { a: "1" });
  const mark = inheritanceMark(inheritedBy(asked, "pod"));
  const has = { labels: { team: "blue", other: "x" }, annotations: { a: "1", ...mark } };
  assert.equal(inheritanceChange(asked, "pod", has), undefined);
  assert.equal(inheritanceChange(cluster({}), "pod", NONE), undefined);
  assert.deepEqual(inheritanceChange(asked, "pod", NONE), {
    labels: { team: "blue" },
    annotations: { a: "1", ...mark },
  });
});

test("what is no longer asked for goes, if it came from there; what others wrote stays", () => {
  const before = inheritanceMark(inheritedBy(cluster({ team: "blue", gone: "1" }, { a: "1" }), "pod"));
  const has = { labels: { team: "blue", gone: "1", theirs: "x" }, annotations: { a: "1", b: "2", ...before } };
  const now = cluster({ team: "red" });
  assert.deepEqual(inheritanceChange(now, "pod", has), {
    labels: { team: "red", gone: null },
    annotations: { a: null, ...inheritanceMark(inheritedBy(now, "pod")) },
  });
});

test("a memory that somebody has spoilt takes nothing of the operator's away", () => {
  for (const text of [
    "no JSON",
    "[]",
    "null",
    JSON.stringify({ labels: [LABELS.role, LABELS.cluster, 7], annotations: "x" }),
  ]) {
    const has = {
      labels: { [LABELS.role]: "voter", [LABELS.cluster]: "example" },
      annotations: { [ANNOTATIONS.inherited]: text },
    };
    assert.deepEqual(inheritanceChange(cluster({}), "pod", has), {
      labels: {},
      annotations: { [ANNOTATIONS.inherited]: null },
    });
  }
});
