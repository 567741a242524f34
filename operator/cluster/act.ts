/**
 * The one thing that a plan decided, done. Every action may be done twice: what is already as it should be is no error.
 * What was refused for a reason that a second look explains is told as such; what nobody knows the end of is thrown, and
 * the next pass looks at what became of it.
 */
import type { Action } from "../plan/action.ts";
import { issueCertificates } from "./act-certificates.ts";
import { actOnChild, deleteChild } from "./act-child.ts";
import { createClaim, deleteClaim, growClaim, markClaim } from "./act-claim.ts";
import { acceptSpec, addFinalizer, dropFinalizer } from "./act-cluster.ts";
import { addLearner, defragment, disarm, moveLeader, promote, removeMember } from "./act-etcd.ts";
import { createPod, deletePod, markPod } from "./act-pod.ts";
import { type Acted, type Acting, DONE } from "./acted.ts";

type Act<Kind extends Action["kind"]> = (acting: Acting, action: Extract<Action, { kind: Kind }>) => Promise<Acted>;

const ACTS: { readonly [Kind in Action["kind"]]: Act<Kind> } = {
  none: async () => DONE,
  "apply-child": actOnChild,
  "delete-child": deleteChild,
  "accept-spec": acceptSpec,
  "add-finalizer": addFinalizer,
  "drop-finalizer": dropFinalizer,
  "issue-certificates": issueCertificates,
  "create-claim": createClaim,
  "mark-claim": markClaim,
  "grow-claim": growClaim,
  "delete-claim": deleteClaim,
  "create-pod": createPod,
  "mark-pod": markPod,
  "delete-pod": deletePod,
  "add-learner": addLearner,
  promote,
  "remove-member": removeMember,
  "move-leader": moveLeader,
  defragment,
  disarm,
};

/** Does it. Rejects with a `KubeError` or an `EtcdRefusal` when the end is unknown, or it failed for a reason of its own. */
export function act(acting: Acting, action: Action): Promise<Acted> {
  return (ACTS[action.kind] as Act<Action["kind"]>)(acting, action as never);
}
