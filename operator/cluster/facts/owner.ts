/** Who controls an object: the one owner reference that says so. */
import type { ObjectMeta } from "../../runtime/kube.ts";

export function controllerUid({ ownerReferences }: ObjectMeta): string | undefined {
  return ownerReferences?.find(({ controller }) => controller === true)?.uid;
}
