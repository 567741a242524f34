import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { checkFreeSpace, freeBytes, growthBytes } from "./free-space.ts";

test("checkFreeSpace() says how much is there and how much is needed", () => {
  assert.throws(() => checkFreeSpace(tmpdir(), Number.MAX_SAFE_INTEGER), {
    code: "ENOSPC",
    message: /^no space left on its disk: \d+ bytes are free, 9007199254740991 may be needed$/,
  });
});

test("checkFreeSpace() lets pass what needs nothing, and what it cannot look at", () => {
  checkFreeSpace(tmpdir(), 0);
  checkFreeSpace(tmpdir(), -1);
  checkFreeSpace("/is/not/there", Number.MAX_SAFE_INTEGER);
});

test("freeBytes() is what df shows, and nothing where the file system has no size", () => {
  assert.equal(freeBytes({ blocks: 100, bavail: 7, bsize: 4096 }), 28_672);
  assert.equal(freeBytes({ blocks: 0, bavail: 0, bsize: 4096 }), undefined);
  assert.equal(freeBytes(undefined), undefined);
});

test("growthBytes() counts a page for each operation beside its record", () => {
  assert.equal(growthBytes(10, 500) - growthBytes(0, 0), 10 * 4096 + 500);
});
