/** The page of docs that lists every field, for people. */
import { API_VERSION } from "../names.ts";
import { ROOT_RULES } from "./crd.ts";
import { isLeaf } from "./json.ts";
import type { Change, Node, Rule } from "./node.ts";
import { spec } from "./spec.ts";
import { status } from "./status.ts";

/** One word for a table. */
const CHANGE_WORDS: Readonly<Record<Change, string>> = {
  live: "live",
  rolls: "rolls members",
  later: "from then on",
  fixed: "fixed",
};

interface Row {
  readonly path: string;
  readonly node: Node;
  readonly change: Change | undefined;
  readonly isRequired: boolean;
}

/** Markdown. The examples are YAML: the least that one must write, and what it becomes. */
export function referencePage(examples: { readonly least: string; readonly full: string }): string {
  const sections = Object.entries(spec.fields ?? {}).map(([name, node]) => {
    const isRequired = spec.required?.includes(name) ?? false;
    return `### spec.${name}\n\n${table(rowsOf(`spec.${name}`, node, spec.change, isRequired), true)}`;
  });
  const rules = rowsOf("spec", spec, undefined, true).flatMap(({ path, node }) => rulesOf(path, node));
  const named = ROOT_RULES.map(({ message }) => ({ path: "metadata.name", message }));
  return [
    "# EtcdCluster: every field",
    `Kind \`EtcdCluster\`, \`${API_VERSION}\`. Made from the schema by \`npm run crds\`: change it there.`,
    "*Change* says what follows when a field of a living cluster is changed: **live**: no member restarts; **rolls members**:\n" +
      "they are replaced one after another; **from then on**: it counts for what is made later; **fixed**: it is refused.\n" +
      "The bounds in *Type* are held by the API server; so are the rules below.",
    "## Examples",
    `The least that one must write:\n\n\`\`\`yaml\n${examples.least}\`\`\``,
    `What the API server makes of it:\n\n\`\`\`yaml\n${examples.full}\`\`\``,
    "## spec",
    ...sections,
    "## Rules",
    ruleList([...named, ...rules]),
    "## status",
    `${table(rowsOf("status", status, undefined, false).slice(1), false)}\n`,
  ].join("\n\n");
}

/** The node and everything below it, in the order of the schema. */
function rowsOf(path: string, node: Node, inherited: Change | undefined, isRequired: boolean): Row[] {
  const change = node.change ?? inherited;
  const rows: Row[] = [{ path, node, change, isRequired }];
  for (const [name, field] of Object.entries(node.fields ?? {}))
    rows.push(...rowsOf(`${path}.${name}`, field, change, node.required?.includes(name) ?? false));
  if (node.items !== undefined && node.items.fields !== undefined)
    rows.push(...rowsOf(`${path}[]`, node.items, change, false).slice(1));
  return rows;
}

interface Said {
  readonly path: string;
  readonly message: string;
}

function rulesOf(path: string, { own, items, values }: Node): Said[] {
  const said = (where: string, rules: readonly Rule[] | undefined) =>
    (rules ?? []).map(({ message }) => ({ path: where, message }));
  return [
    ...said(path, own["x-kubernetes-validations"]),
    ...said(`${path}[]`, items?.own["x-kubernetes-validations"]),
    ...said(`${path}.*`, values?.own["x-kubernetes-validations"]),
  ];
}

/** A rule that stands in several places is said once. */
function ruleList(all: readonly Said[]): string {
  const places = new Map<string, string[]>();
  for (const { path, message } of all) places.set(message, [...(places.get(message) ?? []), `\`${path}\``]);
  return Array.from(places, ([message, paths]) => `- ${paths.join(", ")}: ${message}`).join("\n");
}

function table(rows: readonly Row[], hasChange: boolean): string {
  const head = hasChange ? ["Field", "Type", "Default", "Change", "Meaning"] : ["Field", "Type", "Meaning"];
  const lines = rows.map(({ path, node, change, isRequired }) => {
    const name = `\`${path.replace(/^(?:spec|status)\./, "")}\``;
    const type = typeOf(node);
    const meaning = node.own.description;
    if (!hasChange) return [name, type, meaning];
    const word = change !== undefined && isLeaf(node) ? CHANGE_WORDS[change] : "";
    return [name, type, fallbackOf(node, isRequired), word, meaning];
  });
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.map(escaped).join(" | ")} |`).join("\n");
}

function fallbackOf({ own, fields }: Node, isRequired: boolean): string {
  if (isRequired) return "**required**";
  if (own.default === undefined || fields !== undefined) return "";
  return `\`${JSON.stringify(own.default)}\``;
}

/** A cell may hold a bar only when it is escaped. */
function escaped(text: string): string {
  return text.replaceAll("|", "\\|");
}

/** How the rule of a quantity or duration begins. */
const MEASURE = /^must be a ((?:quantity|duration) from \S+ to [^\s,]+)/;

function typeOf(node: Node): string {
  const { own, items, values } = node;
  const measure = own["x-kubernetes-validations"]?.map(({ message }) => MEASURE.exec(message)?.[1]).find(Boolean);
  if (own.enum !== undefined) return own.enum.map((word) => (word === "" ? '`""`' : `\`${word}\``)).join(", ");
  if (items !== undefined) return `list of ${typeOf(items)}, at most ${own.maxItems ?? 0}`;
  if (values !== undefined) return `map of ${typeOf(values)}, at most ${own.maxProperties ?? 0}`;
  switch (own.type) {
    case "integer":
      return `integer, ${own.minimum} to ${own.maximum}`;
    case "string":
      if (measure !== undefined) return measure;
      return own.format === "date-time" ? "time" : `string, at most ${own.maxLength ?? 0} characters`;
    case "object":
      return node.fields === undefined ? "object, as in a Pod" : "object";
    case undefined:
      return "integer or string";
    default:
      return own.type;
  }
}
