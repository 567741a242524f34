/** From nodes to the structural schema that Kubernetes reads. */
import { withDefaults } from "./defaults.ts";
import type { Change, Json, Node } from "./node.ts";

/** What a person reads after a field's description. */
export const CHANGES: Readonly<Record<Change, string>> = {
  live: "A change restarts no member.",
  rolls: "A change replaces the members one after another.",
  later: "A change counts for what is made from then on.",
  fixed: "Cannot be changed after creation.",
};

/** Whether the node has no fields of its own: what follows from a change is said of these. */
export function isLeaf({ fields = {} }: Node): boolean {
  return Object.keys(fields).length === 0;
}

/** The schema of a node and all below it. `inherited`: what its parents say of a change. */
export function toJson(node: Node, inherited?: Change): { readonly [key: string]: Json } {
  const change = node.change ?? inherited;
  const { description, ...own } = node.own;
  const text = change !== undefined && isLeaf(node) ? `${description} ${CHANGES[change]}` : description;
  const json: Record<string, Json> = { description: text, ...(own as unknown as Record<string, Json>) };
  // Rules are asked of a default as it stands here, before the defaults within it are filled in.
  if (own.default !== undefined) json["default"] = withDefaults(node, own.default) as Json;
  if (node.fields !== undefined && Object.keys(node.fields).length > 0)
    json["properties"] = Object.fromEntries(
      Object.entries(node.fields).map(([name, field]) => [name, toJson(field, change)]),
    );
  if (node.required !== undefined && node.required.length > 0) json["required"] = node.required;
  // It is said of the list or map, and need not be said of each word in it.
  const told = (child: Node) => toJson(child, isLeaf(child) ? undefined : change);
  if (node.items !== undefined) json["items"] = told(node.items);
  if (node.values !== undefined) json["additionalProperties"] = told(node.values);
  return json;
}
