/** What a plan knows of the other objects that a cluster has: Services, budget, ConfigMap, ServiceAccount, Certificates. */
import type { BudgetFacts, ChildFacts } from "../../plan/observation.ts";
import type { KubeObject } from "../../runtime/kube.ts";
import { controllerUid } from "./owner.ts";

export function childFacts(object: KubeObject): ChildFacts {
  return {
    uid: object.metadata.uid ?? "",
    ownerUid: controllerUid(object.metadata),
    object: object as unknown as Readonly<Record<string, unknown>>,
  };
}

/** The name under which a plan finds it: "Service/example-client". */
export function childKey({ kind, metadata }: Pick<KubeObject, "kind" | "metadata">): string {
  return `${kind}/${metadata.name}`;
}

export interface BudgetJson extends KubeObject {
  readonly spec?: { readonly minAvailable?: number | string };
  readonly status?: { readonly disruptionsAllowed?: number; readonly observedGeneration?: number };
}

/** A budget in percent is none of ours: its number is not known, and so 0. */
export function budgetFacts({ metadata, spec, status }: BudgetJson): BudgetFacts {
  const minAvailable = spec?.minAvailable;
  return {
    minAvailable: typeof minAvailable === "number" ? minAvailable : 0,
    disruptionsAllowed: status?.disruptionsAllowed ?? 0,
    isCurrent: status?.observedGeneration !== undefined && status.observedGeneration === metadata.generation,
  };
}
