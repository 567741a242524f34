import assert from "node:assert/strict";
import { test } from "node:test";
import { GrowingPause } from "./growing-pause.ts";

test("no pause after the first failure, then one that doubles up to the longest, until something succeeds", () => {
  const pause = new GrowingPause({ firstMs: 100, longestMs: 1500 });
  const failed = (times: number) => Array.from({ length: times }, () => pause.failed());
  assert.deepEqual(failed(7), [0, 100, 200, 400, 800, 1500, 1500]);
  for (let n = 0; n < 2000; n++) assert.equal(pause.failed(), 1500);
  pause.succeeded();
  assert.deepEqual(failed(2), [0, 100]);
});
