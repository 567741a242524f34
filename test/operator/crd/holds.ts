/** The plain half of the API server's check, for tests that have no API server: bounds and types, no rules in CEL. */
import type { Json, Node } from "../../../operator/api/schema/node.ts";

/** Keywords of the schema that `value` breaks, each with its place. */
export function broken(node: Node, value: Json, at: string): string[] {
  const wrong: string[] = [];
  const { own } = node;
  const complain = (keyword: string) => wrong.push(`${at}: ${keyword}`);
  if (!hasType(node, value)) return [`${at}: type`];
  if (typeof value === "string") {
    if (own.enum !== undefined && !own.enum.includes(value)) complain("enum");
    if (own.pattern !== undefined && !new RegExp(own.pattern).test(value)) complain("pattern");
    if (own.minLength !== undefined && value.length < own.minLength) complain("minLength");
    if (own.maxLength !== undefined && value.length > own.maxLength) complain("maxLength");
    if (own.format === "date-time" && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value)) complain("format");
  }
  if (typeof value === "number") {
    if (own.minimum !== undefined && value < own.minimum) complain("minimum");
    if (own.maximum !== undefined && value > own.maximum) complain("maximum");
  }
  if (Array.isArray(value)) wrong.push(...brokenList(node, value as readonly Json[], at));
  else if (value !== null && typeof value === "object")
    wrong.push(...brokenObject(node, value as { readonly [key: string]: Json }, at));
  return wrong;
}

function hasType({ own }: Node, value: Json): boolean {
  switch (own.type) {
    case "integer":
      return Number.isInteger(value);
    case "array":
      return Array.isArray(value);
    case "object":
      return value !== null && typeof value === "object" && !Array.isArray(value);
    case undefined:
      return typeof value === "string" || Number.isInteger(value);
    default:
      return typeof value === own.type;
  }
}

function brokenList({ own, items }: Node, value: readonly Json[], at: string): string[] {
  const wrong: string[] = [];
  if (own.maxItems !== undefined && value.length > own.maxItems) wrong.push(`${at}: maxItems`);
  const keys = own["x-kubernetes-list-map-keys"];
  const identity = (item: Json) =>
    JSON.stringify(keys === undefined ? item : keys.map((key) => (item as { [key: string]: Json })[key] ?? null));
  if (own["x-kubernetes-list-type"] !== "atomic" && new Set(value.map(identity)).size < value.length)
    wrong.push(`${at}: twice`);
  if (items !== undefined) for (const item of value) wrong.push(...broken(items, item, `${at}[]`));
  return wrong;
}

function brokenObject(node: Node, value: { readonly [key: string]: Json }, at: string): string[] {
  const { own, fields, required = [], values } = node;
  const wrong = required.filter((name) => value[name] === undefined).map((name) => `${at}.${name}: required`);
  if (own.maxProperties !== undefined && Object.keys(value).length > own.maxProperties)
    wrong.push(`${at}: maxProperties`);
  for (const [name, entry] of Object.entries(value)) {
    const field = fields?.[name];
    if (field !== undefined) wrong.push(...broken(field, entry, `${at}.${name}`));
    else if (values !== undefined) wrong.push(...broken(values, entry, `${at}.*`));
    else if (own["x-kubernetes-preserve-unknown-fields"] !== true) wrong.push(`${at}.${name}: unknown`);
  }
  return wrong;
}
