/** What is made of the chart's values and of crds/, as file contents by path: written by `generate.ts`, held by a test. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../../support/project.ts";
import { documentedValues, schemaOf, tableOf } from "./values.ts";

export const CHART = "charts/kvorum-operator";
/** Where the definitions of our kinds are the truth; the chart has copies. */
export const CRDS = "crds";
export const CRD_COPIES = `${CHART}/files/crds`;

/** Paths are from the project's folder. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const values = documentedValues(read(`${CHART}/values.yaml`));
  const files = new Map([
    [`${CHART}/values.schema.json`, `${JSON.stringify(schemaOf(values), null, 2)}\n`],
    [`${CHART}/README.md`, `${read(`${CHART}/README.head.md`)}\n## Values\n\n${tableOf(values)}\n`],
  ]);
  for (const name of definitions(CRDS)) files.set(`${CRD_COPIES}/${name}`, read(`${CRDS}/${name}`));
  return files;
}

/** Names of the definitions in a folder of the project; none when there is no such folder. */
export function definitions(folder: string): readonly string[] {
  const path = join(projectFolder, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => name.endsWith(".yaml"))
    .sort();
}

function read(path: string): string {
  return readFileSync(join(projectFolder, path), "utf8");
}
