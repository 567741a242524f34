/** What is done to a member's Pod. */
import { ANNOTATIONS, LABELS } from "../api/names.ts";
import type { Action, PodMarks } from "../plan/action.ts";
import { isNotFound, type KubeObject } from "../runtime/kube.ts";
import { type Acted, type Acting, DONE } from "./acted.ts";
import { createOnce } from "./create-once.ts";
import { PODS } from "./kinds.ts";

type Of<Kind extends Action["kind"]> = Extract<Action, { kind: Kind }>;

export function createPod(acting: Acting, { object }: Of<"create-pod">): Promise<Acted> {
  return createOnce(acting, PODS, object as unknown as KubeObject);
}

/** By uid: one of this name that somebody has made since is left alone. */
export async function deletePod({ world, cluster }: Acting, action: Of<"delete-pod">): Promise<Acted> {
  const key = { namespace: cluster.metadata.namespace, name: action.pod };
  const options = action.isForced === true ? { uid: action.uid, gracePeriodSeconds: 0 } : { uid: action.uid };
  try {
    await world.kube.delete(PODS, key, options);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return DONE;
}

export async function markPod({ world, cluster }: Acting, { pod, uid, marks }: Of<"mark-pod">): Promise<Acted> {
  const key = { namespace: cluster.metadata.namespace, name: pod };
  await world.kube.patch(PODS, key, { metadata: { uid, ...podPatch(marks) } });
  return DONE;
}

function podPatch({ role, dropsRole, memberId, certificateHash, metadata }: PodMarks): object {
  return {
    labels: {
      ...metadata?.labels,
      ...(role === undefined && dropsRole !== true ? {} : { [LABELS.role]: dropsRole === true ? null : role }),
    },
    annotations: {
      ...metadata?.annotations,
      ...(memberId === undefined ? {} : { [ANNOTATIONS.memberId]: memberId }),
      ...(certificateHash === undefined ? {} : { [ANNOTATIONS.certificateHash]: certificateHash }),
    },
  };
}
