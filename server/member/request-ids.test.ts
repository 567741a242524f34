import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestIds } from "./request-ids.ts";

test("ids rise, carry the member's last 16 bits, and begin with the time", () => {
  const ids = new RequestIds(0x1234_5678_9abc_def0n, 1_700_000_000_000);
  const first = ids.next();
  assert.equal(first >> 48n, 0xdef0n);
  assert.equal((first >> 8n) & 0xff_ffff_ffffn, 1_700_000_000_000n & 0xff_ffff_ffffn);
  assert.equal(ids.next(), first + 1n);
});

test("a restart a millisecond later never repeats an id of the last 256", () => {
  const before = new RequestIds(1n, 1000);
  const after = new RequestIds(1n, 1001);
  const seen = new Set(Array.from({ length: 255 }, () => before.next()));
  assert.equal(seen.has(after.next()), false);
});
