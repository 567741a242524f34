import assert from "node:assert/strict";
import { test } from "node:test";
import type { EtcdClusterSpec, EtcdClusterStatus } from "../etcd-cluster.ts";
import { etcdClusterCrd, etcdClusterSchema } from "./crd.ts";
import { CHANGES, isLeaf } from "./json.ts";
import type { Change, Json, Node, TypeOf } from "./node.ts";
import { spec } from "./spec.ts";
import { STATUS_TEXT_LENGTH, status } from "./status.ts";

/** The same type with nothing but its fields: intersections and names of interfaces undone. */
type Plain<T> = T extends string | number | boolean | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Plain<Item>[]
    : { [Key in keyof T]: Plain<T[Key]> };
type Same<A, B> = (<T>() => T extends Plain<A> ? 1 : 2) extends <T>() => T extends Plain<B> ? 1 : 2 ? true : false;

test("the types that the program uses are those of the schema: fields, absence, words", () => {
  // Each line is checked by the compiler: a field more, less, optional or of another type makes it an error.
  const isSpecTheSame: Same<TypeOf<typeof spec>, EtcdClusterSpec> = true;
  const isStatusTheSame: Same<TypeOf<typeof status>, EtcdClusterStatus> = true;
  const seesMore: Same<{ readonly a: 1 }, { readonly a: 1; readonly b?: 2 }> = false;
  const seesAbsence: Same<{ readonly a: 1 }, { readonly a?: 1 }> = false;
  const seesWords: Same<{ readonly a: "x" | "y" }, { readonly a: "x" }> = false;
  assert.ok(isSpecTheSame && isStatusTheSame && !seesMore && !seesAbsence && !seesWords);
});

interface Found {
  readonly path: string;
  readonly node: Node;
  readonly change: Change | undefined;
}

function everything(node: Node, path: string, inherited?: Change): Found[] {
  const change = node.change ?? inherited;
  const below = (child: Node | undefined, name: string) =>
    child === undefined ? [] : everything(child, path + name, change);
  return [
    { path, node, change },
    ...Object.entries(node.fields ?? {}).flatMap(([name, field]) => below(field, `.${name}`)),
    ...below(node.items, "[]"),
    ...below(node.values, ".*"),
  ];
}

const all = [...everything(spec, "spec"), ...everything(status, "status")];

test("every field is described in a sentence", () => {
  assert.ok(all.length > 200, `${all.length} fields`);
  for (const { path, node } of all) assert.match(node.own.description, /^[A-Z0-9].*[.]$/s, path);
});

test("every field of the spec says what follows from a change", () => {
  const text = JSON.stringify(etcdClusterSchema());
  for (const sentence of Object.values(CHANGES)) assert.ok(text.includes(sentence), sentence);
  for (const { path, node, change } of all)
    if (path.startsWith("spec") && isLeaf(node)) assert.ok(change !== undefined, path);
});

test("everything that can grow has a bound: the budget of CEL, and of the store", () => {
  for (const { path, node } of all) {
    const { type, enum: words, maxLength, maxItems, maxProperties, minimum, maximum } = node.own;
    if (type === "string") assert.ok(words !== undefined || maxLength !== undefined, path);
    if (type === undefined) assert.ok(maxLength !== undefined, path);
    if (type === "integer") assert.ok(minimum !== undefined && maximum !== undefined && minimum < maximum, path);
    if (type === "array") assert.ok(maxItems !== undefined, path);
    if (type === "object" && node.fields === undefined) assert.ok(maxProperties !== undefined, path);
  }
});

test("unknown fields pass only in parts of a Pod", () => {
  const open = all.filter(({ node }) => node.own["x-kubernetes-preserve-unknown-fields"] === true);
  assert.ok(open.length > 0);
  for (const { path } of open) assert.match(path, /^spec\.pod\./);
});

test("a key of a list is required in its entries", () => {
  for (const { path, node } of all)
    for (const key of node.own["x-kubernetes-list-map-keys"] ?? [])
      assert.ok(node.items?.required?.includes(key) || node.items?.fields?.[key]?.own.default !== undefined, path);
});

test("defaults fit their own bounds", () => {
  for (const { path, node } of all) {
    const { default: fallback, enum: words, minimum = -Infinity, maximum = Infinity, pattern = "" } = node.own;
    if (fallback === undefined) continue;
    if (words !== undefined) assert.ok(words.includes(String(fallback)), path);
    if (typeof fallback === "number") assert.ok(fallback >= minimum && fallback <= maximum, path);
    if (typeof fallback === "string") assert.match(fallback, new RegExp(pattern), path);
  }
});

test("an object that is always there and need not be written has a default itself", () => {
  for (const { path, node } of all)
    for (const [name, field] of Object.entries(node.fields ?? {}))
      if (path === "spec" && field.fields !== undefined && (field.required ?? []).length === 0)
        assert.equal(field.own.default !== undefined, !["storage", "image", "inheritedMetadata"].includes(name), name);
});

test("a rule is plain text and CEL without a path that is not there", () => {
  for (const { path, node } of all)
    for (const { rule, message, fieldPath } of node.own["x-kubernetes-validations"] ?? []) {
      assert.ok(message.length > 10 && message.length <= 200 && !message.includes("\n"), path);
      assert.ok(!/[.]$/.test(message), `${path}: no full stop, Kubernetes writes on`);
      assert.equal(count(rule, "("), count(rule, ")"), path);
      assert.equal(count(rule, "'") % 2, 0, path);
      if (fieldPath !== undefined) assert.ok(reaches(node, fieldPath.split(".").slice(1)), `${path}: ${fieldPath}`);
    }
});

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

function reaches(node: Node, [name, ...rest]: readonly string[]): boolean {
  if (name === undefined) return true;
  const field = node.fields?.[name];
  return field !== undefined && reaches(field, rest);
}

test("the definition has what kubectl, autoscalers and helm look for", () => {
  const crd = etcdClusterCrd() as unknown as {
    readonly spec: {
      readonly names: Readonly<Record<string, unknown>>;
      readonly versions: readonly Readonly<Record<string, Json>>[];
    };
  };
  const [version] = crd.spec.versions;
  assert.deepEqual(crd.spec.names["shortNames"], ["etcd", "ec"]);
  assert.deepEqual(crd.spec.names["categories"], ["etcd"]);
  assert.deepEqual(version?.["subresources"], {
    status: {},
    scale: {
      specReplicasPath: ".spec.replicas",
      statusReplicasPath: ".status.replicas",
      labelSelectorPath: ".status.selector",
    },
  });
  const columns = version?.["additionalPrinterColumns"] as readonly { readonly jsonPath: string }[];
  const known = new Set(all.map(({ path }) => path));
  for (const { jsonPath } of columns) {
    const path = jsonPath.slice(1).replace(/\[\?\(.*\)\]/, "[]");
    assert.ok(known.has(path) || path === "metadata.creationTimestamp", jsonPath);
  }
});

test("a condition's message may be as long as the status allows", () => {
  const message = all.find(({ path }) => path === "status.conditions[].message");
  assert.equal(message?.node.own.maxLength, STATUS_TEXT_LENGTH);
});
