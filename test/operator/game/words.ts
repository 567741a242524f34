/** An action in a few words, for a trace. */
import type { Action } from "../../../operator/plan/action.ts";
import { flagsOf } from "./objects.ts";

export function describe(action: Action): string {
  switch (action.kind) {
    case "none":
    case "accept-spec":
    case "add-finalizer":
    case "drop-finalizer":
      return action.kind;
    case "apply-child":
      return `apply ${action.object.kind}/${action.object.metadata.name}${minAvailableOf(action.object)}`;
    case "delete-child":
      return `delete ${action.child}`;
    case "issue-certificates":
      return `issue ${action.secrets.join(", ")}`;
    case "create-claim":
      return `create claim of ${action.member}`;
    case "mark-claim":
      return `mark ${action.claim} ${JSON.stringify(action.marks)}`;
    case "grow-claim":
      return `grow ${action.claim} to ${action.size}`;
    case "delete-claim":
      return `delete ${action.claim}`;
    case "create-pod": {
      const { flags } = flagsOf(action.object);
      const expects = flags.expectsData ? " expecting data" : "";
      return `create Pod ${action.member} ${flags.version} ${flags.isNew ? "NEW" : "existing"}${expects} among ${flags.initialCluster.size}`;
    }
    case "mark-pod":
      return `mark Pod ${action.pod} ${JSON.stringify(action.marks)}`;
    case "delete-pod":
      return `delete Pod ${action.pod}${action.isForced === true ? " by force" : ""} (${action.why})`;
    case "add-learner":
      return `add ${action.member} as a learner via ${action.via}`;
    case "promote":
      return `promote ${action.member} via ${action.via}`;
    case "remove-member":
      return `remove ${action.member} (${action.memberId}) via ${action.via}`;
    case "move-leader":
      return `move the leader from ${action.from} to ${action.to}`;
    case "defragment":
      return `defragment ${action.member}`;
    case "disarm":
      return `disarm ${action.alarm} of ${action.memberId} via ${action.via}`;
  }
}

function minAvailableOf(object: object): string {
  const { spec } = object as { readonly spec?: { readonly minAvailable?: number } };
  return spec?.minAvailable === undefined ? "" : ` minAvailable ${spec.minAvailable}`;
}
