/**
 * New members that could not join: the next one rests longer each time, and after some tries a person is asked. Nothing
 * else waits for that: members that are there go on being looked after.
 */
import type { OperationView } from "../api/etcd-cluster.ts";
import { wantsGrowth } from "./target.ts";
import { fromTime } from "./time.ts";
import type { View } from "./view.ts";

/** How often growing may fail before a person is asked, and how long it rests after each time. */
export const GROWTH_TRIES = 3;
const GROWTH_REST_MS = 60_000;

/** What a new member is for: the forming of the cluster, a repair, or growth. */
export function growthType(view: View): OperationView["type"] {
  const before = view.status.operation?.type;
  return before === "Bootstrap" || before === "Repair" || before === "Request" || before === "Update"
    ? before
    : "ScaleUp";
}

/** Why no member is added before the spec is changed; nothing while one may be. */
export function growthGivenUp(view: View): string | undefined {
  const tried = triedInVain(view);
  if (tried === undefined || tried.attempts < GROWTH_TRIES || !wantsGrowth(view)) return undefined;
  return `${tried.message}. Mend the cause and change the spec, then it is tried again`;
}

/** Until when the next one has to wait, and why; nothing when it need not. */
export function growthRest(view: View): { readonly untilMs: number; readonly message: string } | undefined {
  const tried = triedInVain(view);
  if (tried === undefined) return undefined;
  const untilMs = tried.endedAt + GROWTH_REST_MS * tried.attempts;
  return view.now < untilMs ? { untilMs, message: `${tried.message}: the next is tried soon` } : undefined;
}

/** Counted for one generation of the spec: another may have mended it. */
function triedInVain(
  view: View,
): { readonly attempts: number; readonly endedAt: number; readonly message: string } | undefined {
  const last = view.status.lastOperation;
  if (last?.result !== "Failed" || last.attempts === 0) return undefined;
  if (view.status.observedGeneration !== view.seen.cluster.metadata.generation) return undefined;
  const message = `${last.attempts} new members could not join, the last for: ${last.message || last.step}`;
  return { attempts: last.attempts, endedAt: fromTime(last.endedAt) ?? 0, message };
}
