/** `npm run chart`: writes what is made of the chart's values and of crds/. Says which files have changed. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { projectFolder } from "../../support/project.ts";
import { CRD_COPIES, definitions, generatedFiles } from "./generated.ts";

const files = generatedFiles();
for (const [path, text] of files) {
  const file = join(projectFolder, path);
  if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.log(`wrote ${path}`);
}
for (const name of definitions(CRD_COPIES)) {
  const path = `${CRD_COPIES}/${name}`;
  if (files.has(path)) continue;
  rmSync(join(projectFolder, path));
  console.log(`removed ${path}`);
}
