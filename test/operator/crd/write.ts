/** `npm run crds`: writes what is made from the schema of the custom resources. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { generatedFiles } from "../../../operator/api/generate.ts";
import { projectFolder } from "../../support/project.ts";

for (const [path, text] of generatedFiles()) {
  mkdirSync(dirname(join(projectFolder, path)), { recursive: true });
  writeFileSync(join(projectFolder, path), text);
  console.log(`${path}: ${text.length} characters`);
}
