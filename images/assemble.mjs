/**
 * What an image holds of this project: `node images/assemble.mjs PROGRAM FROM TO [NODE]` copies the built files of one
 * program and the packages that it needs, with those that they need, from the project's folder FROM to the empty folder
 * TO, and has the program begin with NODE. `programs.json` lists files and packages; a test holds the list against what
 * the programs import. One package.json serves both programs: a second one would have to be kept level by hand.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

/** Types, maps and pages are read by people and compilers, none of which is there; licences stay. */
const NOT_RUN = /^(?!licen[cs]e|notice|copying).*\.(?:map|md|markdown|[cm]?ts|tsx|flow|tsbuildinfo)$/i;
/** Packages of types only, although packages that we use name them as needed. */
const TYPES_ONLY = /^@types\//;

/** Built files and packages below `to`, which must not be there or be empty. Answers the packages' folders. */
export function assemble({ program, from, to, node }) {
  const known = readJson(join(here, "programs.json"));
  const parts = known[program];
  if (parts === undefined) throw new Error(`there is no program "${program}": ${Object.keys(known).join(", ")}`);
  if (existsSync(to) && readdirSync(to).length > 0) throw new Error(`"${to}" is not empty: name another folder`);
  for (const folder of parts.folders) copy(join(from, "dist", folder), join(to, "dist", folder));
  const folders = packagesOf(parts.packages, from);
  const packages = realpathSync(join(from, "node_modules"));
  for (const folder of folders) copy(join(packages, folder), join(to, "node_modules", folder), "node_modules");
  writePackage(from, to);
  begin(join(to, "dist", parts.main), node);
  for (const tool of parts.tools ?? []) {
    cpSync(join(here, tool), join(to, tool));
    begin(join(to, tool), node);
  }
  return folders;
}

/** Folders below node_modules of packages by these names and of all that these need, as Node would find them. */
export function packagesOf(names, from) {
  const found = new Set();
  const open = names.map((name) => ({ name, within: "", isOptional: false }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const folder = find(next.name, next.within, from);
    if (folder === undefined) {
      if (next.isOptional) continue;
      throw new Error(`package "${next.name}" is not in node_modules: run npm ci`);
    }
    if (found.has(folder)) continue;
    found.add(folder);
    const { dependencies = {}, optionalDependencies = {} } = readJson(
      join(from, "node_modules", folder, "package.json"),
    );
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies }))
      if (!TYPES_ONLY.test(name)) open.push({ name, within: folder, isOptional: name in optionalDependencies });
  }
  return [...found].sort();
}

/** Innermost first: beside the package that asks, then in each folder above it. */
function find(name, within, from) {
  for (let place = within; ; place = outer(place)) {
    const folder = place === "" ? name : posix.join(place, "node_modules", name);
    if (existsSync(join(from, "node_modules", folder, "package.json"))) return folder;
    if (place === "") return undefined;
  }
}

/** The package that `folder` lies in; "": node_modules itself. */
function outer(folder) {
  const index = folder.lastIndexOf("/node_modules/");
  return index === -1 ? "" : folder.slice(0, index);
}

/** Without what is not run. `leftOut`: the name of folders that are copied on their own, where they are needed. */
function copy(from, to, leftOut) {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.name === leftOut) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copy(source, target, leftOut);
    else if (!NOT_RUN.test(entry.name) && !entry.name.endsWith(".test.js")) cpSync(source, target);
  }
}

/** Node reads from it that our files are modules; licence and name are for people. */
function writePackage(from, to) {
  const { name, version, license, type } = readJson(join(from, "package.json"));
  writeFileSync(
    join(to, "package.json"),
    `${JSON.stringify({ name, version, license, type, private: true }, null, 2)}\n`,
  );
  cpSync(join(from, "LICENSE"), join(to, "LICENSE"));
}

/** Images without a shell have no env either, which would find Node elsewhere. */
function begin(file, node) {
  const text = readFileSync(file, "utf8").replace(/^#!.*\n/, "");
  writeFileSync(file, `#!${node}\n${text}`);
  chmodSync(file, 0o755);
}

function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [program, from, to, node = process.execPath] = process.argv.slice(2);
  if (program === undefined || from === undefined || to === undefined) {
    process.stderr.write("usage: node images/assemble.mjs PROGRAM FROM TO [NODE]\n");
    process.exit(2);
  }
  assemble({ program, from, to, node });
}
