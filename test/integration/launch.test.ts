/** `npm start` and its sisters on a clone of a few files: when they install and build, and that the server is itself. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { projectFolder } from "../support/project.ts";

/** A server that tells its arguments and how it was ended, or ends at once with `--code=N`. */
const STUB = `
const code = process.argv.find((word) => word.startsWith("--code="));
const timer = setInterval(() => {}, 1000);
process.once("SIGTERM", () => { console.log("ended in order"); clearInterval(timer); process.exitCode = 5; });
console.log("started", process.argv.slice(2).join(" "), process.env["KVORUM_START"]);
if (code !== undefined) process.exit(Number(code.slice(7)));
`;

/** A clone whose packages are those of this project, so that nothing has to be fetched. */
function clone(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-clone-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["package.json", "package-lock.json", "tsconfig.json", "server/cli/launch", "test/launch.mjs"])
    cpSync(join(projectFolder, name), join(folder, name), { recursive: true });
  symlinkSync(join(projectFolder, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "server", "cli", "main.ts"), STUB);
  return folder;
}

function npm(folder: string, ...argv: string[]): ChildProcess {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return spawn("npm", argv, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
}

async function result(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (output += String(chunk)));
  const [code] = await once(child, "close");
  return { code, output };
}

test("npm start builds once, again when a source has changed, and says so", async (t) => {
  const folder = clone(t);
  const first = await result(npm(folder, "start", "--", "--code=7", "--name", "a b"));
  assert.match(first.output, /^kvorum: no build yet: tsc \.\.\. \d+\.\d s$/m);
  assert.match(first.output, /^started --code=7 --name a b person$/m);
  assert.equal(first.code, 7);

  const second = await result(npm(folder, "start", "--", "--code=0"));
  assert.doesNotMatch(second.output, /kvorum:/);
  assert.equal(second.code, 0);

  utimesSync(join(folder, "server", "cli", "main.ts"), 1, 1);
  const third = await result(npm(folder, "start", "--", "--code=0"));
  assert.match(third.output, /^kvorum: sources have changed: tsc/m);
});

test("a build that fails shows why and starts nothing, every time", async (t) => {
  const folder = clone(t);
  writeFileSync(join(folder, "server", "cli", "main.ts"), "export const x: number = 'text';\n");
  for (let time = 0; time < 2; time++) {
    const { code, output } = await result(npm(folder, "start"));
    assert.match(output, /server\/cli\/main\.ts\(1,14\): error TS2322/);
    assert.equal(code, 1);
  }
});

test("what was built from a file that is gone is gone too", async (t) => {
  const folder = clone(t);
  const source = join(folder, "server", "old.ts");
  writeFileSync(source, "export const x = 1;\n");
  await result(npm(folder, "run", "build"));
  assert.ok(existsSync(join(folder, "dist", "server", "old.js")));
  rmSync(source);
  await result(npm(folder, "run", "build"));
  assert.ok(!existsSync(join(folder, "dist", "server", "old.js")));
  assert.ok(existsSync(join(folder, "dist", "server", "cli", "main.js")));
});

test("two commands in a fresh clone do not build into each other", async (t) => {
  const folder = clone(t);
  const [one, two] = await Promise.all([
    result(npm(folder, "start", "--", "--code=0")),
    result(npm(folder, "start", "--", "--code=0")),
  ]);
  assert.deepEqual([one.code, two.code], [0, 0]);
  assert.equal((one.output + two.output).match(/tsc \.\.\./g)?.length, 1);
});

test("a lock left behind by a command that died does not hold up the next", async (t) => {
  const folder = clone(t);
  mkdirSync(join(folder, "dist"));
  const dead = spawn(process.execPath, ["-e", "0"]);
  await once(dead, "close");
  writeFileSync(join(folder, "dist", ".preparing"), String(dead.pid));
  const { code } = await result(npm(folder, "start", "--", "--code=0"));
  assert.equal(code, 0);
});

test("a SIGTERM to npm reaches the server, and its exit code comes back", async (t) => {
  const folder = clone(t);
  await result(npm(folder, "run", "build"));
  const child = npm(folder, "start");
  const ended = result(child);
  child.stdout?.on("data", (chunk) => String(chunk).includes("started") && child.kill("SIGTERM"));
  const { code, output } = await ended;
  assert.match(output, /^ended in order$/m);
  assert.equal(code, 5);
});
