/**
 * Two of three members cannot run: nodes take no Pods, and the Pods are gone. The operator says QuorumLost with what can be
 * done, and touches nothing but the Pods that are missing; when nodes take Pods again the cluster is as it was.
 */
import { becomesReady, claimsOf, conditionOf, livesOf, podsOf, statusOf } from "./clusters.ts";
import { pause, until } from "./kube.ts";
import type { Load } from "./load-pod.ts";
import { CLUSTER, FIELD, type Suite } from "./suite.ts";
import { checkVerdict } from "./under-load.ts";

/** How long it is watched once it is said. */
const WATCHED_MS = 12_000;

export async function quorumLoss(suite: Suite, load: Load): Promise<void> {
  const { kube, report } = suite;
  const nodes = (await kube.list("nodes")).map(({ metadata }) => metadata.name);
  const before = await becomesReady(kube, CLUSTER, 120);
  const [survivor, ...victims] = await podsOf(kube, CLUSTER);
  const claims = await uidsOfClaims(suite);
  try {
    for (const node of nodes) await kube.kubectl(["cordon", node]);
    for (const { metadata } of victims) await kube.delete("pods", FIELD, metadata.name, 0);
    const available = await until("QuorumLost", 90, async () => {
      const condition = conditionOf(await kube.get("clusters", FIELD, CLUSTER), "Available");
      return condition?.reason === "QuorumLost" ? condition : undefined;
    });
    report.check(`Available is False, QuorumLost: ${available.message}`, /needed/.test(available.message));
    const { phase } = statusOf(await kube.get("clusters", FIELD, CLUSTER));
    report.check("kubectl get ec shows QuorumLost", phase === "QuorumLost", phase);
    // What would be done to a healthy cluster at once.
    await kube.patch("clusters", FIELD, CLUSTER, { spec: { replicas: 5, config: { logLevel: "warn" } } });
    await pause(WATCHED_MS);
    const pods = await podsOf(kube, CLUSTER);
    const lives = livesOf(pods);
    const name = survivor?.metadata.name ?? "";
    const isLeftAlone = lives[name] === livesOf(survivor === undefined ? [] : [survivor])[name];
    report.check(`${name}, which lives, is left alone`, isLeftAlone, JSON.stringify(lives));
    // One that never ran is made anew when the spec changes, and so may be away for a moment.
    const all = await until("three Pods", 30, async () => (await podsOf(kube, CLUSTER)).length === 3).catch(
      () => false,
    );
    report.check("the missing Pods are made, and no others", all);
    report.check("no claim was made or deleted", (await uidsOfClaims(suite)) === claims);
  } finally {
    await kube.patch("clusters", FIELD, CLUSTER, { spec: { replicas: 3, config: { logLevel: "info" } } });
    for (const node of nodes) await kube.kubectl(["uncordon", node]);
  }
  const after = await becomesReady(kube, CLUSTER, 240);
  const ids = (cluster: typeof after) =>
    statusOf(cluster)
      .members?.map(({ name, id }) => `${name}=${id}`)
      .sort()
      .join();
  report.check(
    "it comes back by itself with the members that it had",
    ids(after) === ids(before),
    `${ids(before)} ${ids(after)}`,
  );
  await load.fresh(60);
  checkVerdict(suite, await load.checkpoint());
}

async function uidsOfClaims({ kube }: Suite): Promise<string> {
  return (await claimsOf(kube, CLUSTER))
    .map(({ metadata }) => metadata.uid)
    .sort()
    .join();
}
