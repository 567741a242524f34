/**
 * A disk that fills up or breaks while the server writes: it says so and stops, and what it had acknowledged is there
 * when it is started again.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { History } from "../robustness/history.ts";
import { Workload } from "../robustness/workload.ts";
import { ServerProcess } from "../support/server-process.ts";
import { requireTool } from "../support/tools.ts";

const SOURCE = fileURLToPath(new URL("../../../test/robustness/failing-disk.c", import.meta.url));
const ENOSPC = 28;
const EIO = 5;

const CASES = [
  {
    what: "the log cannot be written: no space",
    path: "/wal/",
    call: "write",
    errno: ENOSPC,
    says: /no space left|ENOSPC/i,
  },
  { what: "the log cannot be written: I/O error", path: "/wal/", call: "write", errno: EIO, says: /I\/O error|EIO/i },
  { what: "the log cannot be synced", path: "/wal/", call: "sync", errno: EIO, says: /I\/O error|EIO/i },
  {
    what: "the store cannot be written: no space",
    path: "kvorum",
    call: "write",
    errno: ENOSPC,
    says: /no space left|ENOSPC/i,
  },
  {
    what: "the store cannot be synced",
    path: "kvorum",
    call: "sync",
    errno: EIO,
    says: /I\/O error|EIO|input\/output/i,
  },
];

for (const { what, path, call, errno, says } of CASES) {
  test(`${what}: the server says so, stops, and loses nothing`, async (t) => {
    const compiler = requireTool(t, "gcc");
    if (compiler === undefined) return;
    const folder = mkdtempSync(join(tmpdir(), "kvorum-faults-"));
    const library = join(folder, "failing-disk.so");
    execFileSync(compiler, ["-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"]);
    const trigger = join(folder, "trigger");
    const env = {
      LD_PRELOAD: library,
      FAULT_TRIGGER: trigger,
      FAULT_PATH: path,
      FAULT_CALL: call,
      FAULT_ERRNO: String(errno),
    };
    const server = await ServerProcess.prepare({
      env,
      dataDir: join(folder, "data"),
      flags: ["--backend-batch-interval=20ms"],
    });
    const history = new History();
    const workload = new Workload({ url: server.url, writers: 8, seed: 1 });
    try {
      const exited = server.spawn();
      while (!server.log.includes("ready to serve client requests")) await sleep(20);
      workload.start(history.start());
      await sleep(300);
      writeFileSync(trigger, "");
      const ended = await Promise.race([exited, sleep(10_000).then(() => undefined)]);
      assert.ok(ended !== undefined, `the server stops by itself; it said:\n${server.log.slice(-2000)}`);
      assert.notEqual(ended.code, 0, "and not as if all were well");
      assert.match(server.log, says);
      await workload.stop();
      assert.ok(workload.acknowledged.length > 50, "the load was real");
      rmSync(trigger);
      await server.launch();
      await history.judge(server.url, workload);
      t.diagnostic(`${workload.acknowledged.length} puts acknowledged, ${history.judged} found in their place`);
      assert.equal(history.judged, workload.acknowledged.length);
    } finally {
      await workload.stop();
      await server.remove();
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
