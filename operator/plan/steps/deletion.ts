/** The cluster is to go: its Pods, then where asked its volumes; nobody is asked to leave, as all leave. */
import { FINALIZER } from "../../api/names.ts";
import { acting, type Decision, waiting } from "../decision.ts";
import { isNodeLost, isNodeSilent, ownClaims } from "../members.ts";
import type { View } from "../view.ts";

/** Pods and claims that terminate on a node which does not answer hold nothing up: they go with their node. */
export function deletion(view: View): Decision | undefined {
  const { metadata } = view.seen.cluster;
  if (metadata.deletionTimestamp === undefined) return undefined;
  if (metadata.finalizers?.includes(FINALIZER) !== true) return waiting("the object is going", { againInMs: 30_000 });
  return deletePods(view) ?? deleteClaims(view) ?? acting({ kind: "drop-finalizer" }, "everything of it is gone");
}

function deletePods(view: View): Decision | undefined {
  for (const member of view.members) {
    const { pod } = member;
    if (pod === undefined) continue;
    if (!pod.isTerminating || isNodeLost(member))
      return acting(
        {
          kind: "delete-pod",
          pod: pod.name,
          uid: pod.uid,
          why: "the cluster is deleted",
          ...(isNodeLost(member) && { isForced: true }),
        },
        `the Pod of ${member.name} is deleted`,
      );
  }
  const going = view.members.find((member) => member.pod !== undefined && !isNodeSilent(member));
  return going === undefined ? undefined : waiting(`the Pod of ${going.name} is terminating`);
}

function deleteClaims(view: View): Decision | undefined {
  if (view.spec.storage.reclaim.onDelete !== "Delete") return undefined;
  const claims = ownClaims(view.seen);
  const next = claims.find((claim) => !claim.isTerminating);
  if (next !== undefined)
    return acting(
      { kind: "delete-claim", claim: next.name, uid: next.uid },
      `claim ${next.name} is deleted, as spec.storage.reclaim.onDelete asks`,
    );
  const going = claims.find(
    (claim) => !view.members.some((member) => member.name === claim.member && isNodeSilent(member)),
  );
  return going === undefined ? undefined : waiting(`claim ${going.name} is terminating`);
}
