import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

/** Seconds after which a program of these tests is taken to hang. */
const PATIENCE_MS = 20_000;

/** A program that gives itself a heap of 300 MB and then does as its first argument says. */
function program(folder: string): string {
  const module = (name: string) => JSON.stringify(new URL(`./${name}.js`, import.meta.url).href);
  const path = join(folder, "program.mjs");
  writeFileSync(
    path,
    `import { applyHeapLimit } from ${module("launch")};
     import { onSignal, resign } from ${module("signals")};
     import { readHeap } from ${module("heap-guard")};
     import { writeSync } from "node:fs";
     const launch = await applyHeapLimit(import.meta.url, { oldSpaceMb: 300, semiSpaceMb: 8, transitBytes: 0, valueCacheBytes: 0 });
     if (launch.place === "elsewhere") {
       if (launch.error) writeSync(2, String(launch.error.code ?? launch.error.message));
       process.exit(launch.exitCode);
     }
     const [mode, ...rest] = process.argv.slice(2);
     const heap = { oldMb: Math.round(readHeap().limitBytes / 1048576), heap: launch.heap };
     writeSync(1, JSON.stringify({ pid: process.pid, rest, ...heap }) + "\\n");
     if (mode === "throw") throw new Error("broken");
     if (mode === "exit") process.exit(7);
     if (mode === "serve") {
       const timer = setInterval(() => undefined, 1000);
       onSignal("SIGTERM", () => { writeSync(1, "closing\\n"); clearInterval(timer); resign("SIGTERM"); });
       // The first thread must have heard that the signal is ours; until then it ends the process at once.
       setTimeout(() => writeSync(1, "serving\\n"), 500);
     }`,
  );
  return path;
}

interface Ended {
  readonly child: ChildProcess;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly error: string;
}

async function run(
  args: readonly string[],
  seen: (out: string, child: ChildProcess) => void = () => undefined,
): Promise<Ended> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const texts = { out: "", error: "" };
  child.stdout.on("data", (chunk) => {
    texts.out += String(chunk);
    seen(texts.out, child);
  });
  child.stderr.on("data", (chunk) => {
    texts.error += String(chunk);
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  clearTimeout(timer);
  return { child, code, signal, ...texts };
}

function firstLine(text: string): { pid: number; rest: string[]; oldMb: number; heap: string } {
  return JSON.parse(text.split("\n")[0] as string);
}

test("the program has the heap that was planned, in the process that was started, with its arguments", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-launch-"));
  try {
    const path = program(folder);
    const ended = await run([path, "exit", "a b", "--x=1"]);
    assert.equal(ended.error, "");
    assert.equal(ended.code, 7);
    const { pid, rest, oldMb, heap } = firstLine(ended.out);
    assert.equal(pid, ended.child.pid);
    assert.deepEqual(rest, ["a b", "--x=1"]);
    assert.equal(oldMb, 300);
    assert.equal(heap, "execve" in process ? "process" : "thread");

    const given = await run(["--max-old-space-size=200", path, "exit"]);
    assert.deepEqual([firstLine(given.out).oldMb, firstLine(given.out).heap], [200, "given"]);

    const broken = await run([path, "throw"]);
    assert.equal(broken.code, 1);
    assert.match(broken.error, /broken/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("SIGTERM reaches the server where it runs, and ends the process by that signal; SIGKILL ends it at once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-launch-"));
  try {
    const path = program(folder);
    for (const sent of ["SIGTERM", "SIGKILL"] as const) {
      let asked = false;
      const ended = await run([path, "serve"], (out, child) => {
        if (asked || !out.includes("serving\n")) return;
        asked = true;
        child.kill(sent);
      });
      assert.equal(ended.signal, sent);
      assert.equal(ended.out.includes("closing\n"), sent === "SIGTERM");
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
