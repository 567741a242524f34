/**
 * Labels, annotations and owners of our objects. Of what people ask for, the nearer word wins: inherited metadata, then
 * those of one kind of object; over both stand the operator's own keys, which its selectors and its memory hang on.
 */
import type { EtcdCluster, Text } from "../api/etcd-cluster.ts";
import { ANNOTATIONS, API_VERSION, GROUP, LABELS } from "../api/names.ts";
import type { DesiredMeta, DesiredOwner } from "./desired.ts";

const APPLICATION = "kvorum";
const COMPONENT = "etcd";
const MANAGER = "kvorum-operator";

export interface MetadataParts {
  readonly name: string;
  /** What the spec says of this kind of object. */
  readonly asked?: { readonly labels?: Text | undefined; readonly annotations?: Text | undefined } | undefined;
  /** The operator's own, beside those that all objects have. */
  readonly labels?: Text;
  readonly annotations?: Text;
  /** False: the object outlives the cluster, and only an annotation says whose it is. */
  readonly isOwned?: boolean;
}

/** The metadata of an object of this cluster. */
export function metadataOf(cluster: EtcdCluster, parts: MetadataParts): DesiredMeta {
  const { inheritedMetadata } = cluster.spec;
  const isOwned = parts.isOwned ?? true;
  const labels = {
    ...foreign(inheritedMetadata?.labels),
    ...foreign(parts.asked?.labels),
    ...clusterLabels(cluster),
    ...parts.labels,
  };
  const annotations = {
    ...foreign(inheritedMetadata?.annotations),
    ...foreign(parts.asked?.annotations),
    ...parts.annotations,
    ...(isOwned ? {} : { [ANNOTATIONS.clusterUid]: cluster.metadata.uid }),
  };
  return {
    name: parts.name,
    namespace: cluster.metadata.namespace,
    labels: sorted(labels),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations: sorted(annotations) }),
    ...(isOwned ? { ownerReferences: [ownerReference(cluster)] } : {}),
  };
}

/** On everything of a cluster. */
export function clusterLabels({ metadata: { name } }: EtcdCluster): Text {
  return {
    [LABELS.application]: APPLICATION,
    [LABELS.instance]: name,
    [LABELS.component]: COMPONENT,
    [LABELS.managedBy]: MANAGER,
    [LABELS.cluster]: name,
  };
}

/** Finds the Pods of all members. */
export function memberSelector({ metadata: { name } }: EtcdCluster): Text {
  return { [LABELS.cluster]: name, [LABELS.component]: COMPONENT };
}

/** Finds the Pods of members that vote. */
export function voterSelector(cluster: EtcdCluster): Text {
  return { ...memberSelector(cluster), [LABELS.role]: "voter" };
}

/** As `status.selector` and lists of the API have it: "a=b,c=d". */
export function selectorText(selector: Text): string {
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

/** Makes the garbage collector take an object away with its cluster. */
export function ownerReference({ metadata: { name, uid } }: EtcdCluster): DesiredOwner {
  return { apiVersion: API_VERSION, kind: "EtcdCluster", name, uid, controller: true, blockOwnerDeletion: true };
}

/** Without keys under our own prefix: nobody may write the operator's memory for it. */
function foreign(asked: Text | undefined): Text {
  return Object.fromEntries(Object.entries(asked ?? {}).filter(([key]) => !key.startsWith(`${GROUP}/`)));
}

function sorted(texts: Text): Text {
  return Object.fromEntries(Object.entries(texts).sort(([left], [right]) => (left < right ? -1 : 1)));
}
