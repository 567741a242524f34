/** The chart's values: described, used, held by a schema, and what is made of them is what is there. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectFolder } from "../../support/project.ts";
import { CHART, CRD_COPIES, CRDS, definitions, generatedFiles } from "./generated.ts";
import { documentedValues, isMap, schemaOf, tableOf } from "./values.ts";

const read = (path: string): string => readFileSync(join(projectFolder, path), "utf8");
const values = documentedValues(read(`${CHART}/values.yaml`));
const templates = readdirSync(join(projectFolder, CHART, "templates"), { recursive: true, encoding: "utf8" })
  .filter((name) => /\.(?:yaml|tpl|txt)$/.test(name))
  .map((name) => read(`${CHART}/templates/${name}`));

test("README, schema and the definitions of the chart are made of what they come from: npm run chart", () => {
  for (const [path, text] of generatedFiles()) {
    assert.ok(existsSync(join(projectFolder, path)), `${path} is missing`);
    assert.equal(read(path), text, path);
  }
});

test("the chart's definitions are those of crds/, and no others", () => {
  assert.ok(definitions(CRDS).length > 0);
  assert.deepEqual(definitions(CRD_COPIES), definitions(CRDS));
});

test("every value is used by a template, and no template asks for one that is not there", () => {
  const text = templates.join("\n");
  const asked = new Set([...text.matchAll(/\.Values((?:\.[A-Za-z]\w*)+)/g)].map(([, path = ""]) => path.slice(1)));
  // Within `with .Values.x` the keys below are asked for without it.
  const isUsed = (path: string) =>
    asked.has(path) ||
    [...asked].some((one) => path.startsWith(`${one}.`) && text.includes(`.${path.split(".").at(-1)}`));
  assert.deepEqual(
    values.map(({ path }) => path).filter((path) => !isUsed(path)),
    [],
  );
  const known = new Set(values.flatMap(({ path }) => prefixesOf(path)));
  assert.deepEqual(
    [...asked].filter((path) => !known.has(path)),
    [],
  );
});

function prefixesOf(path: string): string[] {
  const keys = path.split(".");
  return keys.map((_, index) => keys.slice(0, index + 1).join("."));
}

test("the schema refuses a key that nobody knows at every level, but below global", () => {
  const open: string[] = [];
  const visit = (schema: Readonly<Record<string, unknown>>, path: string) => {
    if (!isMap(schema["properties"])) return;
    if (schema["additionalProperties"] !== false) open.push(path);
    for (const [key, inner] of Object.entries(schema["properties"])) visit(inner as typeof schema, `${path}.${key}`);
  };
  const schema = schemaOf(values);
  visit(schema, "");
  assert.deepEqual(open, [".global"]);
  assert.deepEqual(JSON.parse(read(`${CHART}/values.schema.json`)), schema);
});

test("defaults keep to their own schema as far as type, choice, bound and pattern go", () => {
  for (const { path, default: value, schema } of values) {
    const { enum: choices, minimum, maximum, pattern, minLength, maxLength } = schema as Record<string, never>;
    if (choices !== undefined) assert.ok((choices as unknown[]).includes(value), path);
    if (minimum !== undefined) assert.ok((value as number) >= minimum, path);
    if (maximum !== undefined) assert.ok((value as number) <= maximum, path);
    if (pattern !== undefined) assert.match(value as string, new RegExp(pattern), path);
    if (minLength !== undefined) assert.ok((value as string).length >= minLength, path);
    if (maxLength !== undefined) assert.ok((value as string).length <= maxLength, path);
  }
});

test("documentedValues() wants each key described once, and reads text, default and schema", () => {
  const text = [
    "# Of all.",
    "a:",
    "  # -- First",
    "  # and more",
    '  # @schema {"minimum": 1}',
    "  b: 2",
    "# -- Second",
    "c: {}",
  ];
  const found = documentedValues(text.join("\n"));
  assert.deepEqual(found, [
    { path: "a.b", default: 2, text: "First and more", schema: { minimum: 1 } },
    { path: "c", default: {}, text: "Second", schema: {} },
  ]);
  assert.match(tableOf(found), /^\| `a\.b` \| `2` \| First and more \|$/m);
  assert.throws(() => documentedValues("a: 1\n"), /"a" has no line/);
  assert.throws(() => documentedValues("# -- All\na:\n  # -- One\n  b: 1\n"), /"a\.b" is described twice/);
});

test("schemaOf() gives each key its default's type, and a map that is described whole stays free", () => {
  const schema = schemaOf(documentedValues("# -- N\nn: 1\nm:\n  # -- L\n  l: []\n  # -- F\n  f:\n    x: 1\n"));
  assert.deepEqual(schema["properties"], {
    n: { description: "N", type: "integer" },
    m: {
      type: "object",
      additionalProperties: false,
      properties: { l: { description: "L", type: "array" }, f: { description: "F", type: "object" } },
    },
  });
});
