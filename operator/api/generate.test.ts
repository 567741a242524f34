import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { projectFolder } from "../../test/support/project.ts";
import { generatedFiles } from "./generate.ts";
import { etcdClusterCrd } from "./schema/crd.ts";

const files = generatedFiles();

for (const [path, text] of files)
  test(`${path} is what the schema says: npm run crds writes it`, () => {
    assert.equal(readFileSync(join(projectFolder, path), "utf8"), text);
  });

test("the definition survives YAML, and fits into Kubernetes and its annotations", () => {
  const text = files.get("crds/etcdclusters.yaml") ?? "";
  assert.deepEqual(parse(text), etcdClusterCrd());
  assert.ok(text.length > 10_000 && text.length < 200_000, `${text.length} characters`);
  assert.doesNotMatch(text, /[&*][a-z]\d+$/m, "no anchors: not every reader of YAML takes them");
});

test("the page of docs names every field once, and every rule", () => {
  const page = files.get("docs/etcdcluster.md") ?? "";
  for (const field of [
    "disruptionBudget.enabled",
    "storage.persistent.size",
    "pod.env[].name",
    "conditions[].reason",
    "tls.extraTrust[].secretRef.key",
  ])
    assert.equal(page.split(`| \`${field}\` |`).length, 2, field);
  assert.ok(page.includes("- `spec.replicas`: replicas must be odd"));
  assert.ok(page.includes("- `metadata.name`: the name must begin with a letter"));
});
