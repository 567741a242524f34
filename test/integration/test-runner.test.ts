/** The test runner itself, on planted test files: what must fail the run does, what must be said aloud is. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const built = fileURLToPath(new URL("../..", import.meta.url));
const HEAD = 'import { test } from "node:test";\n';

/** Runs the built runner over these files (paths as in `dist`), in a folder of its own. */
function run(files: Readonly<Record<string, string>>, argv: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-runner-"));
  try {
    for (const name of ["run.js", "support/tally-reporter.js", "support/one-process.js"])
      cpSync(join(built, "test", name), join(folder, "test", name));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    for (const [name, code] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), HEAD + code);
    }
    // The inner run must not take itself for a part of this one.
    const { NODE_TEST_CONTEXT: _, KVORUM_NO_SKIP: __, KVORUM_FAILURES: ___, ...clean } = process.env;
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, "test", "run.js"), "test", ...argv], {
      encoding: "utf8",
      env: { ...clean, ...env },
    });
    return { status, output: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const PASSES = 'test("passes", () => {});';

test("totals of all processes close the run in node's form and as one plain line", () => {
  const { status, output } = run({
    "server/a/a.test.js": PASSES,
    "server/b/b.test.js": PASSES,
    "test/integration/c.test.js": PASSES,
  });
  assert.equal(status, 0, output);
  assert.match(output, /^# tests 3\n(# .*\n)*# pass 3\n# fail 0\n# cancelled 0\n# skipped 0\n/m);
  assert.match(output, /^test: 3 passed, 0 failed$/m);
});

test("a skipped test is named with its reason, and fails the run where skipping is forbidden", () => {
  const files = { "server/a.test.js": `${PASSES} test("wants more", (t) => t.skip("no such program"));` };
  const allowed = run(files);
  assert.equal(allowed.status, 0, allowed.output);
  assert.match(allowed.output, /^skipped: wants more .*: no such program$/m);
  assert.match(allowed.output, /^test: 1 passed, 0 failed, 1 skipped$/m);
  assert.equal(run(files, [], { KVORUM_NO_SKIP: "1" }).status, 1);
});

test("words choose files, and a word that chooses none fails the run", () => {
  const files = { "server/a/a.test.js": PASSES, "server/b/b.test.js": 'test("fails", () => { throw 1; });' };
  assert.equal(run(files, ["server/a"]).status, 0);
  assert.equal(run(files).status, 1);
  assert.equal(run(files, ["server/c"]).status, 1);
});

const WRONG: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "no test file": {},
  "a file without a test": { "test/integration/a.test.js": "" },
  "a failing test": { "server/a.test.js": 'test("fails", () => { throw new Error("no"); });' },
  "a failing test in a file of its own": {
    "test/integration/a.test.js": 'test("fails", () => { throw new Error("no"); });',
  },
  "a file that cannot be loaded": { "server/a.test.js": 'import "./missing.js";', "server/b.test.js": PASSES },
  "a process that ends in the middle": {
    "test/integration/a.test.js": `${PASSES} test("ends", () => process.exit(0));`,
  },
  "a server left open": {
    "server/a.test.js": `import net from "node:net"; ${PASSES} test("listens", () => { net.createServer().listen(0); });`,
    "server/b.test.js": PASSES,
  },
  "a timer left running": { "server/a.test.js": 'test("ticks", () => { setInterval(() => {}, 1000); });' },
  "a process left behind": {
    "test/integration/a.test.js": `import { spawn } from "node:child_process";
      ${PASSES} test("leaves", () => spawn("sleep", ["60"], { stdio: "ignore" }).unref());`,
  },
};

for (const [what, files] of Object.entries(WRONG))
  test(`${what} fails the run`, () => {
    const { status, output } = run(files);
    assert.equal(status, 1, output);
    assert.match(output, /^test: \d+ passed, [1-9]\d* failed/m);
  });

test("a file that leaves something open is named, with what it is, and the others are still counted", () => {
  const { output } = run(WRONG["a server left open"] ?? {});
  assert.match(output, /a\.test\.js closes what it opens/);
  assert.match(output, /left open: TCPServerWrap/);
  assert.match(output, /^test: 3 passed, 1 failed$/m);
});
