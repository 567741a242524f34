/**
 * A hibernated cluster keeps its volumes and its membership and runs no Pod. All members stop, so nobody's health is
 * asked; the leader is the last, so that what was acknowledged has reached the others. Waking needs no step of its own:
 * Pods of known members are missing, and are made.
 */
import { type Decision, waiting } from "../decision.ts";
import { deletePod } from "../disrupt.ts";
import { isNodeLost, isNodeSilent } from "../members.ts";
import type { View } from "../view.ts";

export function hibernate(view: View): Decision | undefined {
  if (!view.spec.hibernate) return undefined;
  const running = view.members
    .filter((member) => member.pod !== undefined && (!member.pod.isTerminating || isNodeLost(member)))
    .sort((left, right) => Number(left.isLeader) - Number(right.isLeader) || right.serial - left.serial);
  const [next] = running;
  if (next !== undefined)
    return deletePod(next, "the cluster hibernates", { type: "Hibernate", member: next.name, step: "StoppingMember" });
  const going = view.members.find((member) => member.pod !== undefined && !isNodeSilent(member));
  if (going !== undefined)
    return waiting(`the Pod of ${going.name} is terminating`, {
      doing: { type: "Hibernate", member: going.name, step: "StoppingMember" },
    });
  return waiting("spec.hibernate is true: no Pod runs, volumes and membership are kept", { againInMs: 30_000 });
}
