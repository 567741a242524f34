/**
 * The chart's values.yaml as what it documents: every key with its default, what it is for, and what it may be. A line
 * `# -- TEXT` before a key describes it, `# @schema JSON` narrows it; further comment lines between continue the text.
 */
import { parse } from "yaml";

/** A key that is described. */
export interface DocumentedValue {
  /** "metrics.service.enabled" */
  readonly path: string;
  readonly default: unknown;
  readonly text: string;
  /** JSON Schema, as given beside the default. */
  readonly schema: Readonly<Record<string, unknown>>;
}

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

/** A key is described, or all keys below it are. Throws an Error that names the one that is not. */
export function documentedValues(text: string): readonly DocumentedValue[] {
  const notes = notesOf(text);
  const found: DocumentedValue[] = [];
  const visit = (value: unknown, path: string) => {
    const note = notes.get(path);
    if (note !== undefined) found.push({ path, default: value, ...note });
    else if (!isMap(value) || Object.keys(value).length === 0)
      throw new Error(`values.yaml: "${path}" has no line "# -- ..." before it`);
    else for (const [key, inner] of Object.entries(value)) visit(inner, path === "" ? key : `${path}.${key}`);
  };
  visit(parse(text), "");
  const described = new Set(found.map(({ path }) => path));
  for (const path of notes.keys())
    if (!described.has(path))
      throw new Error(`values.yaml: "${path}" is described twice, within a key that is described`);
  return found;
}

interface Note {
  readonly text: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

/** What stands in comments right before each key. Values of several lines must be block lists or maps. */
function notesOf(text: string): ReadonlyMap<string, Note> {
  const notes = new Map<string, Note>();
  const above: { readonly indent: number; readonly key: string }[] = [];
  let comments: string[] = [];
  for (const line of text.split("\n")) {
    const comment = /^ *# ?(.*)$/.exec(line)?.[1];
    const key = /^( *)([A-Za-z][\w-]*):(?: |$)/.exec(line);
    if (comment !== undefined) comments.push(comment);
    else if (key !== null) {
      const indent = (key[1] as string).length;
      while ((above.at(-1)?.indent ?? -1) >= indent) above.pop();
      above.push({ indent, key: key[2] as string });
      const note = noteIn(comments);
      if (note !== undefined) notes.set(above.map((one) => one.key).join("."), note);
      comments = [];
    } else comments = [];
  }
  return notes;
}

function noteIn(comments: readonly string[]): Note | undefined {
  const start = comments.findIndex((line) => line.startsWith("-- "));
  if (start === -1) return undefined;
  const lines = comments.slice(start);
  const schema = lines.find((line) => line.startsWith("@schema "));
  const text = lines
    .filter((line) => line !== schema)
    .join(" ")
    .slice("-- ".length);
  return { text, schema: schema === undefined ? {} : JSON.parse(schema.slice("@schema ".length)) };
}

/** Refuses keys that are not described; what is below a described map is free. `global` belongs to all charts at once. */
export function schemaOf(values: readonly DocumentedValue[]): JsonSchema {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Values of kvorum-operator",
    ...mapSchema(values, ""),
  };
}

function mapSchema(values: readonly DocumentedValue[], path: string): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  for (const value of values) {
    const [key = ""] = (path === "" ? value.path : value.path.slice(path.length + 1)).split(".");
    if (properties[key] !== undefined) continue;
    const whole = path === "" ? key : `${path}.${key}`;
    const below = values.filter((one) => one.path.startsWith(`${whole}.`));
    properties[key] = value.path === whole ? leafSchema(value) : mapSchema(below, whole);
  }
  return { type: "object", additionalProperties: path === "global", properties };
}

function leafSchema({ default: value, text, schema }: DocumentedValue): JsonSchema {
  return { description: text, type: typeOf(value), ...schema };
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (isMap(value)) return "object";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

/** The table of the README. */
export function tableOf(values: readonly DocumentedValue[]): string {
  const rows = values.map(({ path, default: value, text }) => {
    const shown = JSON.stringify(value).replaceAll("|", "\\|");
    return `| \`${path}\` | \`${shown}\` | ${text.replaceAll("|", "\\|")} |`;
  });
  return ["| key | default | what it is |", "|---|---|---|", ...rows].join("\n");
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
