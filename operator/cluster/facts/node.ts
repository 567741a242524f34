/** What a plan knows of a node. */
import type { NodeFacts } from "../../plan/observation.ts";
import { fromTime } from "../../plan/time.ts";
import type { KubeObject } from "../../runtime/kube.ts";
import { type ConditionJson, conditionOf } from "./conditions.ts";

export interface NodeJson extends KubeObject {
  readonly spec?: { readonly taints?: readonly { readonly key: string }[] };
  readonly status?: { readonly conditions?: readonly ConditionJson[] };
}

/** Somebody vouches for it that nothing runs there any more. */
const OUT_OF_SERVICE = "node.kubernetes.io/out-of-service";
const ZONE = "topology.kubernetes.io/zone";

/** The API server says that there is no such node. */
export const GONE_NODE: NodeFacts = {
  isGone: true,
  isReady: false,
  notReadySince: undefined,
  isOutOfService: false,
  zone: undefined,
};

/** A node whose kubelet has gone silent is Unknown, which is not ready either. */
export function nodeFacts({ metadata, spec, status }: NodeJson): NodeFacts {
  const ready = conditionOf(status?.conditions, "Ready");
  const isReady = ready?.status === "True";
  return {
    isReady,
    notReadySince: isReady ? undefined : fromTime(ready?.lastTransitionTime ?? metadata.creationTimestamp),
    isOutOfService: spec?.taints?.some(({ key }) => key === OUT_OF_SERVICE) === true,
    zone: metadata.labels?.[ZONE],
  };
}
