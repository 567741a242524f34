/**
 * `npm run test:kubernetes -- operator`: the operator and its clusters on a real Kubernetes.
 *
 *   --all            everything; without it what fits into twelve minutes
 *   --only WORD      parts and steps with the word in their name (may be given several times)
 *   --seed NUMBER    of what is left to chance; it is printed
 *   --keep           the Kubernetes stays up, and what the suite has made in it
 *   --no-build       images are those that the nodes have
 *
 * How it is made. This program runs on the host and drives kubectl, helm and the API (kube.ts); nothing of it runs inside but
 * a load client (load.ts): a Pod of the server's own image that writes and watches through the client Service and says in
 * its log what it was told. The host reads that log (load-pod.ts), and a pure checker (checker.ts) judges after each step:
 * every acknowledged write there, every event seen once and in order. So that its silence means something, mistakes are
 * planted in its record and in a real store. Images are built from the working tree and from an earlier commit (images.ts).
 * Parts run in the order below; steps under load are a table (steps.ts), each with its bound for the gap in writes: a new one
 * is a function and a line there. Where the Kubernetes comes from is in harness.ts.
 */
import { existsSync } from "node:fs";
import { findTool } from "../support/tools.ts";
import { badSpecs } from "./operator/bad-specs.ts";
import { birth, columns, stalledHelm } from "./operator/birth.ts";
import { type Harness, openHarness } from "./operator/harness.ts";
import { type Images, makeImages } from "./operator/images.ts";
import { cleanUp, helmTest, install, makeNamespaces, upgradeOperator } from "./operator/install.ts";
import { Kube } from "./operator/kube.ts";
import { Load, prepareLoads } from "./operator/load-pod.ts";
import { allPodsGone, disturbedBirths, everythingGone, statusGone } from "./operator/once.ts";
import { plantInRecord, plantInStore } from "./operator/planted-load.ts";
import { quorumLoss } from "./operator/quorum.ts";
import { Report } from "./operator/report.ts";
import { endAll } from "./operator/shell.ts";
import { STEPS } from "./operator/steps.ts";
import { CLUSTER, isChosen, readOptions, type Suite } from "./operator/suite.ts";
import { checkVerdict, runSteps } from "./operator/under-load.ts";

const NO_SKIP = process.env["KVORUM_NO_SKIP"] === "1";

interface Part {
  readonly name: string;
  readonly isLong?: boolean;
  readonly run: (suite: Suite, load: Load) => Promise<void>;
}

/** While the load goes on. */
const UNDER_LOAD: readonly Part[] = [
  { name: "the checker catches mistakes in a real store", run: plantInStore },
  { name: "all Pods deleted: bootstrap never twice", run: allPodsGone },
  { name: "status deleted: bootstrap never twice", run: statusGone },
  { name: "quorum lost: nothing is touched", run: quorumLoss },
  { name: "helm upgrade of the operator restarts no member", run: upgradeOperator },
];

/** Beside it or after it. */
const ALONE: readonly Part[] = [
  { name: "bad specs", run: badSpecs },
  {
    name: "birth disturbed: bootstrap never twice",
    run: (suite) => disturbedBirths(suite, suite.options.isAll ? 5 : 1),
  },
  { name: "everything deleted: bootstrap never twice", run: everythingGone },
  { name: "helm test", isLong: true, run: helmTest },
];

/** A part that fails is told, and the next one is tried: each begins by waiting until the cluster is well. */
async function runParts(suite: Suite, load: Load, parts: readonly Part[]): Promise<void> {
  for (const { name, isLong = false, run } of parts) {
    if (!isChosen(suite.options, name, isLong)) continue;
    suite.report.title(name);
    await run(suite, load).catch((error: Error) => suite.report.check(name, false, error.message));
  }
}

async function runAll(suite: Suite): Promise<void> {
  const { kube, report, images } = suite;
  report.title("helm install");
  await makeNamespaces(kube);
  await install(suite);
  await prepareLoads(kube);
  report.title("an EtcdCluster of three");
  await birth(suite);
  await columns(suite);
  if (isChosen(suite.options, "helm --wait when Stalled", false)) await stalledHelm(suite);
  report.title(`under load; "earlier" is ${images.earlier}`);
  const loadNode = await nodeOfLoad(suite);
  const load = await Load.start(kube, { name: "steady", cluster: CLUSTER, node: loadNode });
  try {
    await runSteps({ ...suite, load, loadNode }, STEPS);
    await runParts(suite, load, UNDER_LOAD);
    report.title("the whole load, and mistakes planted in it");
    checkVerdict(suite, await load.end());
    plantInRecord(suite, load);
  } finally {
    load.stop();
  }
  await runParts(suite, load, ALONE);
}

async function nodeOfLoad({ kube }: Suite): Promise<string> {
  const [node] = await kube.list("nodes");
  if (node === undefined) throw new Error("there is no node");
  return node.metadata.name;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  const report = new Report();
  const programs = { kubectl: findTool("kubectl"), helm: findTool("helm") };
  if (programs.kubectl === undefined || programs.helm === undefined) return skip("it needs kubectl and helm 4 on PATH");
  const { kubectl, helm } = programs;
  console.log(`seed ${options.seed}`);
  const harness = await openHarness();
  if (typeof harness === "string") return skip(harness);
  let images: Images | undefined;
  onSignals(harness, options.keeps);
  try {
    if (!existsSync(harness.kubeconfig)) throw new Error(`there is no kubeconfig at ${harness.kubeconfig}`);
    report.title("images");
    images = await makeImages(harness, report, options.hasImages);
    const kube = new Kube(harness.kubeconfig, { kubectl, helm });
    await cleanUp(kube);
    await runAll({ kube, harness, images, report, options });
    // A cluster that is taken away as a whole need not be cleaned.
    if (!options.keeps && harness.nodes === undefined) await cleanUp(kube);
  } catch (error) {
    report.check(
      "the suite comes to its end",
      false,
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    );
  } finally {
    images?.remove();
    if (!options.keeps) await harness.down();
  }
  return report.end(NO_SKIP) ? 0 : 1;
}

function skip(reason: string): number {
  console.log(`SKIPPED: the operator on a real Kubernetes: ${reason}`);
  return NO_SKIP ? 1 : 0;
}

function onSignals(harness: Harness, keeps: boolean): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      endAll();
      const down = keeps ? Promise.resolve() : harness.down();
      void down
        .catch((error: Error) => console.error(error.message))
        .then(() => process.exit(signal === "SIGINT" ? 130 : 143));
    });
}

process.exitCode = await main();
// Followers of logs may still wait for a cluster that is gone.
process.exit();
