/**
 * Which clusters an object that has changed concerns. What a watch says is never believed: it only wakes, and the pass
 * looks for itself. Secrets and other objects that are read by name wake nobody; passes at rest look at them.
 */
import { LABELS } from "../api/names.ts";
import type { Key, KubeObject } from "../runtime/kube.ts";
import { CLUSTERS } from "./kinds.ts";

/** The cluster that a child, Pod or claim belongs to by its label; nothing for what is none of ours. */
export function clusterOf({ metadata: { namespace, labels, ownerReferences } }: KubeObject): Key | undefined {
  const name =
    labels?.[LABELS.cluster] ??
    ownerReferences?.find(({ kind, controller }) => controller && kind === CLUSTERS.kind)?.name;
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}

/**
 * Whether a changed cluster is to be looked at. Its status is our own writing, and would wake us each time that we have
 * written.
 */
export function isNews(before: KubeObject | undefined, after: KubeObject): boolean {
  if (before === undefined || before.metadata.uid !== after.metadata.uid) return true;
  const [was, is] = [before.metadata, after.metadata];
  return (
    was.generation !== is.generation ||
    was.deletionTimestamp !== is.deletionTimestamp ||
    JSON.stringify(was.annotations) !== JSON.stringify(is.annotations) ||
    JSON.stringify(was.finalizers) !== JSON.stringify(is.finalizers)
  );
}

interface NodeJson extends KubeObject {
  readonly spec?: { readonly taints?: unknown };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Whether a changed node may matter to the members on it: a kubelet reports every few seconds that nothing happened. */
export function isNodeNews(before: NodeJson | undefined, after: NodeJson): boolean {
  return before === undefined || nodeSigns(before) !== nodeSigns(after);
}

function nodeSigns({ metadata, spec, status }: NodeJson): string {
  const ready = status?.conditions?.find(({ type }) => type === "Ready")?.status;
  return JSON.stringify([metadata.uid, ready, spec?.taints, metadata.labels]);
}

/** The clusters that have a Pod on this node, each once. */
export function clustersOnNode(node: string, pods: readonly KubeObject[]): readonly Key[] {
  const found = new Map<string, Key>();
  for (const pod of pods) {
    const key = nodeOf(pod) === node ? clusterOf(pod) : undefined;
    if (key !== undefined) found.set(`${key.namespace}/${key.name}`, key);
  }
  return [...found.values()];
}

function nodeOf(pod: KubeObject): string | undefined {
  return (pod as KubeObject & { readonly spec?: { readonly nodeName?: string } }).spec?.nodeName;
}
