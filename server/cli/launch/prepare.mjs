/**
 * Makes a fresh clone ready: installs what package-lock.json lists and builds `server`, `operator` and `test` into `dist`, each only
 * when that is not done yet. Plain JavaScript without dependencies, as it runs before there is anything else. One line
 * on standard error for each thing done, with its time; silent and fast when there is nothing to do.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of package.json. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

const SOURCES = ["server", "operator", "test"];
const OLDEST_NODE = [20, 19];

/** Packages and build are there and current afterwards; otherwise the process has ended with a sentence. */
export function prepare() {
  install();
  if (isBuilt()) return;
  locked(() => isBuilt() || build());
}

/** As `prepare`, but the packages only. */
export function install() {
  refuseOldNode();
  if (isInstalled()) return;
  locked(() => isInstalled() || installPackages());
}

/** Builds even when the build looks current. */
export function rebuild() {
  install();
  locked(build);
}

/** The path of a program that a package of ours brings, to be run by node. */
export function packageFile(path) {
  return join(root, "node_modules", path);
}

function refuseOldNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  fail(`Node.js ${OLDEST_NODE.join(".")} or newer is needed; this is ${process.versions.node}.`);
}

/**
 * Compares what npm noted in node_modules with package-lock.json: every package that this machine needs must be there
 * in its listed version, and none for another machine (a folder copied from elsewhere).
 */
function isInstalled() {
  const noted = readJson(join(root, "node_modules", ".package-lock.json"));
  if (noted === undefined) return false;
  const wanted = readJson(join(root, "package-lock.json"))?.packages ?? {};
  for (const [path, entry] of Object.entries(noted.packages ?? {})) {
    if (wanted[path]?.version !== entry.version) return false;
    if (!isForThisMachine(entry)) return false;
  }
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || (entry.optional === true && !isForThisMachine(entry))) continue;
    if (noted.packages[path] === undefined && entry.optional !== true) return false;
  }
  return true;
}

function isForThisMachine({ os, cpu }) {
  return (os === undefined || os.includes(process.platform)) && (cpu === undefined || cpu.includes(process.arch));
}

/** Install scripts stay off: what we use comes as packages, and nothing that we did not read runs at install. */
function installPackages() {
  const why = existsSync(join(root, "node_modules")) ? "packages differ from package-lock.json" : "no packages yet";
  timed(`${why}: npm ci`, () => {
    const options = ["ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    const npm = process.env["npm_execpath"];
    return npm === undefined ? run("npm", options) : run(process.execPath, [npm, ...options]);
  });
}

function build() {
  // Taken before the compiler reads: an edit meanwhile makes the next start build again.
  const fingerprint = sourcesFingerprint();
  const why = existsSync(stamp()) ? "sources have changed" : "no build yet";
  timed(`${why}: tsc`, () => run(process.execPath, [packageFile("typescript/bin/tsc"), "-p", root]));
  removeOrphans();
  writeFileSync(stamp(), fingerprint);
}

function isBuilt() {
  return readText(stamp()) === sourcesFingerprint();
}

function stamp() {
  return join(root, "dist", ".built");
}

/** Changes with every source added, removed or touched. Contents are not read: this runs at every start. */
function sourcesFingerprint() {
  const hash = createHash("sha256");
  for (const path of [
    ...SOURCES.map((folder) => join(root, folder))
      .filter((folder) => existsSync(folder))
      .flatMap((folder) => filesBelow(folder, ".ts")),
    join(root, "tsconfig.json"),
  ]) {
    const { mtimeMs, size } = statSync(path);
    hash.update(`${relative(root, path)} ${mtimeMs} ${size}\n`);
  }
  return hash.digest("hex");
}

/** A file whose source is gone would be found by the test runner for ever. */
function removeOrphans() {
  for (const path of filesBelow(join(root, "dist"), ".js")) {
    const source = join(root, relative(join(root, "dist"), path).replace(/\.js$/, ".ts"));
    if (existsSync(source)) continue;
    rmSync(path);
    rmSync(`${path}.map`, { force: true });
  }
}

function filesBelow(folder, ending) {
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...filesBelow(path, ending));
    else if (entry.name.endsWith(ending)) found.push(path);
  }
  return found;
}

/** Two commands started at once in a fresh clone: the second waits for the first. */
function locked(action) {
  const path = join(root, "dist", ".preparing");
  mkdirSync(dirname(path), { recursive: true });
  for (let waits = 0; !take(path); waits++) {
    if (waits === 0) say("another command is preparing this clone: waiting for it\n");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  process.once("exit", release);
  action();
  release();
  process.removeListener("exit", release);

  function release() {
    rmSync(path, { force: true });
  }
}

function take(path) {
  try {
    const file = openSync(path, "wx");
    writeFileSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  if (isLeftBehind(path)) rmSync(path, { force: true });
  return false;
}

/** Whether the process that took the lock has died, by its id, or by age where it died before it wrote that. */
function isLeftBehind(path) {
  const holder = Number(readText(path) || "0");
  if (holder > 0) return !isAlive(holder);
  return Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) > 10_000;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Runs `action`, which answers what the process that it ran said, and prints one line with the time it took. */
function timed(what, action) {
  say(`${what} ... `);
  const start = process.hrtime.bigint();
  const { status, error, output } = action();
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  process.stderr.write(`${seconds.toFixed(1)} s\n`);
  if (status !== 0) fail(`${what} failed: ${error?.message ?? `exit code ${status}`}\n${output}`);
}

function run(program, options) {
  const { status, error, stdout, stderr } = spawnSync(program, options, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    shell: process.platform === "win32" && program === "npm",
  });
  return { status, error, output: `${stdout ?? ""}${stderr ?? ""}` };
}

function say(text) {
  process.stderr.write(`kvorum: ${text}`);
}

function fail(text) {
  say(`${text.trimEnd()}\n`);
  process.exit(1);
}

function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function readJson(path) {
  const text = readText(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
