/**
 * `npm run test:kubernetes -- crd`: the definition of EtcdCluster on a real API server, every example accepted or refused
 * as it must be. The cluster is that of KUBECONFIG (it gets the definition, and a namespace that is removed again);
 * without one an API server is started alone, on a store of ours.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { parse } from "yaml";
import { exampleSpec, LEAST_SPEC } from "../../operator/api/example.ts";
import { API_VERSION, GROUP } from "../../operator/api/names.ts";
import type { Json, Node } from "../../operator/api/schema/node.ts";
import { spec } from "../../operator/api/schema/spec.ts";
import { status } from "../../operator/api/schema/status.ts";
import { changedAt, patched, placesOf } from "../operator/crd/places.ts";
import { NAME_CASES, RULE_CASES } from "../operator/crd/rule-cases.ts";
import { SPECS, STATUS } from "../operator/crd/samples.ts";
import { spoiled } from "../operator/crd/spoil.ts";
import { type Answer, KubeApi } from "../support/kube-api.ts";
import { hasLoneApi, LoneApi } from "../support/lone-api.ts";
import { projectFolder } from "../support/project.ts";

const NO_SKIP = process.env["KVORUM_NO_SKIP"] === "1";
const NAMESPACE = `crd-examples-${process.pid}`;
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const CLUSTERS = `/apis/${API_VERSION}/namespaces/${NAMESPACE}/etcdclusters`;
const STRICT = "dryRun=All&fieldValidation=Strict";

/** How the API server words a broken keyword. */
const WORDS: Readonly<Record<string, RegExp>> = {
  type: /must be of type/,
  required: /Required value/,
  enum: /Unsupported value/,
  pattern: /should match/,
  format: /must be of type date-time/,
  minLength: /at least \d+ chars/,
  maxLength: /Too long/,
  minimum: /greater than or equal to/,
  maximum: /less than or equal to/,
  maxItems: /Too many/,
  maxProperties: /Too many/,
  twice: /Duplicate value/,
};

let passed = 0;
let failed = 0;

function check(name: string, isGood: boolean, answer: Answer): void {
  if (isGood) passed++;
  else failed++;
  console.log(
    isGood ? `ok      ${name}` : `FAILED  ${name}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 600)}`,
  );
}

function accepted(name: string, answer: Answer): void {
  check(`accepted: ${name}`, answer.status === 200 || answer.status === 201, answer);
}

/** Refused with 422, and a cause that says what was broken. */
function refused(name: string, answer: Answer, cause: RegExp | string): void {
  const { message = "" } = answer.body as { message?: string };
  const isSaid = typeof cause === "string" ? message.includes(cause) : cause.test(message);
  check(`refused: ${name}`, answer.status === 422 && isSaid, answer);
}

const cluster = (spec: Json, name = "example") => ({
  apiVersion: API_VERSION,
  kind: "EtcdCluster",
  metadata: { name, namespace: NAMESPACE },
  spec,
});

const short = (value: Json | undefined) => (JSON.stringify(value) ?? "nothing").slice(0, 60);

/** Makes the definition, or brings it up to date, and waits until it is served. */
async function install(api: KubeApi): Promise<void> {
  const definition = parse(readFileSync(join(projectFolder, "crds/etcdclusters.yaml"), "utf8"));
  const path = `${CRDS}/etcdclusters.${GROUP}`;
  const there = await api.call("GET", path);
  const { metadata } = there.body as { metadata?: { resourceVersion?: string } };
  const answer =
    there.status === 404
      ? await api.call("POST", CRDS, definition)
      : await api.call("PUT", path, {
          ...definition,
          metadata: { ...definition.metadata, resourceVersion: metadata?.resourceVersion },
        });
  accepted("the definition itself", answer);
  if (answer.status > 201) throw new Error("without the definition nothing can be tried");
  await isServed(api);
}

async function isServed(api: KubeApi): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if ((await api.call("GET", CLUSTERS)).status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the definition is not served within 30 seconds");
}

async function checkSamples(api: KubeApi): Promise<void> {
  const least = await api.call("POST", `${CLUSTERS}?${STRICT}`, cluster(LEAST_SPEC));
  accepted("the least spec", least);
  const { spec: filled } = least.body as { spec?: Json };
  check("the API server fills in the defaults of docs", sameJson(filled, exampleSpec()), least);
  for (const [name, sample] of Object.entries(SPECS))
    accepted(`sample ${name}`, await api.call("POST", `${CLUSTERS}?${STRICT}`, cluster(sample)));
  const unknown = await api.call("POST", `${CLUSTERS}?${STRICT}`, cluster({ ...LEAST_SPEC, backup: {} }));
  check("refused: a field that is not there", unknown.status === 400, unknown);
}

function sameJson(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** One bound of one place at a time, the first time that each is met. */
async function checkBounds(
  root: { readonly name: string; readonly node: Node; readonly samples: readonly Json[] },
  send: (value: Json) => Promise<Answer>,
): Promise<void> {
  const seen = new Set<string>();
  for (const sample of root.samples)
    for (const place of placesOf(root.node, sample, root.name)) {
      if (place.path.length === 0) continue;
      for (const { bound, value } of spoiled(place)) {
        const name = `${place.name} = ${short(value)}: ${bound}`;
        if (seen.has(name)) continue;
        seen.add(name);
        refused(name, await send(changedAt(sample, place.path, value)), WORDS[bound] ?? bound);
      }
    }
}

async function checkRules(api: KubeApi): Promise<void> {
  for (const [index, { at, message, before, refused: bad, accepted: good }] of RULE_CASES.entries()) {
    const name = `rule-${index}`;
    const made = await api.call("POST", CLUSTERS, cluster(patched(LEAST_SPEC, before ?? {}), name));
    if (before !== undefined) accepted(`${at}: before ${short(before)}`, made);
    const { metadata } = made.body as { metadata?: Json };
    const isChange = /cannot be|cannot shrink/.test(message);
    const send = (patch: Json) => {
      const object = { ...cluster(patched(LEAST_SPEC, patch), name), metadata };
      return isChange
        ? api.call("PUT", `${CLUSTERS}/${name}?${STRICT}`, object)
        : api.call("POST", `${CLUSTERS}?${STRICT}`, cluster(patched(LEAST_SPEC, patch)));
    };
    for (const patch of bad) refused(`${at} ${short(patch)}: ${message}`, await send(patch), message);
    for (const patch of good) accepted(`${at} ${short(patch)}`, await send(patch));
    await api.call("DELETE", `${CLUSTERS}/${name}`);
  }
}

async function checkNames(api: KubeApi): Promise<void> {
  for (const { message, refused: bad, accepted: good } of NAME_CASES) {
    const send = (name: string) => api.call("POST", `${CLUSTERS}?${STRICT}`, cluster(LEAST_SPEC, name));
    for (const name of bad) refused(`name ${name}: ${message}`, await send(name), message);
    for (const name of good) accepted(`name ${name}`, await send(name));
  }
}

/** Status is written through its own door; the scale door and the table are looked at on the way. */
async function checkStatus(api: KubeApi): Promise<void> {
  const made = await api.call("POST", CLUSTERS, cluster(LEAST_SPEC));
  accepted("an object to write a status to", made);
  const read = await api.call("GET", `${CLUSTERS}/example`);
  const object = read.body as { readonly [key: string]: unknown };
  check("status begins with observedGeneration -1", sameJson(object["status"], { observedGeneration: -1 }), read);
  const send = (value: Json) => api.call("PUT", `${CLUSTERS}/example/status?${STRICT}`, { ...object, status: value });
  accepted("a status with every field", await send(STATUS));
  await checkBounds({ name: "status", node: status, samples: [STATUS] }, send);
  await checkTable(api);
  accepted("scale to 5", await scale(api, 5));
  refused("scale to 4", await scale(api, 4), "replicas must be odd");
  await api.call("DELETE", `${CLUSTERS}/example`);
}

/** What `kubectl get etcd -o wide` shows of the object. */
async function checkTable(api: KubeApi): Promise<void> {
  const made = await api.call("GET", `${CLUSTERS}/example`);
  await api.call("PUT", `${CLUSTERS}/example/status`, { ...(made.body as object), status: STATUS });
  const answer = await api.call("GET", CLUSTERS, undefined, "application/json;as=Table;v=v1;g=meta.k8s.io");
  const { columnDefinitions = [], rows = [] } = answer.body as {
    columnDefinitions?: readonly { readonly name: string; readonly priority: number }[];
    rows?: readonly { readonly cells: readonly unknown[] }[];
  };
  const shown = (priority: number) =>
    columnDefinitions.flatMap(({ name, priority: its }, index) =>
      its === priority ? [`${name}=${rows[0]?.cells[index]}`] : [],
    );
  const [narrow, wide] = [shown(0).join(" "), shown(1).join(" ")];
  const isNarrow = /^Name=example Replicas=3 Ready=2 Version=0\.1\.0 Leader=example-1 Status=Updating Age=\S+$/.test(
    narrow,
  );
  check(`columns: ${narrow}`, isNarrow, answer);
  const rest = "DB size=12.5 MiB Tolerates=0 Message=1 of 3 members are up to date";
  check(`wide columns: ${wide}`, wide === `Target=0.1.1 Cluster ID=00000000000000ff ${rest}`, answer);
  for (const name of ["etcd", "ec"]) {
    const found = await api.call("GET", `/apis/${API_VERSION}`);
    check(`short name ${name}, category etcd`, isCalled(found, name), found);
  }
}

function isCalled({ body }: Answer, name: string): boolean {
  const { resources = [] } = body as {
    resources?: readonly { readonly name: string; readonly shortNames?: string[]; readonly categories?: string[] }[];
  };
  const kind = resources.find((one) => one.name === "etcdclusters");
  return kind?.shortNames?.includes(name) === true && kind.categories?.includes("etcd") === true;
}

function scale(api: KubeApi, replicas: number): Promise<Answer> {
  return api.call("PUT", `${CLUSTERS}/example/scale?dryRun=All`, {
    apiVersion: "autoscaling/v1",
    kind: "Scale",
    metadata: { name: "example", namespace: NAMESPACE },
    spec: { replicas },
  });
}

async function run(api: KubeApi): Promise<void> {
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } };
  accepted("a namespace", await api.call("POST", "/api/v1/namespaces", namespace));
  try {
    await install(api);
    await checkSamples(api);
    await checkBounds({ name: "spec", node: spec, samples: Object.values(SPECS) }, (value) =>
      api.call("POST", `${CLUSTERS}?${STRICT}`, cluster(value)),
    );
    await checkRules(api);
    await checkNames(api);
    await checkStatus(api);
  } finally {
    await api.call("DELETE", `/api/v1/namespaces/${NAMESPACE}`);
  }
}

async function main(): Promise<number> {
  if (process.env["KUBECONFIG"] !== undefined) {
    const config = new KubeConfig();
    config.loadFromDefault();
    await run(new KubeApi(config));
  } else if (hasLoneApi()) {
    const lone = await LoneApi.start();
    try {
      await run(lone.api);
    } finally {
      await lone.remove();
    }
  } else {
    console.log("SKIPPED: the definition on a real API server. It needs KUBECONFIG, or kube-apiserver on PATH");
    return NO_SKIP ? 1 : 0;
  }
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
