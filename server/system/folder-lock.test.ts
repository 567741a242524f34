import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { requireRoot } from "../../test/support/tools.ts";
import { type FolderLock, lockFolder } from "./folder-lock.ts";

const MODULE = new URL("./folder-lock.js", import.meta.url).href;

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-lock-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A process that tries to lock the folder: "locked" (and it stays) or the error's text (and it ends). */
async function locker(folder: string, prefix: readonly string[] = []): Promise<{ child: ChildProcess; said: string }> {
  const code = `
    import { lockFolder } from ${JSON.stringify(MODULE)};
    try {
      await lockFolder(${JSON.stringify(folder)});
      process.stdout.write("locked");
      setInterval(() => undefined, 1000);
    } catch (error) { process.stdout.write(error.message); }`;
  const [command, ...args] = [...prefix, process.execPath, "--input-type=module", "-e", code];
  const child = spawn(command as string, args, { stdio: ["ignore", "pipe", "inherit"] });
  const said = await new Promise<string>((resolve) =>
    child.stdout?.once("data", (data: Buffer) => resolve(data.toString())),
  );
  return { child, said };
}

async function killed(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

test("a second lock on a folder is refused by name and holder, under any path, until the first is released", async () => {
  await inFolder(async (folder) => {
    const lock = await lockFolder(folder);
    await assert.rejects(lockFolder(folder), (error: Error) => {
      assert.match(error.message, new RegExp(`use the data directory "${folder}": process ${process.pid} is using it`));
      return true;
    });
    symlinkSync(folder, `${folder}/link`);
    await assert.rejects(lockFolder(`${folder}/link`), /is using it/);
    lock.release();
    lock.release();
    assert.equal(existsSync(`${folder}/kvorum.lock`), false);
    (await lockFolder(folder)).release();
  });
});

test("another process is refused while the first lives, and not once it was killed", async () => {
  await inFolder(async (folder) => {
    const first = await locker(folder);
    assert.equal(first.said, "locked");
    const second = await locker(folder);
    assert.match(second.said, new RegExp(`process ${first.child.pid} is using it`));
    await assert.rejects(lockFolder(folder), new RegExp(`process ${first.child.pid} is using it`));
    await killed(first.child);
    assert.equal(existsSync(`${folder}/kvorum.lock`), true);
    const lock = await lockFolder(folder);
    lock.release();
  });
});

test("of processes that start at once on a folder whose holder was killed exactly one gets it", async () => {
  await inFolder(async (folder) => {
    const first = await locker(folder);
    await killed(first.child);
    const all = await Promise.all([1, 2, 3, 4].map(() => locker(folder)));
    assert.equal(all.filter(({ said }) => said === "locked").length, 1);
    for (const { child, said } of all) if (said === "locked") await killed(child);
  });
});

test("a folder with a very long path is locked as well", async () => {
  await inFolder(async (folder) => {
    const long = join(folder, "a".repeat(120), "b".repeat(120));
    mkdirSync(long, { recursive: true });
    const lock = await lockFolder(long);
    assert.equal(existsSync(`${long}/kvorum.lock`), true);
    lock.release();
  });
});

test("processes in different network and process namespaces exclude each other, too", async (t) => {
  if (process.platform !== "linux" || !requireRoot(t)) return;
  await inFolder(async (folder) => {
    const apart = ["unshare", "--net", "--pid", "--fork", "--kill-child"];
    const first = await locker(folder, apart);
    assert.equal(first.said, "locked");
    await assert.rejects(lockFolder(folder), /is using it/);
    const second = await locker(folder, apart);
    assert.match(second.said, /is using it/);
    await killed(first.child);
    // The killed process's child takes a moment to follow it.
    const lock = await untilFree(folder);
    lock.release();
  });
});

async function untilFree(folder: string): Promise<FolderLock> {
  for (let tries = 0; ; tries++) {
    try {
      return await lockFolder(folder);
    } catch (error) {
      if (tries > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
