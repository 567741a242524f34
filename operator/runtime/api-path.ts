/** Paths and queries of the Kubernetes API. */
import type { Key, ListOptions, Resource } from "./kube.ts";

/** Of all objects of a kind, in one namespace or in all. */
export function collectionPath(
  { group, version, plural, isNamespaced }: Resource,
  namespace: string | undefined,
): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  return isNamespaced && namespace !== undefined
    ? `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`
    : `${root}/${plural}`;
}

/** Of one object, or of its subresource. A namespaced kind without a namespace is a mistake of ours, and is refused. */
export function objectPath(resource: Resource, { namespace, name }: Key, subresource?: string): string {
  if (resource.isNamespaced && namespace === undefined)
    throw new TypeError(`${resource.plural} "${name}" was asked for without its namespace: name one`);
  const path = `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** `?a=b&c=d` of what is defined, or nothing. */
export function query(parameters: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) search.set(name, String(value));
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
}

/** What a list and a watch select by. */
export function selection({ labelSelector, fieldSelector }: Pick<ListOptions, "labelSelector" | "fieldSelector">) {
  return { labelSelector, fieldSelector };
}
