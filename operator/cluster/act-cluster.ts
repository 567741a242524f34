/** What is done to the EtcdCluster itself beside its status, and to the record of its last good spec. */
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import { FIELD_MANAGER, FINALIZER } from "../api/names.ts";
import type { Action } from "../plan/action.ts";
import { acceptedSpecMap } from "../resources/accepted-spec.ts";
import type { KubeObject } from "../runtime/kube.ts";
import { type Acted, type Acting, DONE } from "./acted.ts";
import { CLUSTERS, CONFIG_MAPS } from "./kinds.ts";

type Of<Kind extends Action["kind"]> = Extract<Action, { kind: Kind }>;

/** Only a change of the version that was read counts: finalizers are a list, and others may have one too. */
export async function addFinalizer({ world, cluster }: Acting, _action: Of<"add-finalizer">): Promise<Acted> {
  const { finalizers = [] } = cluster.metadata;
  if (!finalizers.includes(FINALIZER)) await patchFinalizers(world.kube, cluster, [...finalizers, FINALIZER]);
  return DONE;
}

export async function dropFinalizer({ world, cluster }: Acting, _action: Of<"drop-finalizer">): Promise<Acted> {
  const { finalizers = [] } = cluster.metadata;
  const left = finalizers.filter((name) => name !== FINALIZER);
  if (left.length < finalizers.length) await patchFinalizers(world.kube, cluster, left);
  return DONE;
}

function patchFinalizers(kube: Acting["world"]["kube"], { metadata }: EtcdCluster, finalizers: readonly string[]) {
  const { namespace, name, resourceVersion } = metadata;
  return kube.patch(CLUSTERS, { namespace, name }, { metadata: { finalizers } }, { resourceVersion });
}

/** Whole, so that it can be carried on with while the present one is refused. */
export async function acceptSpec({ world, cluster }: Acting, { spec }: Of<"accept-spec">): Promise<Acted> {
  const record = acceptedSpecMap(cluster, spec) as unknown as KubeObject;
  await world.kube.apply(CONFIG_MAPS, record, { fieldManager: FIELD_MANAGER, force: true });
  return DONE;
}
