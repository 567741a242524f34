import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { WorldError } from "../base/error.ts";
import { CorruptRecord } from "../ports/backend.ts";
import { adviceFor } from "./advice.ts";

function failed(code: string | number): Error {
  return Object.assign(new Error("it failed"), { code });
}

test("adviceFor() finds the disk's error below what was done when it came", () => {
  const advice = adviceFor(new WorldError("start", new WorldError('write "/data/log"', failed("ENOSPC"))));
  assert.match(advice ?? "", /^Free space on that disk, then start the server again\./);
});

test("adviceFor() knows the numbers by which LMDB calls the same errors", () => {
  assert.equal(adviceFor(failed(constants.errno.EIO)), adviceFor(failed("EIO")));
  assert.match(adviceFor(failed(constants.errno.EIO)) ?? "", /disk may be failing/);
});

test("adviceFor() names a copy as the way out of damaged data", () => {
  assert.match(adviceFor(new WorldError("open", new CorruptRecord("damaged"))) ?? "", /from a copy$/);
});

test("adviceFor() is silent where it knows nothing better", () => {
  for (const error of [new Error("x"), failed("ENOTHING"), failed("toString"), failed(-30_799), "text", undefined])
    assert.equal(adviceFor(error), undefined);
});
