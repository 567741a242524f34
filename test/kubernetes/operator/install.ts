/** The operator's chart in a cluster that enforces restricted Pods, and what `helm upgrade` does to members: nothing. */
import { join } from "node:path";
import { projectFolder } from "../../support/project.ts";
import { isPodReady, livesOf, podsOf, restartsOf } from "./clusters.ts";
import { EARLIER, TODAY } from "./images.ts";
import { type Kube, pause, type Thing, until } from "./kube.ts";
import { CLUSTER, FIELD, HOME, OPERATOR_PODS, RELEASE, type Suite } from "./suite.ts";

const TODAYS_CHART = join(projectFolder, "charts", "kvorum-operator");
const REPLICAS = 2;
/** How long an operator of another version is given to do something that it should not. */
const WATCHED_MS = 12_000;

/** Two namespaces in which nothing but restricted Pods may be made. */
export async function makeNamespaces(kube: Kube): Promise<void> {
  const labels = Object.fromEntries(
    ["enforce", "warn", "audit"].map((mode) => [`pod-security.kubernetes.io/${mode}`, "restricted"]),
  );
  for (const name of [HOME, FIELD])
    await kube.create("namespaces", "", { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
}

/** What this run or one before has made; the definition of EtcdCluster stays. */
export async function cleanUp(kube: Kube): Promise<void> {
  if ((await kube.get("namespaces", "", FIELD)) === undefined && (await kube.get("namespaces", "", HOME)) === undefined)
    return;
  const clusters = await kube.list("clusters", FIELD).catch(() => []);
  for (const { metadata } of clusters) await kube.delete("clusters", FIELD, metadata.name);
  await until("EtcdClusters are gone", 120, async () => (await kube.list("clusters", FIELD)).length === 0).catch(
    () => false,
  );
  await kube.helm(["uninstall", RELEASE, "--namespace", HOME, "--ignore-not-found"]);
  for (const name of [FIELD, HOME]) await kube.delete("namespaces", "", name);
  await until("their namespaces are gone", 180, async () => {
    const left = await Promise.all([FIELD, HOME].map((name) => kube.get("namespaces", "", name)));
    return left.every((one) => one === undefined);
  });
}

export async function install({ kube, report }: Suite): Promise<void> {
  const { code, out, err } = await kube.helm(helmArguments("install", TODAYS_CHART, TODAY));
  report.check("helm install succeeds", code === 0, err);
  if (code !== 0) throw new Error("without the operator nothing can be tried");
  const warnings = `${out}\n${err}`.split("\n").filter((line) => /warn/i.test(line));
  report.check("helm install says no warning, PodSecurity restricted included", warnings.length === 0, warnings.join());
  await operatorsReady(kube, TODAY);
  const pods = await operators(kube);
  const restarts = pods.reduce((sum, pod) => sum + restartsOf(pod), 0);
  report.check(`${pods.length} operators are ready, none was restarted`, pods.length === REPLICAS && restarts === 0);
}

/** A key is written and read in a cluster that helm makes for it. */
export async function helmTest({ kube, report }: Suite): Promise<void> {
  const { code, out, err } = await kube.helm(["test", RELEASE, "--namespace", HOME, "--timeout", "120s"]);
  report.check("helm test writes a key and reads it", code === 0, `${err}${out}`.slice(-600));
}

/** To the earlier operator and back, with a living cluster. */
export async function upgradeOperator({ kube, report, images }: Suite): Promise<void> {
  const before = JSON.stringify(livesOf(await podsOf(kube, CLUSTER)));
  for (const [chart, version, words] of [
    [images.earlierChart, EARLIER, `the operator of ${images.earlier}`],
    [TODAYS_CHART, TODAY, "today's operator"],
  ] as const) {
    const { code, err } = await kube.helm(helmArguments("upgrade", chart, version));
    report.check(`helm upgrade to ${words}`, code === 0, err);
    await operatorsReady(kube, version);
    await leads(kube);
    await pause(WATCHED_MS);
    const after = JSON.stringify(livesOf(await podsOf(kube, CLUSTER)));
    report.check(`${words} restarts no member`, after === before, `before ${before}, after ${after}`);
  }
}

function helmArguments(verb: "install" | "upgrade", chart: string, version: string): string[] {
  const values = [
    `image.tag=${version}`,
    `tests.clusterVersion=${TODAY}`,
    `replicaCount=${REPLICAS}`,
    `watchNamespaces={${FIELD}}`,
  ];
  return [
    ...[verb, RELEASE, chart, "--namespace", HOME, "--wait", "--timeout", "120s"],
    ...values.flatMap((value) => ["--set", value]),
  ];
}

export async function operators(kube: Kube): Promise<readonly Thing[]> {
  return (await kube.list("pods", HOME, OPERATOR_PODS)).filter(
    ({ metadata }) => metadata.deletionTimestamp === undefined,
  );
}

/** All of them, and of this version. */
async function operatorsReady(kube: Kube, version: string): Promise<void> {
  await until(`${REPLICAS} operators of ${version} are ready`, 120, async () => {
    const pods = await operators(kube);
    const fit = pods.filter((pod) => isPodReady(pod) && pod["spec"].containers[0].image.endsWith(`:${version}`));
    return fit.length === REPLICAS && pods.length === REPLICAS;
  });
}

/** One of those that are there holds the Lease. */
async function leads(kube: Kube): Promise<void> {
  await until("an operator leads", 90, async () => {
    const names = (await operators(kube)).map(({ metadata }) => metadata.name);
    const holders = (await kube.list("leases", HOME)).map((lease) => String(lease["spec"]?.holderIdentity ?? ""));
    return holders.some((holder) => names.some((name) => holder.includes(name)));
  });
}
