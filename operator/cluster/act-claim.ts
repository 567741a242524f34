/** What is done to a member's claim of storage: the only copy of its data hangs on it. */
import { ANNOTATIONS } from "../api/names.ts";
import type { Action } from "../plan/action.ts";
import { isNotFound, type KubeObject } from "../runtime/kube.ts";
import { type Acted, type Acting, DONE, refused } from "./acted.ts";
import { createOnce } from "./create-once.ts";
import { claimFacts } from "./facts/claim.ts";
import { CLAIMS } from "./kinds.ts";

type Of<Kind extends Action["kind"]> = Extract<Action, { kind: Kind }>;

export function createClaim(acting: Acting, { object }: Of<"create-claim">): Promise<Acted> {
  return createOnce(acting, CLAIMS, object as unknown as KubeObject);
}

export async function markClaim({ world, cluster }: Acting, { claim, uid, marks }: Of<"mark-claim">): Promise<Acted> {
  const labels = { ...marks.metadata?.labels };
  const annotations = {
    ...marks.metadata?.annotations,
    ...(marks.state === undefined ? {} : { [ANNOTATIONS.state]: marks.state }),
    ...(marks.clusterId === undefined ? {} : { [ANNOTATIONS.clusterId]: marks.clusterId }),
    ...(marks.memberId === undefined ? {} : { [ANNOTATIONS.memberId]: marks.memberId }),
  };
  await world.kube.patch(CLAIMS, keyOf(cluster.metadata.namespace, claim), { metadata: { uid, labels, annotations } });
  return DONE;
}

export async function growClaim({ world, cluster }: Acting, { claim, uid, size }: Of<"grow-claim">): Promise<Acted> {
  const patch = { metadata: { uid }, spec: { resources: { requests: { storage: size } } } };
  await world.kube.patch(CLAIMS, keyOf(cluster.metadata.namespace, claim), patch);
  return DONE;
}

/** Looks at it once more: data is not deleted on what was known a moment ago. */
export async function deleteClaim({ world, cluster }: Acting, { claim, uid }: Of<"delete-claim">): Promise<Acted> {
  const key = keyOf(cluster.metadata.namespace, claim);
  const found = await world.kube.get(CLAIMS, key);
  if (found === undefined || found.metadata.uid !== uid) return DONE;
  if (claimFacts(found).clusterUid !== cluster.metadata.uid) return refused(`claim "${claim}" is not of this cluster`);
  const { resourceVersion } = found.metadata;
  try {
    await world.kube.delete(CLAIMS, key, { uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return DONE;
}

function keyOf(namespace: string, name: string) {
  return { namespace, name };
}
