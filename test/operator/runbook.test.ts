/** The runbook has a line for every reason that a condition can have, so that nobody who meets one is left alone with it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectFolder } from "../support/project.ts";

const read = (path: string): string => readFileSync(join(projectFolder, path), "utf8");
const STATUS = "operator/plan/status";

/** Reasons as the plan writes them down: in verdicts, and in the union of what a stall may be. */
function reasonsIn(text: string): string[] {
  const verdicts = text.matchAll(/\b(?:yes|no)\("([A-Z]\w+)"|\breason: "([A-Z]\w+)"/g);
  return [...verdicts].map(([, one, other]) => (one ?? other) as string);
}

test("reasonsIn() finds reasons in verdicts and nothing else", () => {
  const text =
    'no("Lost", "x"); yes("Fine", "A"); { status: "False", reason: "NoLeader", message: "Gone" }; yes(name, "B")';
  assert.deepEqual(reasonsIn(text), ["Lost", "Fine", "NoLeader"]);
});

test("every reason of a condition is in the runbook", () => {
  const ofConditions = ["availability.ts", "conditions.ts"].flatMap((name) => reasonsIn(read(`${STATUS}/${name}`)));
  const stalls = /interface Stall \{[^}]*?readonly reason:([^;]*);/s.exec(read("operator/plan/decision.ts"))?.[1] ?? "";
  const ofStalls = [...stalls.matchAll(/"([A-Z]\w+)"/g)].map(([, name]) => name as string);
  assert.ok(ofConditions.length > 20 && ofStalls.length > 5, "the reasons are where they are looked for");
  const runbook = read("docs/operator/runbook.md");
  const missing = [...new Set([...ofConditions, ...ofStalls])].filter((reason) => !runbook.includes(`\`${reason}\``));
  assert.deepEqual(missing, []);
});

test("every page for the operator's users is reached from the others", () => {
  const folder = join(projectFolder, "docs", "operator");
  const pages = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"));
  const links = [...pages.map((name) => `docs/operator/${name}`), "README.md", "charts/kvorum-operator/README.head.md"]
    .map(read)
    .join("\n");
  assert.deepEqual(
    pages.filter((name) => !links.includes(`${name.split("/").at(-1)})`)),
    [],
  );
});
