/** What is done to the objects that a cluster owns whole: they are as the operator wants them, or not at all. */
import { FIELD_MANAGER } from "../api/names.ts";
import type { Action } from "../plan/action.ts";
import { isNotFound, type KubeObject } from "../runtime/kube.ts";
import { type Acted, type Acting, DONE, refused } from "./acted.ts";
import { controllerUid } from "./facts/owner.ts";
import { resourceOfKind } from "./kinds.ts";

type Of<Kind extends Action["kind"]> = Extract<Action, { kind: Kind }>;

/** Looks first, since what a cache says may be old, and an object of somebody else must not be taken over. */
export async function actOnChild({ world, cluster }: Acting, { object }: Of<"apply-child">): Promise<Acted> {
  const resource = resourceOfKind(object.kind);
  const { namespace, name } = object.metadata;
  const found = await world.kube.get(resource, { namespace, name });
  if (found !== undefined && controllerUid(found.metadata) !== cluster.metadata.uid)
    return refused(`${object.kind} "${name}" is there and not of this cluster: rename or delete it`);
  await world.kube.apply(resource, object as unknown as KubeObject, { fieldManager: FIELD_MANAGER, force: true });
  return DONE;
}

/** `child`: "Kind/name". */
export async function deleteChild({ world, cluster }: Acting, { child, uid }: Of<"delete-child">): Promise<Acted> {
  const [kind = "", name = ""] = child.split("/");
  try {
    await world.kube.delete(resourceOfKind(kind), { namespace: cluster.metadata.namespace, name }, { uid });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return DONE;
}
