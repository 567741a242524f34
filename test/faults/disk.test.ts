/**
 * A disk that fills up or breaks while the server writes: it says which file, why and what to do, and stops; what it had
 * acknowledged is there when it is started again.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { History } from "../robustness/history.ts";
import { PowerDisk, powerDiskMissing } from "../robustness/power-disk.ts";
import { Workload } from "../robustness/workload.ts";
import { projectFolder } from "../support/project.ts";
import { ServerProcess } from "../support/server-process.ts";
import { requireTool, skipAloud } from "../support/tools.ts";

const SOURCE = join(projectFolder, "test", "robustness", "failing-disk.c");
const LOG = "/wal/";
const STORE = "kvorum.mdb";
const ENOSPC = { number: 28, text: /no space left on (device|its disk)/i, advice: "Free space on that disk" };
const EIO = { number: 5, text: /i\/o error|input\/output error/i, advice: "The disk may be failing" };
const FLAGS = ["--backend-batch-interval=20ms"];
const DISK_MEGABYTES = 64;

const CASES = [
  { what: "the log cannot be written: no space", path: LOG, call: "write", error: ENOSPC },
  { what: "the log cannot be written: I/O error", path: LOG, call: "write", error: EIO },
  { what: "the log cannot be synced: no space", path: LOG, call: "sync", error: ENOSPC },
  { what: "the log cannot be synced: I/O error", path: LOG, call: "sync", error: EIO },
  { what: "the store cannot be written: no space", path: STORE, call: "write", error: ENOSPC },
  { what: "the store cannot be written: I/O error", path: STORE, call: "write", error: EIO },
  { what: "the store cannot be synced: no space", path: STORE, call: "sync", error: ENOSPC },
  { what: "the store cannot be synced: I/O error", path: STORE, call: "sync", error: EIO },
] as const;

for (const { what, path, call, error } of CASES) {
  test(`${what}: the server says so, stops, and loses nothing`, async (t) => {
    const library = buildLibrary(t);
    if (library === undefined) return;
    const trigger = `${library}.trigger`;
    const env = {
      LD_PRELOAD: library,
      FAULT_TRIGGER: trigger,
      FAULT_PATH: path,
      FAULT_CALL: call,
      FAULT_ERRNO: `${error.number}`,
    };
    const server = await ServerProcess.prepare({ env, flags: FLAGS });
    const judge = await strike(t, server, () => writeFileSync(trigger, ""));
    // A write that LMDB itself finds failing damages the memory of the process (see storage/free-space.ts): it may end
    // before our line is out. That it stops and loses nothing holds then too.
    const damaged = path === STORE && call === "write" && error === EIO;
    if (damaged && server.log.includes("Write error: Input/output error")) t.diagnostic("found by LMDB itself");
    else checkLastWords(t, server, error, path === LOG ? join(server.dataDir, "member", "wal") : STORE);
    rmSync(trigger);
    await judge();
  });
}

test("the disk is really full: the server says so, stops, and loses nothing once there is space", async (t) => {
  const missing = powerDiskMissing();
  if (missing !== undefined) return skipAloud(t, missing);
  const disk = new PowerDisk(DISK_MEGABYTES);
  t.after(() => disk.remove());
  const filler = join(disk.folder, "filler");
  const server = await ServerProcess.prepare({ dataDir: join(disk.folder, "data"), flags: FLAGS });
  const judge = await strike(t, server, () => fill(filler));
  checkLastWords(t, server, ENOSPC, disk.folder);
  const again = await server.spawn();
  assert.equal(again.code, 1, "nor does it start while the disk is full");
  checkLastWords(t, server, ENOSPC, disk.folder);
  rmSync(filler);
  await judge();
});

/** Breaks the disk under a server with load on it, which then ends by itself. Answers what starts and judges it again. */
async function strike(t: TestContext, server: ServerProcess, breakDisk: () => void): Promise<() => Promise<void>> {
  const history = new History();
  const workload = new Workload({ url: server.url, writers: 8, seed: 1 });
  t.after(async () => {
    await server.remove();
    await workload.stop();
  });
  await server.launch();
  workload.start(history.start());
  while (workload.acknowledged.length < 100) await sleep(10);
  breakDisk();
  const ended = await Promise.race([server.exited, sleep(20_000, undefined, { ref: false })]);
  assert.ok(ended !== undefined, `the server stops by itself; it said:\n${server.log.slice(-2000)}`);
  assert.ok(ended.code !== 0 && ended.signal !== "SIGTERM", "and not as if all were well");
  await workload.stop();
  const acknowledged = workload.acknowledged.length;
  return async () => {
    await server.launch();
    await history.judge(server.url, workload);
    t.diagnostic(`${acknowledged} changes acknowledged, ${history.judged} found in their place`);
    assert.equal(history.judged, acknowledged);
  };
}

/** The fatal line names the file, says why, and what to do. */
function checkLastWords(t: TestContext, server: ServerProcess, error: typeof ENOSPC, file: string): void {
  const lines = server.log.split("\n").filter((line) => line.includes('"level":"fatal"'));
  assert.equal(lines.length, 1, server.log.slice(-2000));
  const said = JSON.parse(lines[0] as string) as { msg: string; error: string; "what-to-do"?: string };
  t.diagnostic(`${said.msg}; ${said.error}; ${said["what-to-do"]}`);
  assert.ok(said.error.includes(file), "it names the file");
  assert.match(said.error, error.text);
  assert.ok(said["what-to-do"]?.startsWith(error.advice));
}

/** Writes until nothing more goes in, to the last block. */
function fill(path: string): void {
  const file = openSync(path, "w");
  for (let bytes = 2 ** 20; bytes >= 512; bytes /= 2) {
    try {
      for (;;) {
        writeSync(file, Buffer.alloc(bytes, 1));
        fsyncSync(file);
      }
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
    }
  }
  closeSync(file);
}

/** The library that makes calls fail; nothing, and the test skipped, where there is no compiler. */
function buildLibrary(t: TestContext): string | undefined {
  const compiler = requireTool(t, "gcc");
  if (compiler === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "kvorum-faults-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const library = join(folder, "failing-disk.so");
  execFileSync(compiler, ["-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"]);
  return library;
}
