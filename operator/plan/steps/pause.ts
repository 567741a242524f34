/** While a cluster is paused it is observed and reported, and nothing is done to it. */
import { type Decision, waiting } from "../decision.ts";
import type { View } from "../view.ts";

export function pause(view: View): Decision | undefined {
  return view.seen.cluster.spec.paused
    ? waiting("spec.paused is true: nothing is changed", { againInMs: 30_000 })
    : undefined;
}
