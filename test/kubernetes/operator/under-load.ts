/**
 * Steps of what a living cluster goes through while clients write and watch. Each has a name, and a bound for the longest time
 * in which nobody's write is acknowledged; after each the cluster must be Ready again as it was at first, nothing
 * acknowledged lost and no event missed. A new one is a function and a line in STEPS (steps.ts).
 */
import type { Verdict } from "./checker.ts";
import { longestGap } from "./checker.ts";
import { AS_IT_WAS, becomesReady, isPodReady, podsOf } from "./clusters.ts";
import { pause, type Thing } from "./kube.ts";
import type { Load } from "./load-pod.ts";
import { CLUSTER, FIELD, isChosen, type Suite } from "./suite.ts";

export interface Field extends Suite {
  readonly load: Load;
  /** Where the load client runs: no step may take this node. */
  readonly loadNode: string;
}

export interface Step {
  readonly name: string;
  /** Milliseconds; the longest gap in writes that it may make. */
  readonly boundMs: number;
  /** Only with `--all`, or when it is named. */
  readonly isLong?: boolean;
  /** Switches nodes off. */
  readonly needsNodes?: boolean;
  readonly run: (field: Field) => Promise<void>;
}

/** The cluster's Ready again, in seconds. */
const READY_SECONDS = 240;

/** Runs the chosen ones. Ends early only when the cluster cannot be brought back to what it was. */
export async function runSteps(field: Field, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    if (!isChosen(field.options, step.name, step.isLong === true)) continue;
    if (step.needsNodes === true && field.harness.nodes === undefined) {
      field.report.skip(step.name, "nodes of this cluster cannot be switched off");
      continue;
    }
    await runStep(field, step);
  }
}

async function runStep(field: Field, { name, boundMs, run }: Step): Promise<void> {
  const { kube, load, report } = field;
  await load.fresh(60);
  const begin = load.batches.length;
  try {
    await run(field);
    report.check(name, true);
  } catch (error) {
    report.check(name, false, (error as Error).message);
  }
  await kube.patch("clusters", FIELD, CLUSTER, AS_IT_WAS);
  await becomesReady(kube, CLUSTER, READY_SECONDS);
  await load.fresh(60);
  const gap = longestGap(load.batches, begin, load.batches.length);
  report.check(`  longest gap in writes ${seconds(gap)}, at most ${seconds(boundMs)}`, gap <= boundMs);
  checkVerdict(field, await load.checkpoint());
}

export function checkVerdict({ report }: Suite, verdict: Verdict): void {
  const { acknowledged, unknown, events, problems } = verdict;
  const text = `  ${acknowledged} acknowledged writes, 0 lost; ${events} events, 0 missed; ${unknown} writes of unknown outcome`;
  report.check(text, problems.length === 0, problems.join("; "));
}

export function seconds(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1000).toFixed(1)} s` : "without end";
}

/** Changes the spec of the load's cluster. */
export function change({ kube }: Field, spec: object): Promise<Thing> {
  return kube.patch("clusters", FIELD, CLUSTER, { spec });
}

/** Looks at the members while `work` goes on; answers how many of them were away at most at any one time. */
export async function mostAway<T>({ kube }: Field, size: number, work: () => Promise<T>): Promise<number> {
  let most = 0;
  let isOver = false;
  const looking = (async () => {
    while (!isOver) {
      const pods = await podsOf(kube, CLUSTER).catch(() => undefined);
      const here = pods?.filter((pod) => isPodReady(pod) && pod.metadata.deletionTimestamp === undefined).length;
      if (here !== undefined) most = Math.max(most, size - here);
      await pause(400);
    }
  })();
  try {
    await work();
  } finally {
    isOver = true;
    await looking;
  }
  return most;
}

/** An Error where it is not so. */
export function expect(isSo: boolean, text: string): void {
  if (!isSo) throw new Error(text);
}
