/** Reads the project's files from disk: what the house rules look at. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../support/project.ts";
import { readSource, type SourceFile } from "./scan.ts";

/** Folders that are made, not written. */
const MADE = new Set(["node_modules", "dist", ".git"]);

let tree: SourceFile[] | undefined;

/** Every TypeScript file of the server, of the operator and of the tests; read once. */
export function readTree(): readonly SourceFile[] {
  tree ??= ["server", "operator", "test"]
    .flatMap(pathsBelow)
    .filter((path) => path.endsWith(".ts"))
    .map((path) => readSource(path, readText(path)));
  return tree;
}

export function readText(path: string): string {
  return readFileSync(join(projectFolder, path), "utf8");
}

/** Paths of all files below a folder of the project, from the project's folder; "" is the project itself. */
export function pathsBelow(folder: string): string[] {
  const paths: string[] = [];
  for (const entry of readdirSync(join(projectFolder, folder), { withFileTypes: true })) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isFile()) paths.push(path);
    else if (entry.isDirectory() && !MADE.has(entry.name) && !/\.(etcd|kvorum)$/.test(entry.name))
      paths.push(...pathsBelow(path));
  }
  return paths.sort();
}
