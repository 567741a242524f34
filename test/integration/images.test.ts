/** What goes into the images runs: assembled out of this build and these packages, and started from where it then lies. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { KVORUM_VERSION } from "../../server/config/version.ts";
import { projectFolder } from "../support/project.ts";
import { ServerProcess } from "../support/server-process.ts";

const ASSEMBLE = join(projectFolder, "images", "assemble.mjs");

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "kvorum-image-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function assemble(program: string, to: string, from = projectFolder): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [ASSEMBLE, program, from, to], { encoding: "utf8" });
}

function namesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: "utf8" });
}

test("the server's tree starts by the name etcd, serves, and is healthy as Docker sees it", async (t) => {
  const [image, bin] = [join(folder(t), "kvorum"), folder(t)];
  const { status, stderr } = assemble("server", image);
  assert.equal(status, 0, stderr);
  const etcd = join(bin, "etcd");
  symlinkSync(join(image, "dist", "server", "cli", "main.js"), etcd);
  const { stdout } = spawnSync(etcd, ["--version"], { encoding: "utf8" });
  assert.match(stdout, new RegExp(`^etcd Version: .*\\nKvorum Version: ${KVORUM_VERSION}\\n`, "s"));

  const server = await ServerProcess.prepare({ command: [etcd] });
  t.after(() => server.remove());
  const health = (url: string) =>
    spawnSync(join(image, "health.mjs"), { env: { KVORUM_HEALTH_URL: url }, encoding: "utf8" });
  assert.equal(health(server.url).status, 1, "nothing listens yet");
  await server.launch();
  const alive = health(server.url);
  assert.equal(alive.status, 0, alive.stderr);
  const stopped = await server.stop();
  assert.equal(stopped.signal, "SIGTERM");
});

test("the server's tree has nothing of the operator, no test and no types", (t) => {
  const image = join(folder(t), "kvorum");
  assert.equal(assemble("server", image).status, 0);
  assert.deepEqual(readdirSync(image).sort(), ["LICENSE", "dist", "health.mjs", "node_modules", "package.json"]);
  assert.deepEqual(readdirSync(join(image, "dist")), ["server"]);
  const names = namesBelow(image);
  assert.deepEqual(
    names.filter((name) => /\.test\.js$|\.d\.ts$|\.map$|\.md$/.test(name) && !/licen[cs]e/i.test(name)),
    [],
  );
  for (const name of ["@kubernetes", "@peculiar", "@types", "typescript", "@biomejs"])
    assert.ok(!existsSync(join(image, "node_modules", name)), name);
  assert.ok(existsSync(join(image, "node_modules", "lmdb", "package.json")));
});

test("kvorum-put-get writes and reads a key, and says what is wrong when it cannot", async (t) => {
  // From where it lies in the image: beside the built files.
  const image = folder(t);
  cpSync(join(projectFolder, "images", "put-get.mjs"), join(image, "put-get.mjs"));
  symlinkSync(join(projectFolder, "dist"), join(image, "dist"));
  const server = await ServerProcess.prepare();
  t.after(() => server.remove());
  const run = (...argv: string[]) =>
    spawnSync(process.execPath, [join(image, "put-get.mjs"), ...argv], { encoding: "utf8" });
  const early = run(server.url, "0.1");
  assert.equal(early.status, 1);
  assert.match(early.stdout, /ECONNREFUSED/);
  await server.launch();
  const { status, stdout } = run(server.url);
  assert.equal(status, 0, stdout);
  assert.equal(stdout, `wrote and read a key at ${server.url}\n`);
  assert.equal(run().status, 2);
});

test("the operator's tree starts", (t) => {
  const image = join(folder(t), "kvorum");
  const { status, stderr } = assemble("operator", image);
  assert.equal(status, 0, stderr);
  assert.ok(!existsSync(join(image, "node_modules", "lmdb")));
  const {
    status: code,
    stdout,
    stderr: said,
  } = spawnSync(join(image, "dist", "operator", "cli", "main.js"), ["--version"], {
    encoding: "utf8",
  });
  assert.equal(code, 0, said);
  assert.match(stdout, new RegExp(KVORUM_VERSION.replaceAll(".", "\\.")));
});

test("packages are found as Node finds them: the nearest first, optional ones only where they are, types never", (t) => {
  const from = folder(t);
  const packages = (path: string, dependencies: object, optionalDependencies: object = {}) => {
    mkdirSync(join(from, "node_modules", path), { recursive: true });
    const text = JSON.stringify({ name: path, version: "1.0.0", dependencies, optionalDependencies });
    writeFileSync(join(from, "node_modules", path, "package.json"), text);
    writeFileSync(join(from, "node_modules", path, "index.js"), "");
  };
  packages("yaml", {});
  packages("sorted-btree", {});
  packages("prom-client", { inner: "1", "@types/node": "1" }, { "elsewhere-only": "1" });
  packages("prom-client/node_modules/inner", { shared: "1" });
  packages("inner", { wrong: "1" });
  packages("shared", { "prom-client": "1" });
  packages("@grpc/grpc-js", { shared: "1" });
  packages("lmdb", {});
  packages("@types/node", {});
  packages("unused", {});
  mkdirSync(join(from, "dist", "server", "cli"), { recursive: true });
  writeFileSync(join(from, "dist", "server", "cli", "main.js"), "");
  writeFileSync(join(from, "package.json"), "{}");
  writeFileSync(join(from, "LICENSE"), "");
  const to = join(folder(t), "image");
  const { status, stderr } = assemble("server", to, from);
  assert.equal(status, 0, stderr);
  const found = namesBelow(join(to, "node_modules")).filter((name) => name.endsWith("package.json"));
  assert.deepEqual(found.map((name) => name.replace(/\/package\.json$/, "")).sort(), [
    "@grpc/grpc-js",
    "lmdb",
    "prom-client",
    "prom-client/node_modules/inner",
    "shared",
    "sorted-btree",
    "yaml",
  ]);
  rmSync(join(from, "node_modules", "lmdb"), { recursive: true });
  const missing = assemble("server", join(folder(t), "image"), from);
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /package "lmdb" is not in node_modules: run npm ci/);
  assert.match(assemble("server", to, from).stderr, /is not empty: name another folder/);
  assert.match(assemble("proxy", to, from).stderr, /there is no program "proxy": server, operator/);
});
