/** Where the project lies: tests run as built files, and what is not built (golden files, texts) stays in the sources. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of package.json. */
export const projectFolder: string = findProject(dirname(fileURLToPath(import.meta.url)));

function findProject(folder: string): string {
  if (existsSync(join(folder, "package.json"))) return folder;
  if (dirname(folder) === folder) throw new Error("the tests lie in no folder with a package.json");
  return findProject(dirname(folder));
}
