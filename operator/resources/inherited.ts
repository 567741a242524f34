/**
 * What running Pods and claims have of `spec.inheritedMetadata`: labels and annotations can be changed where they are,
 * and nobody is restarted for them. Which keys came from there stands in an annotation, so that they go with the wish.
 */
import type { EtcdCluster, Text } from "../api/etcd-cluster.ts";
import { ANNOTATIONS, GROUP, LABELS } from "../api/names.ts";
import { clusterLabels } from "./metadata.ts";

export interface Marked {
  readonly labels: Text;
  readonly annotations: Text;
}

/** What is to be set, and taken away (null). */
export interface MetadataChange {
  readonly labels: Readonly<Record<string, string | null>>;
  readonly annotations: Readonly<Record<string, string | null>>;
}

export type Heir = "pod" | "claim";

/** What a Pod or claim gets from there, where neither the operator nor the spec of that kind has another word. */
export function inheritedBy(cluster: EtcdCluster, heir: Heir): Marked {
  const { inheritedMetadata, pod, storage } = cluster.spec;
  const asked = heir === "pod" ? pod : storage.persistent;
  const own = { ...clusterLabels(cluster), [LABELS.version]: "" };
  return {
    labels: without(inheritedMetadata?.labels, { ...asked?.labels, ...own }),
    annotations: without(inheritedMetadata?.annotations, asked?.annotations),
  };
}

/** The annotation that remembers it; none where nothing is inherited. */
export function inheritanceMark(inherited: Marked): Text {
  const labels = Object.keys(inherited.labels).sort();
  const annotations = Object.keys(inherited.annotations).sort();
  if (labels.length + annotations.length === 0) return {};
  return { [ANNOTATIONS.inherited]: JSON.stringify({ labels, annotations }) };
}

/** What has to change on a Pod or claim as it was `found`; nothing when it is as it should be. */
export function inheritanceChange(cluster: EtcdCluster, heir: Heir, found: Marked): MetadataChange | undefined {
  const wanted = inheritedBy(cluster, heir);
  const before = remembered(found.annotations[ANNOTATIONS.inherited]);
  const mark = inheritanceMark(wanted)[ANNOTATIONS.inherited];
  const labels = changes(wanted.labels, found.labels, before.labels);
  const annotations = {
    ...changes(wanted.annotations, found.annotations, before.annotations),
    ...(found.annotations[ANNOTATIONS.inherited] === mark ? {} : { [ANNOTATIONS.inherited]: mark ?? null }),
  };
  return Object.keys(labels).length + Object.keys(annotations).length === 0 ? undefined : { labels, annotations };
}

function changes(wanted: Text, found: Text, before: readonly string[]): Record<string, string | null> {
  const changed: Record<string, string | null> = {};
  for (const [key, value] of Object.entries(wanted)) if (found[key] !== value) changed[key] = value;
  for (const key of before)
    if (wanted[key] === undefined && found[key] !== undefined && isForeign(key)) changed[key] = null;
  return changed;
}

function without(given: Text | undefined, others: Text | undefined): Text {
  return Object.fromEntries(
    Object.entries(given ?? {}).filter(([key]) => isForeign(key) && others?.[key] === undefined),
  );
}

/** Nobody may write the operator's memory for it. */
function isForeign(key: string): boolean {
  return !key.startsWith(`${GROUP}/`) && !OWN.has(key);
}

const OWN: ReadonlySet<string> = new Set(Object.values(LABELS));

/** People can write there too: what cannot be read says nothing. */
function remembered(text: string | undefined): {
  readonly labels: readonly string[];
  readonly annotations: readonly string[];
} {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text ?? "{}");
  } catch {
    parsed = {};
  }
  const lists = (typeof parsed === "object" && parsed !== null ? parsed : {}) as Record<string, unknown>;
  const keys = (name: string) => {
    const list = lists[name];
    return Array.isArray(list) ? list.filter((key): key is string => typeof key === "string") : [];
  };
  return { labels: keys("labels"), annotations: keys("annotations") };
}
