/** Labels and annotations that everything of a cluster is to have come to its Pods and claims where they are. */
import { inheritanceChange } from "../../resources/inherited.ts";
import { acting, type Decision } from "../decision.ts";
import type { View } from "../view.ts";

export function inherited(view: View): Decision | undefined {
  for (const { pod, claim } of view.members) {
    const ofPod = pod === undefined || pod.isTerminating ? undefined : inheritanceChange(view.cluster, "pod", pod);
    if (pod !== undefined && ofPod !== undefined)
      return acting(
        { kind: "mark-pod", pod: pod.name, uid: pod.uid, marks: { metadata: ofPod } },
        `Pod ${pod.name} gets the labels and annotations that spec.inheritedMetadata asks for`,
      );
    const ofClaim =
      claim === undefined || claim.isTerminating ? undefined : inheritanceChange(view.cluster, "claim", claim);
    if (claim !== undefined && ofClaim !== undefined)
      return acting(
        { kind: "mark-claim", claim: claim.name, uid: claim.uid, marks: { metadata: ofClaim } },
        `claim ${claim.name} gets the labels and annotations that spec.inheritedMetadata asks for`,
      );
  }
  return undefined;
}
