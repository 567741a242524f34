/** What the chart's templates hold whatever the values: least rights, no root, no wildcard, nothing restarted by chance. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { helpText } from "../../../operator/cli/config.ts";
import * as kinds from "../../../operator/cluster/kinds.ts";
import type { Resource } from "../../../operator/runtime/kube.ts";
import { KVORUM_VERSION } from "../../../server/config/version.ts";
import { projectFolder } from "../../support/project.ts";
import { CHART } from "./generated.ts";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

const read = (path: string): string => readFileSync(join(projectFolder, CHART, path), "utf8");
const templateNames = readdirSync(join(projectFolder, CHART, "templates"), { recursive: true, encoding: "utf8" });

/** The list of rules that a helper of `_rules.tpl` writes, all that is optional included. */
function rulesOf(helper: string): readonly Rule[] {
  const body = new RegExp(
    `define "kvorum-operator\\.${helper}" -\\}\\}\\n([\\s\\S]*?)\\n\\{\\{- end \\}\\}\\n(?=\\n|$)`,
  );
  const text = body.exec(`${read("templates/_rules.tpl")}\n`)?.[1];
  assert.ok(text !== undefined, helper);
  return parse(text.replace(/^\{\{.*\}\}$/gm, "")) as Rule[];
}

/** "GROUP/RESOURCE: VERBS", sorted. */
function lines(rules: readonly Rule[]): string[] {
  return rules
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) => resources.map((resource) => `${group}/${resource}: ${[...verbs].sort().join(" ")}`)),
    )
    .sort();
}

test("in a namespace the operator may do this and nothing else", () => {
  const all = "create delete get list patch watch";
  assert.deepEqual(lines(rulesOf("rules")), [
    `/configmaps: ${all}`,
    "/events: create patch",
    "/namespaces: get",
    `/persistentvolumeclaims: ${all}`,
    `/pods: ${all}`,
    "/secrets: create get patch",
    `/serviceaccounts: ${all}`,
    `/services: ${all}`,
    `cert-manager.io/certificates: ${all}`,
    "events.k8s.io/events: create patch",
    "kvorum.dev/etcdclusters/finalizers: update",
    "kvorum.dev/etcdclusters/status: get patch update",
    "kvorum.dev/etcdclusters: get list patch update watch",
    `policy/poddisruptionbudgets: ${all}`,
  ]);
});

test("every flag that the chart gives is one of the operator's", () => {
  const flags = [...read("templates/_args.tpl").matchAll(/^- --([a-z-]+)=/gm)].map(([, name = ""]) => name);
  assert.ok(flags.length > 0);
  const help = helpText();
  assert.deepEqual(
    flags.filter((name) => !help.includes(`--${name} `)),
    [],
  );
});

test("every kind that the operator asks the API server for is among its rights", () => {
  const given = [...rulesOf("rules"), ...rulesOf("clusterRules")].flatMap(({ apiGroups, resources }) =>
    apiGroups.flatMap((group) => resources.map((resource) => `${group}/${resource}`)),
  );
  const asked = Object.values(kinds)
    .filter(isResource)
    .map(({ group, plural }) => `${group}/${plural}`);
  assert.ok(asked.length > 10);
  assert.deepEqual(
    asked.filter((one) => !given.includes(one)),
    [],
  );
});

function isResource(value: unknown): value is Resource {
  return typeof value === "object" && value !== null && "plural" in value;
}

test("outside of namespaces it only reads", () => {
  assert.deepEqual(lines(rulesOf("clusterRules")), [
    "/nodes: get list watch",
    "storage.k8s.io/storageclasses: get list watch",
  ]);
});

test("no template gives a wildcard, enters Pods, reads logs, or may list Secrets", () => {
  for (const name of templateNames.filter((one) => /\.(?:yaml|tpl)$/.test(one))) {
    const rights = read(`templates/${name}`).match(/(?:apiGroups|resources|verbs):.*/g) ?? [];
    for (const line of rights) {
      // Of an admission policy's rules these say what is judged.
      if (name !== "deletion-protection.yaml") assert.doesNotMatch(line, /["'[ ]\*/, `${name}: ${line}`);
      assert.doesNotMatch(
        line,
        /pods\/(?:exec|log|attach|portforward)|escalate|impersonate|\bbind\b/,
        `${name}: ${line}`,
      );
    }
  }
});

test("the chart, its operator and its server are of this tree's version", () => {
  const chart = parse(read("Chart.yaml")) as {
    version: string;
    appVersion: string;
    annotations: Record<string, string>;
  };
  assert.equal(chart.version, KVORUM_VERSION);
  assert.equal(chart.appVersion, KVORUM_VERSION);
  assert.match(chart.annotations["artifacthub.io/images"] as string, new RegExp(`kvorum-server:${KVORUM_VERSION}`));
});

test("the operator's Pods pass the restricted standard, by their defaults", () => {
  const values = parse(read("values.yaml")) as Record<string, Record<string, unknown>>;
  assert.deepEqual(values["podSecurityContext"]?.["seccompProfile"], { type: "RuntimeDefault" });
  assert.equal(values["podSecurityContext"]?.["runAsNonRoot"], true);
  assert.equal(values["podSecurityContext"]?.["runAsUser"], 65_532);
  assert.deepEqual(values["securityContext"], {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
});

test("nothing vanishes by what helm believes of a Kubernetes: no template asks .Capabilities or looks objects up", () => {
  for (const name of templateNames.filter((one) => /\.(?:yaml|tpl|txt)$/.test(one)))
    assert.doesNotMatch(read(`templates/${name}`), /\.Capabilities|\blookup\b|randAlpha|genCA|now\b/, name);
});
