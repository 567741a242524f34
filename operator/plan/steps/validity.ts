/** A bad spec changes nothing; a good one is kept whole before anything is done for it. */
import { FINALIZER } from "../../api/names.ts";
import { acting, type Decision, stalled } from "../decision.ts";
import type { View } from "../view.ts";

export function validity(view: View): Decision | undefined {
  const { wish } = view;
  if (wish.state === "refused" && !wish.isUsable) return stalled(wish.reason ?? "InvalidSpec", wish.message ?? "");
  if (view.seen.namespaceIsTerminating)
    return {
      action: { kind: "none" },
      message: "the namespace is terminating: nothing can be made in it",
      againInMs: 30_000,
    };
  if (view.seen.cluster.metadata.finalizers?.includes(FINALIZER) !== true)
    return acting({ kind: "add-finalizer" }, "the object is held until its Pods are gone");
  if (wish.state === "new") return acting({ kind: "accept-spec", spec: wish.inForce }, "the spec is accepted");
  return undefined;
}
