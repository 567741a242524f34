/** What the API server does before it keeps an object: fills in defaults, from the outside in. */
import type { Json, Node, TypeOf } from "./node.ts";

/** `value` with every default of the schema filled in. It is not checked; what the schema does not know stays. */
export function withDefaults<N extends Node>(node: N, value: Json): TypeOf<N> {
  return filled(node, value) as TypeOf<N>;
}

function filled(node: Node, value: Json): Json {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) {
    const { items } = node;
    return items === undefined ? value : value.map((item: Json) => filled(items, item));
  }
  const result: Record<string, Json> = { ...(value as { readonly [key: string]: Json }) };
  for (const [name, field] of Object.entries(node.fields ?? {})) {
    const given = result[name] ?? field.own.default;
    if (given !== undefined) result[name] = filled(field, given);
  }
  if (node.values !== undefined)
    for (const [name, given] of Object.entries(result)) result[name] = filled(node.values, given);
  return result;
}
