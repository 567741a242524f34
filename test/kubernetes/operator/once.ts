/** A cluster is born once: whatever is deleted, at whatever moment, no second one is begun under its name. */
import { ANNOTATIONS } from "../../../operator/api/names.ts";
import { Prng } from "../../../server/base/prng.ts";
import {
  becomesReady,
  claimsOf,
  clusterObject,
  conditionOf,
  idsOnClaims,
  isReady,
  podsOf,
  statusOf,
} from "./clusters.ts";
import { operators } from "./install.ts";
import { pause, until } from "./kube.ts";
import type { Load } from "./load-pod.ts";
import { CLUSTER, FIELD, HOME, type Suite } from "./suite.ts";
import { checkVerdict } from "./under-load.ts";

/** All Pods of a living cluster at once; what clients were told is written is still there. */
export async function allPodsGone(suite: Suite, load: Load): Promise<void> {
  const { kube } = suite;
  const before = await becomesReady(kube, CLUSTER, 120);
  for (const { metadata } of await podsOf(kube, CLUSTER)) await kube.delete("pods", FIELD, metadata.name, 0);
  await until("the operator has seen it", 60, async () => !isReady(await kube.get("clusters", FIELD, CLUSTER)));
  await becomesReady(kube, CLUSTER, 240);
  await checkId(suite, "all Pods were deleted", statusOf(before).clusterID);
  await load.fresh(60);
  checkVerdict(suite, await load.checkpoint());
}

/** The status and all Pods; with `--all` before that the status alone, which is seen by the next pass at rest, within a minute. */
export async function statusGone(suite: Suite, load: Load): Promise<void> {
  const { kube, report, options } = suite;
  const { clusterID } = statusOf(await becomesReady(kube, CLUSTER, 120));
  for (const isWithPods of options.isAll ? [false, true] : [true]) {
    await loseStatus(suite);
    if (isWithPods)
      for (const { metadata } of await podsOf(kube, CLUSTER)) await kube.delete("pods", FIELD, metadata.name, 0);
    await until("the status is written again", 90, async () => {
      const { clusterID: now } = statusOf(await kube.get("clusters", FIELD, CLUSTER));
      return now !== undefined;
    });
    await becomesReady(kube, CLUSTER, 240);
    await checkId(suite, isWithPods ? "status and all Pods were deleted" : "the status was deleted", clusterID);
  }
  report.check("writes are acknowledged again", await load.fresh(60).then(() => true));
  checkVerdict(suite, await load.checkpoint());
}

async function loseStatus({ kube }: Suite): Promise<void> {
  const status = statusOf(await kube.get("clusters", FIELD, CLUSTER));
  const nothing = Object.fromEntries(Object.keys(status).map((field) => [field, null]));
  await kube.patch("clusters", FIELD, CLUSTER, { status: { ...nothing, observedGeneration: -1 } }, "/status");
}

async function checkId({ kube, report }: Suite, what: string, id: string | undefined): Promise<void> {
  const { clusterID } = statusOf(await kube.get("clusters", FIELD, CLUSTER));
  const claims = idsOnClaims(await claimsOf(kube, CLUSTER));
  const isSame = id !== undefined && clusterID === id && claims.length === 1 && claims[0] === id;
  report.check(
    `${what}: the cluster id is still ${id}, in the status and on every claim`,
    isSame,
    `${clusterID} ${claims}`,
  );
}

/** Births with an operator that dies, a Pod or a status that goes, at moments that the seed chooses. */
export async function disturbedBirths(suite: Suite, births: number): Promise<void> {
  const { kube, report, options } = suite;
  const chance = new Prng(options.seed + 1);
  for (let birth = 0; birth < births; birth++) {
    const name = `born-${birth}`;
    await kube.create("clusters", FIELD, clusterObject(name));
    const ids = new Set<string>();
    let isOver = false;
    const looking = lookAtIds(suite, name, ids, () => isOver);
    const done: string[] = [];
    try {
      for (let blow = 0; blow < 6; blow++) {
        await pause(300 + chance.below(4000));
        done.push(await strike(suite, name, chance));
      }
      await becomesReady(kube, name, 240);
    } finally {
      isOver = true;
      await looking;
    }
    const claims = idsOnClaims(await claimsOf(kube, name));
    report.check(
      `a birth with ${done.join(", ")}: one cluster id, on every claim`,
      ids.size === 1 && claims.length === 1,
      `${[...ids]} ${claims}`,
    );
    await remove(suite, name);
  }
}

async function strike({ kube }: Suite, name: string, chance: Prng): Promise<string> {
  const blow = chance.below(3);
  if (blow === 0) {
    const all = await operators(kube);
    for (const { metadata } of all) await kube.delete("pods", HOME, metadata.name, 0);
    return "the operators killed";
  }
  if (blow === 1) {
    const pods = await podsOf(kube, name);
    for (const { metadata } of pods) await kube.delete("pods", FIELD, metadata.name, 0);
    return `${pods.length} Pods deleted`;
  }
  const { clusterID } = statusOf(await kube.get("clusters", FIELD, name));
  await kube.patch(
    "clusters",
    FIELD,
    name,
    { status: { clusterID: null, initialized: null, members: null } },
    "/status",
  );
  return clusterID === undefined ? "an empty status emptied" : "the status emptied";
}

/** Every id that status or claims ever show. */
async function lookAtIds({ kube }: Suite, name: string, ids: Set<string>, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    try {
      const { clusterID } = statusOf(await kube.get("clusters", FIELD, name));
      if (clusterID !== undefined) ids.add(clusterID);
      for (const { metadata } of await claimsOf(kube, name)) {
        const id = metadata.annotations?.[ANNOTATIONS.clusterId];
        if (id !== undefined) ids.add(id);
      }
    } catch {
      // The next look comes at once.
    }
    await pause(150);
  }
}

/** Pods and claims of a cluster that was born: the operator stops, and begins no new one. */
export async function everythingGone(suite: Suite): Promise<void> {
  const { kube, report } = suite;
  const name = "lost";
  await kube.create("clusters", FIELD, clusterObject(name, { replicas: 1 }));
  const { clusterID } = statusOf(await becomesReady(kube, name, 120));
  const claims = await claimsOf(kube, name);
  for (const { metadata } of claims) await kube.delete("claims", FIELD, metadata.name);
  for (const { metadata } of await podsOf(kube, name)) await kube.delete("pods", FIELD, metadata.name, 0);
  const stalled = await until("Stalled", 120, async () => {
    const condition = conditionOf(await kube.get("clusters", FIELD, name), "Stalled");
    return condition?.status === "True" ? condition : undefined;
  });
  const isSaid = stalled.reason === "AllMembersLost" || stalled.reason === "QuorumUnrecoverable";
  report.check(`without Pod and claim it is Stalled: ${stalled.reason}`, isSaid, stalled.message);
  await pause(10_000);
  const { clusterID: after } = statusOf(await kube.get("clusters", FIELD, name));
  const made = await claimsOf(kube, name);
  report.check(
    "no second cluster was begun",
    after === clusterID && made.length === 0,
    `${after} ${made.length} claims`,
  );
  await remove(suite, name);
}

async function remove({ kube }: Suite, name: string): Promise<void> {
  await kube.delete("clusters", FIELD, name);
  await until(`${name} is gone`, 120, async () => {
    const left = await claimsOf(kube, name);
    return (await kube.get("clusters", FIELD, name)) === undefined && left.length === 0;
  });
}
