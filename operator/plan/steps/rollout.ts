/** Members that are not as the spec has them now are restarted, and so is one that could begin on an empty disk. */
import type { Decision } from "../decision.ts";
import { disrupt } from "../disrupt.ts";
import { beginsEmpty } from "../make.ts";
import { roll } from "../roll.ts";
import { isOutdated } from "../target.ts";
import type { View } from "../view.ts";
import { canRestartOne } from "./upgrade.ts";

export function rollout(view: View): Decision | undefined {
  if (!canRestartOne(view)) return undefined;
  return (
    roll(
      view,
      view.voters.filter((member) => isOutdated(view, member)),
      "the spec is rolled out",
    ) ?? arm(view)
  );
}

/** Where that was not done before it had a vote. */
function arm(view: View): Decision | undefined {
  const member = view.voters.find((one) => beginsEmpty(view, one));
  if (member === undefined || view.spec.update.strategy === "OnDelete") return undefined;
  return disrupt(view, member, "restart", `${member.name} could begin anew on an emptied disk`, {
    type: "Update",
    member: member.name,
    step: "Arming",
  });
}
