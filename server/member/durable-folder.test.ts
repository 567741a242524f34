import assert from "node:assert/strict";
import { test } from "node:test";
import { SimDisk } from "../../test/simulation/world/disk.ts";
import { Prng } from "../base/prng.ts";
import { makeDurableFolder } from "./durable-folder.ts";

/** Whether the folder, and a file placed durably in it, are there after a crash; for many chances of losing something. */
function survives(make: (disk: SimDisk) => void): boolean {
  for (let seed = 1; seed <= 50; seed++) {
    const disk = new SimDisk({ prng: new Prng(seed) });
    make(disk);
    disk.crash();
    if (!disk.exists("/a/b/c")) return false;
  }
  return true;
}

test("a folder and all above it that were missing are there after a power cut", () => {
  assert.ok(survives((disk) => makeDurableFolder(disk, "/a/b/c")));
});

test("a folder that was made without a sync, by a process that was killed, is made durable", () => {
  assert.ok(
    survives((disk) => {
      makeDurableFolder(disk, "/a/b");
      disk.makeFolder("/a/b/c");
      makeDurableFolder(disk, "/a/b/c");
    }),
  );
});

test("folders that are only made do not survive every power cut", () => {
  assert.ok(!survives((disk) => disk.makeFolder("/a/b/c")));
});

test("a folder in the root is synced there", () => {
  const disk = new SimDisk({ prng: new Prng(1) });
  makeDurableFolder(disk, "/data");
  assert.deepEqual(disk.journal, ["makeFolder /data", "syncFolder /"]);
});
