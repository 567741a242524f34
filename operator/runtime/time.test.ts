import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { VirtualTime } from "../../test/operator/virtual-time.ts";
import { SYSTEM_TIME } from "./system-time.ts";
import { jittered, microTimestamp, pause, timestamp } from "./time.ts";

describe("time", () => {
  it("a pause ends when its time is over or its signal fires, and at once when that has fired", async () => {
    const time = new VirtualTime();
    const abort = new AbortController();
    const ended: string[] = [];
    void pause(time, 1000).then(() => ended.push(`whole at ${time.monotonic()}`));
    void pause(time, 9000, abort.signal).then(() => ended.push(`cut at ${time.monotonic()}`));
    await time.advance(2000);
    abort.abort();
    await time.advance(1);
    void pause(time, 9000, abort.signal).then(() => ended.push(`none at ${time.monotonic()}`));
    await time.settle();
    assert.deepEqual(ended, ["whole at 1000", "cut at 2000", "none at 2001"]);
  });

  it("jitter stays within its share, and is not always the same", () => {
    const time = new VirtualTime();
    const values = Array.from({ length: 1000 }, () => jittered(time, 1000, 0.2));
    assert.ok(values.every((value) => value >= 800 && value <= 1200));
    assert.ok(Math.min(...values) < 820 && Math.max(...values) > 1180);
  });

  it("is written in whole seconds, and with six digits where the API wants micro times", () => {
    const moment = Date.UTC(2026, 10, 30, 20, 5, 7, 89);
    assert.equal(timestamp(moment), "2026-11-30T20:05:07Z");
    assert.equal(microTimestamp(moment), "2026-11-30T20:05:07.089000Z");
  });

  it("a timer of this machine runs once, later, and not when it was cancelled", async () => {
    const ran: string[] = [];
    SYSTEM_TIME.after(0, () => ran.push("cancelled")).cancel();
    const from = SYSTEM_TIME.monotonic();
    await new Promise<void>((resolve) => {
      SYSTEM_TIME.after(1, () => {
        ran.push("run");
        resolve();
      });
      assert.deepEqual(ran, []);
    });
    assert.deepEqual(ran, ["run"]);
    assert.ok(SYSTEM_TIME.monotonic() > from);
    // A delay beyond what Node's timers take does not fire at once.
    const far = SYSTEM_TIME.after(2 ** 40, () => ran.push("far"));
    await new Promise((resolve) => setImmediate(resolve));
    far.cancel();
    assert.deepEqual(ran, ["run"]);
  });
});
