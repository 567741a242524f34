/** Members that run another version are restarted with the one wanted, before any member is added. */
import type { Decision } from "../decision.ts";
import { roll } from "../roll.ts";
import { isOtherVersion } from "../target.ts";
import type { View } from "../view.ts";

export function upgrade(view: View): Decision | undefined {
  if (!canRestartOne(view)) return undefined;
  const outdated = view.voters.filter((member) => isOtherVersion(view, member));
  return roll(view, outdated, `version ${view.spec.version} is rolled out`);
}

/**
 * Two voters can spare none, so that a third has to come, or the second to go, first. Members without a disk of their
 * own are not restarted but replaced, by scaling.
 */
export function canRestartOne(view: View): boolean {
  return view.isPersistent && view.voterCount !== 2;
}
