import assert from "node:assert/strict";
import { test } from "node:test";
import { responseOf, Waiters } from "./waiters.ts";

test("a waiter gets its own outcome, and only once", async () => {
  const waiters = new Waiters();
  const waiting = waiters.wait(7n, 100);
  waiters.finish(8n, { ok: true, response: undefined });
  assert.equal(waiters.size, 1);
  waiters.finish(7n, { ok: false, code: "LeaseNotFound", detail: undefined });
  assert.deepEqual(await waiting, { ok: false, code: "LeaseNotFound", detail: undefined });
  assert.equal(waiters.size, 0);
});

test("a waiter whose time has passed gets Timeout; the others stay", async () => {
  const waiters = new Waiters();
  const early = waiters.wait(1n, 100);
  const late = waiters.wait(2n, 300);
  assert.equal(waiters.expire(200), 1);
  assert.throws(() => responseOf({ ok: false, code: "Timeout", detail: undefined }), { code: "Timeout" });
  assert.equal((await early).ok, false);
  waiters.failAll("Stopped");
  assert.deepEqual(await late, { ok: false, code: "Stopped", detail: undefined });
});
