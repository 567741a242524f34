import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { WorldError } from "../base/error.ts";
import { SystemDisk } from "./disk.ts";

function inFolder(body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-disk-"));
  try {
    body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("files and folders are for this user alone", () => {
  inFolder((folder) => {
    const disk = new SystemDisk();
    disk.makeFolder(`${folder}/member/wal`);
    disk.open(`${folder}/member/wal/a`, { create: true }).close();
    assert.equal(statSync(`${folder}/member`).mode & 0o777, 0o700);
    assert.equal(statSync(`${folder}/member/wal`).mode & 0o777, 0o700);
    assert.equal(statSync(`${folder}/member/wal/a`).mode & 0o777, 0o600);
  });
});

test("an error tells the action, the path and the system's reason", () => {
  inFolder((folder) => {
    const disk = new SystemDisk();
    assert.throws(() => disk.open(`${folder}/none`), {
      name: "WorldError",
      message: new RegExp(`^open "${folder}/none": ENOENT`),
    });
    disk.open(`${folder}/a`, { create: true }).close();
    assert.throws(
      () => disk.makeFolder(`${folder}/a/b`),
      (error: unknown) => error instanceof WorldError && error.cause instanceof Error,
    );
  });
});

test("a device without room refuses a write with ENOSPC", {
  skip: process.platform !== "linux" && "only Linux has /dev/full",
}, () => {
  const file = new SystemDisk().open("/dev/full");
  assert.throws(() => file.write(0, Uint8Array.of(1)), /write 1 bytes to "\/dev\/full" at byte 0: ENOSPC/);
  file.close();
});
