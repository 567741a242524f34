/** Walks a schema and a value together: which places there are, and the value with one place changed. */
import type { Json, Node } from "../../../operator/api/schema/node.ts";

export type Key = string | number;

export interface Place {
  /** In the schema: `spec.pod.env[].name`, `spec.pod.labels.*`. */
  readonly name: string;
  /** In the value. */
  readonly path: readonly Key[];
  readonly node: Node;
  readonly value: Json;
  /** Whether the object that holds it must have it. */
  readonly isRequired: boolean;
}

/** All places of the schema that `value` has; of lists and maps every entry. */
export function placesOf(
  node: Node,
  value: Json,
  name: string,
  path: readonly Key[] = [],
  isRequired = false,
): Place[] {
  const places: Place[] = [{ name, path, node, value, isRequired }];
  if (value === null || typeof value !== "object") return places;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries())
      if (node.items !== undefined) places.push(...placesOf(node.items, item, `${name}[]`, [...path, index]));
    return places;
  }
  for (const [key, entry] of Object.entries(value as { readonly [key: string]: Json })) {
    const field = node.fields?.[key];
    if (field !== undefined)
      places.push(...placesOf(field, entry, `${name}.${key}`, [...path, key], node.required?.includes(key) ?? false));
    else if (node.values !== undefined) places.push(...placesOf(node.values, entry, `${name}.*`, [...path, key]));
  }
  return places;
}

/** Names of all places that the schema has. */
export function namesOf(node: Node, name: string): string[] {
  return [
    name,
    ...Object.entries(node.fields ?? {}).flatMap(([key, field]) => namesOf(field, `${name}.${key}`)),
    ...(node.items === undefined ? [] : namesOf(node.items, `${name}[]`)),
    ...(node.values === undefined ? [] : namesOf(node.values, `${name}.*`)),
  ];
}

/** All nodes with their names. */
export function nodesOf(node: Node, name: string): { readonly name: string; readonly node: Node }[] {
  return [
    { name, node },
    ...Object.entries(node.fields ?? {}).flatMap(([key, field]) => nodesOf(field, `${name}.${key}`)),
    ...(node.items === undefined ? [] : nodesOf(node.items, `${name}[]`)),
    ...(node.values === undefined ? [] : nodesOf(node.values, `${name}.*`)),
  ];
}

/** `root` with another value at `path`; nothing takes the place away. */
export function changedAt(root: Json, path: readonly Key[], value: Json | undefined): Json {
  const [key, ...rest] = path;
  if (key === undefined) return value ?? null;
  if (Array.isArray(root)) {
    const copy: Json[] = [...root];
    const next = rest.length === 0 ? value : changedAt(copy[Number(key)] ?? {}, rest, value);
    if (next === undefined) copy.splice(Number(key), 1);
    else copy[Number(key)] = next;
    return copy;
  }
  const copy: Record<string, Json> = { ...(root as { readonly [key: string]: Json }) };
  const next = rest.length === 0 ? value : changedAt(copy[key] ?? {}, rest, value);
  if (next === undefined) delete copy[key];
  else copy[key] = next;
  return copy;
}

/** `root` with the fields of `patch`, deeply; `null` takes a field away, lists are replaced whole. */
export function patched(root: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const copy: Record<string, Json> = isObject(root) ? { ...root } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete copy[key];
    else copy[key] = patched(copy[key] ?? {}, value);
  }
  return copy;
}

function isObject(value: Json): value is { readonly [key: string]: Json } {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
