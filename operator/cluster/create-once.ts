/** Making an object whose name is its identity: it is made once, however often that is tried. */
import { ANNOTATIONS } from "../api/names.ts";
import { isAlreadyThere, type KubeObject, type Resource } from "../runtime/kube.ts";
import { type Acted, type Acting, DONE, refused } from "./acted.ts";
import { controllerUid } from "./facts/owner.ts";

/** One of this name that is ours was made by an attempt whose answer was lost; one of somebody else stays as it is. */
export async function createOnce({ world, cluster }: Acting, resource: Resource, object: KubeObject): Promise<Acted> {
  try {
    await world.kube.create(resource, object);
    return DONE;
  } catch (error) {
    if (!isAlreadyThere(error)) throw error;
  }
  const { name } = object.metadata;
  const found = await world.kube.get(resource, { namespace: cluster.metadata.namespace, name });
  if (found === undefined) return refused(`${resource.kind} "${name}" has just gone`);
  if (!isOf(found, cluster.metadata.uid)) return refused(`${resource.kind} "${name}" is there and not of this cluster`);
  if (found.metadata.deletionTimestamp !== undefined) return refused(`${resource.kind} "${name}" is still going`);
  return DONE;
}

/** Claims may have no owner and say in an annotation whose they are. */
function isOf({ metadata }: KubeObject, clusterUid: string): boolean {
  return controllerUid(metadata) === clusterUid || metadata.annotations?.[ANNOTATIONS.clusterUid] === clusterUid;
}
