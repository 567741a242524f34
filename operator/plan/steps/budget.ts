/**
 * The disruption budget follows the membership: it is raised before a member is added and lowered after one has gone.
 * It counts by number, never by share: a share would follow the voters down while one after the other is drained.
 */
import { disruptionBudgetName } from "../../api/names.ts";
import { acting, type Decision } from "../decision.ts";
import { growthGivenUp } from "../growth.ts";
import { budgetFloor } from "../quorum.ts";
import { isUpgradePending, wantsGrowth } from "../target.ts";
import type { View } from "../view.ts";
import { hasDrifted, keyOf, stamped } from "./children.ts";

export function budget(view: View): Decision | undefined {
  const key = `PodDisruptionBudget/${disruptionBudgetName(view.cluster.metadata.name)}`;
  const found = view.seen.children.get(key);
  if (!wantsBudget(view)) {
    if (found === undefined) return undefined;
    return acting({ kind: "delete-child", child: key, uid: found.uid }, "the disruption budget is taken away");
  }
  const floor = Math.max(
    budgetFloor(votersToCome(view), votersWanted(view)),
    view.list === undefined ? lowest(view) : 0,
  );
  const object = stamped(view.builders.budget(view.cluster, floor));
  if (!hasDrifted(found, object)) return undefined;
  return acting({ kind: "apply-child", object }, `${keyOf(object)} is set to ${floor} at least`);
}

/** One that is added counts from before it is added, whether it is wanted for good or until another has gone. */
function votersToCome(view: View): number {
  return view.voterCount + (view.learners.length > 0 || (view.isBorn && isGrowthToCome(view)) ? 1 : 0);
}

/**
 * Members of another version are restarted before any is added, and need what the voters of now can spare; so do members
 * of a cluster that could not grow. Until one is to be added the size to come is not counted.
 */
function votersWanted(view: View): number {
  return isUpgradePending(view) || growthGivenUp(view) !== undefined ? 0 : view.spec.replicas;
}

function isGrowthToCome(view: View): boolean {
  return wantsGrowth(view) && !isUpgradePending(view) && growthGivenUp(view) === undefined;
}

/** A single member could never be drained with one, and members that are all to stop need none. */
function wantsBudget(view: View): boolean {
  return (
    view.spec.disruptionBudget.enabled && !view.spec.hibernate && Math.max(votersToCome(view), view.spec.replicas) > 1
  );
}

/** While nobody knows how many voters there are, it is not lowered. */
function lowest(view: View): number {
  return view.seen.budget?.minAvailable ?? 0;
}
