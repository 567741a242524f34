import assert from "node:assert/strict";
import { test } from "node:test";
import { PingPolicy } from "./ping-policy.ts";

test("three pings that come too soon are one too many", () => {
  const policy = new PingPolicy(5000);
  assert.deepEqual(
    [0, 6000, 7000, 8000, 9000].map((now) => policy.allow(now, 1)),
    [true, true, true, true, false],
  );
});

test("without a call under way a ping counts against the peer for two hours", () => {
  const policy = new PingPolicy(5000);
  assert.deepEqual(
    [0, 10_000, 20_000, 30_000].map((now) => policy.allow(now, 0)),
    [true, true, true, false],
  );
});

test("what was sent in between forgives", () => {
  const policy = new PingPolicy(5000);
  for (let now = 0; now < 100; now++) {
    policy.sent();
    assert.ok(policy.allow(now, 1));
  }
  assert.deepEqual(
    [100, 101, 102].map((now) => policy.allow(now, 1)),
    [true, true, false],
  );
});
