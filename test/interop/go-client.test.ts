/** A program of etcd's own Go client, built as its users build theirs, on our server: `go-client/main.go`. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runProgram } from "../support/program.ts";
import { projectFolder } from "../support/project.ts";
import { ServerProcess } from "../support/server-process.ts";
import { requireTool } from "../support/tools.ts";

/** The first build fetches and compiles the client's packages. */
const BUILD_MS = 600_000;

test("a Go program on etcd's client finds all that etcd promises", async (t) => {
  const go = requireTool(t, "go");
  if (go === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "kvorum-go-client-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, "go-client");
  const cwd = join(projectFolder, "test", "interop", "go-client");
  const build = await runProgram(go, ["build", "-o", program, "."], { cwd, timeoutMs: BUILD_MS });
  assert.equal(build.code, 0, build.errors);
  const server = await ServerProcess.start();
  t.after(() => server.remove());
  const { code, output, errors } = await runProgram(program, [server.url], { timeoutMs: 120_000 });
  assert.equal(code, 0, errors);
  assert.match(output, /^\d+ checks passed\n$/);
  t.diagnostic(output.trim());
});
