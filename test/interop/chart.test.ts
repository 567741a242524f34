/** The operator's chart in the hands of helm: linted, rendered with many values, refused with others, held to schemas. */
import assert from "node:assert/strict";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { readConfig } from "../../operator/cli/config.ts";
import { CHART } from "../operator/chart/generated.ts";
import { ACCEPTED, REFUSED } from "../operator/chart/matrix.ts";
import { projectFolder } from "../support/project.ts";
import { requireTool, skipAloud, toolsFolder } from "../support/tools.ts";

interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: whatever a chart makes
  readonly [field: string]: any;
}

const chart = join(projectFolder, CHART);
const GOLDEN = join(projectFolder, "test", "golden", "chart");
const CLUSTER_WIDE =
  /^(?:ClusterRole|ClusterRoleBinding|CustomResourceDefinition|ValidatingAdmissionPolicy(?:Binding)?)$/;
/** Kinds of others, of which kubeconform has no schemas. */
const FOREIGN = "ServiceMonitor,PodMonitor,EtcdCluster,CustomResourceDefinition";

function helm(
  t: TestContext,
  program: string,
  command: string,
  values: object,
): { status: number | null; out: string; err: string } {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-chart-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "values.json");
  writeFileSync(file, JSON.stringify(values));
  const argv = command === "lint" ? ["lint", "--strict", chart] : ["template", "rel", chart, "--namespace", "home"];
  const { status, stdout, stderr } = spawnSync(program, [...argv, "--kube-version", "1.37.0", "--values", file], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"] ?? "", HOME: folder },
    maxBuffer: 1 << 26,
  });
  return { status, out: stdout, err: stderr };
}

function render(t: TestContext, program: string, values: object): readonly KubeObject[] {
  const { status, out, err } = helm(t, program, "template", values);
  assert.equal(status, 0, err);
  return parseAllDocuments(out)
    .map((document) => {
      assert.deepEqual(document.errors, []);
      return document.toJSON() as KubeObject | null;
    })
    .filter((object) => object !== null);
}

const nameOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;

for (const program of ["helm", "helm-3"]) {
  test(`${program} lints and renders the chart with every set of values`, (t) => {
    const path = requireTool(t, program);
    if (path === undefined) return;
    for (const { name, values } of ACCEPTED) {
      const { status, out, err } = helm(t, path, "lint", values);
      assert.equal(status, 0, `${name}: ${out}${err}`);
      const objects = render(t, path, values);
      assert.equal(new Set(objects.map(nameOf)).size, objects.length, `${name}: every object once`);
      for (const object of objects) checkObject(object, name);
    }
  });

  test(`${program} refuses values that make no sense, and says which`, (t) => {
    const path = requireTool(t, program);
    if (path === undefined) return;
    for (const { name, values, says } of REFUSED) {
      const { status, err } = helm(t, path, "template", values);
      assert.notEqual(status, 0, name);
      assert.match(err, says, name);
    }
  });
}

function checkObject(object: KubeObject, set: string): void {
  const where = `${set}: ${nameOf(object)}`;
  const { name, namespace, labels = {} } = object.metadata;
  assert.ok(name.length <= (CLUSTER_WIDE.test(object.kind) ? 253 : 63), where);
  assert.equal(namespace === undefined, CLUSTER_WIDE.test(object.kind), `${where} lies in a namespace, or in none`);
  if (object.kind === "ConfigMap") return; // of extraObjects
  assert.equal(labels["app.kubernetes.io/managed-by"], "Helm", where);
  assert.equal(labels["app.kubernetes.io/instance"], "rel", where);
  for (const rule of object["rules"] ?? []) {
    for (const list of [rule.apiGroups, rule.resources, rule.verbs]) assert.ok(!list.includes("*"), where);
    if (rule.resources.includes("secrets")) assert.deepEqual(rule.verbs, ["get", "create", "patch"], where);
  }
}

/** One set of values, by helm 4, and what must be seen in it. */
function seen(
  name: string,
  look: (objects: readonly KubeObject[], find: (kind: string) => KubeObject[]) => void,
): void {
  test(`the chart with the values "${name}"`, (t) => {
    const path = requireTool(t, "helm");
    if (path === undefined) return;
    const values = ACCEPTED.find((one) => one.name === name)?.values;
    assert.ok(values !== undefined);
    const objects = render(t, path, values);
    look(objects, (kind) => objects.filter((object) => object.kind === kind));
  });
}

seen("default", (_objects, find) => {
  const [deployment] = find("Deployment") as [KubeObject];
  const pod = deployment["spec"].template.spec;
  assert.equal(deployment["spec"].strategy.type, "Recreate");
  assert.equal(pod.automountServiceAccountToken, true);
  assert.deepEqual(find("PodDisruptionBudget"), []);
  assert.deepEqual([...find("ServiceMonitor"), ...find("PodMonitor"), ...find("NetworkPolicy")], []);
  assert.deepEqual(
    find("Role").map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
    ["home/rel-kvorum-operator", "home/rel-kvorum-operator-leader"],
  );
  const [reader] = find("ClusterRole") as [KubeObject];
  assert.deepEqual(
    reader["rules"].flatMap((rule: { resources: string[] }) => rule.resources),
    ["nodes", "storageclasses"],
  );
  for (const crd of find("CustomResourceDefinition"))
    assert.equal(crd.metadata.annotations?.["helm.sh/resource-policy"], "keep");
  for (const binding of find("ValidatingAdmissionPolicyBinding"))
    assert.deepEqual(binding["spec"].matchResources.namespaceSelector.matchExpressions[0].values, ["home"]);
  const [test] = find("EtcdCluster") as [KubeObject];
  assert.equal(test.metadata.annotations?.["helm.sh/hook"], "test");
  assert.ok(test.metadata.name.length <= 40);
  const operator = deployment["spec"].selector.matchLabels;
  for (const { metadata } of find("Pod"))
    assert.ok(
      Object.entries(operator).some(([key, value]) => metadata.labels?.[key] !== value),
      "no selector finds the test",
    );
});

test("the operator takes the arguments that the chart gives it with every set of values", (t) => {
  const path = requireTool(t, "helm");
  if (path === undefined) return;
  for (const { name, values } of ACCEPTED) {
    const deployment = render(t, path, values).find(({ kind }) => kind === "Deployment");
    const invocation = readConfig(deployment?.["spec"].template.spec.containers[0].args, {}, "home");
    assert.equal(invocation.kind, "run", name);
  }
});

seen("everything", (_objects, find) => {
  const [deployment] = find("Deployment") as [KubeObject];
  const { template, selector, strategy } = deployment["spec"];
  for (const [key, value] of Object.entries(selector.matchLabels)) assert.equal(template.metadata.labels[key], value);
  assert.equal(template.metadata.labels.f, "g");
  assert.equal(strategy.type, "RollingUpdate");
  assert.deepEqual(template.spec.imagePullSecrets, [{ name: "pull" }, { name: "other" }]);
  const [container] = template.spec.containers;
  assert.equal(container.image, `registry.example/x/kvorum-operator:1.2.3@sha256:${"0".repeat(64)}`);
  assert.ok(container.args.includes("--namespaces=blue,green"));
  assert.ok(container.args.includes("--server-image=registry.example/x/kvorum-server"));
  assert.equal(container.args.at(-1), "--log-level=debug");
  assert.equal(find("PodDisruptionBudget")[0]?.["spec"].maxUnavailable, 1);
  assert.deepEqual(
    find("RoleBinding").map(({ metadata }) => metadata.namespace),
    ["blue", "green", "home"],
  );
  const subjects = find("RoleBinding").flatMap((binding) => binding["subjects"]);
  for (const subject of subjects) assert.equal(subject.namespace, "home");
  assert.equal(find("ConfigMap")[0]?.metadata.name, "rel-o");
  assert.equal(find("EtcdCluster")[0]?.metadata.namespace, "blue");
});

seen("all-namespaces", (_objects, find) => {
  const [role] = find("ClusterRole") as [KubeObject];
  assert.ok(role["rules"].some((rule: { resources: string[] }) => rule.resources.includes("pods")));
  assert.deepEqual(
    find("Role").map(({ metadata }) => metadata.name),
    ["rel-kvorum-operator-leader"],
  );
  for (const binding of find("ValidatingAdmissionPolicyBinding"))
    assert.equal(binding["spec"].matchResources, undefined);
});

seen("bare", (objects) => {
  assert.deepEqual(
    objects.map(({ kind }) => kind),
    ["Deployment"],
  );
});

/** What a change of the chart changes can be read as a difference; `UPDATE_GOLDEN=1` writes the files anew. */
test("what helm 4 makes of the chart is what is kept in test/golden/chart", (t) => {
  const path = requireTool(t, "helm");
  if (path === undefined) return;
  mkdirSync(GOLDEN, { recursive: true });
  for (const { name, values } of ACCEPTED) {
    // The definition of the kind has a test of its own, and would be most of the file.
    const { status, out, err } = helm(t, path, "template", { ...values, crds: { install: false } });
    assert.equal(status, 0, err);
    const file = join(GOLDEN, `${name}.yaml`);
    // Releases of helm differ in the blank lines between documents.
    const made = out.replace(/\n{2,}/g, "\n");
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(file, made);
    assert.ok(existsSync(file), `${file} is missing: UPDATE_GOLDEN=1 npm run test:interop -- chart`);
    assert.equal(made, readFileSync(file, "utf8"), name);
  }
});

test("kubeconform finds every object of the chart valid", (t) => {
  const [path, conform] = [requireTool(t, "helm"), requireTool(t, "kubeconform")];
  if (path === undefined || conform === undefined) return;
  const schemas = process.env["KUBERNETES_SCHEMAS"] ?? join(toolsFolder, "..", "kubernetes-schemas");
  if (!existsSync(schemas))
    return skipAloud(t, `no JSON schemas of Kubernetes in ${schemas}: name their folder by KUBERNETES_SCHEMAS`);
  for (const { name, values } of ACCEPTED) {
    const { out } = helm(t, path, "template", values);
    const location = join(schemas, "{{.ResourceKind}}{{.KindSuffix}}.json");
    const argv = ["-strict", "-skip", FOREIGN, "-schema-location", location, "-"];
    const result: SpawnSyncReturns<string> = spawnSync(conform, argv, { input: out, encoding: "utf8" });
    assert.equal(result.status, 0, `${name}: ${result.stdout}${result.stderr}`);
  }
});
