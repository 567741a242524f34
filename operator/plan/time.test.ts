import assert from "node:assert/strict";
import { test } from "node:test";
import { fromTime, toTime } from "./time.ts";

test("toTime() and fromTime() agree with the calendar of the machine", () => {
  const times = [0, 951_782_400_000, 951_868_799_000, 1_709_164_800_000, 4_107_542_400_000, 253_402_300_799_000];
  for (let ms = 0; ms < 6e12; ms += 37 * 86_400_000 + 12_345_000) times.push(ms);
  for (const ms of times) {
    const text = new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
    assert.equal(toTime(ms), text);
    assert.equal(fromTime(text), Math.floor(ms / 1000) * 1000);
  }
});

test("fromTime() leaves parts of a second out and knows what is no time", () => {
  assert.equal(fromTime("1970-01-01T00:00:01.999999Z"), 1000);
  for (const text of [undefined, "", "yesterday", "1970-01-01", "1970-01-01T00:00:00+01:00"])
    assert.equal(fromTime(text), undefined);
});
