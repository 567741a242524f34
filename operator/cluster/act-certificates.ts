/** Issuing: what the operator's authorities sign, and copies of what others bring, written where members read them. */

import { ANNOTATIONS, FIELD_MANAGER } from "../api/names.ts";
import { certificateWork, type SecretWrite } from "../certificates/work.ts";
import type { Action } from "../plan/action.ts";
import { metadataOf } from "../resources/metadata.ts";
import { isAlreadyThere, type KubeObject } from "../runtime/kube.ts";
import { type Acted, type Acting, DONE, refused } from "./acted.ts";
import { controllerUid } from "./facts/owner.ts";
import { SECRETS } from "./kinds.ts";

type Issue = Extract<Action, { kind: "issue-certificates" }>;

/** Of the Secrets that the plan names those that are still due, in the order in which one is made of the other. */
export async function issueCertificates(acting: Acting, { secrets, rotation }: Issue): Promise<Acted> {
  const { seen } = acting.certificates;
  const { writes } = certificateWork(rotation === undefined ? seen : { ...seen, rotatesAuthorities: true });
  const due = writes.filter(({ name }) => secrets.includes(name));
  for (const write of due) {
    const acted = await writeSecret(acting, write, rotation);
    if (acted.result === "refused") return acted;
  }
  return due.length > 0 ? DONE : refused(`nothing is due any more of ${secrets.join(", ")}`);
}

/** Onto the version that was looked at: an authority that somebody else has just made must not be lost. */
async function writeSecret(
  { world, cluster, certificates }: Acting,
  write: SecretWrite,
  rotation: string | undefined,
): Promise<Acted> {
  const found = certificates.secrets.get(write.name);
  if (found !== undefined && controllerUid(found.metadata) !== cluster.metadata.uid)
    return refused(`Secret "${write.name}" is there and not of this cluster: rename or delete it`);
  const { type, data } = await write.make();
  const annotations = rotation === undefined ? {} : { [ANNOTATIONS.rotation]: rotation };
  const metadata = metadataOf(cluster, { name: write.name, annotations });
  const object = { apiVersion: "v1", kind: SECRETS.kind, metadata, type, data };
  if (found === undefined) {
    try {
      await world.kube.create(SECRETS, object as KubeObject);
      return DONE;
    } catch (error) {
      if (!isAlreadyThere(error)) throw error;
      return refused(`Secret "${write.name}" has just been made`);
    }
  }
  const { resourceVersion } = found.metadata;
  const bound = { ...object, metadata: { ...metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) } };
  await world.kube.apply(SECRETS, bound as KubeObject, { fieldManager: FIELD_MANAGER, force: true });
  return DONE;
}
