import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration } from "../../server/base/duration.ts";
import { durationMs } from "./duration.ts";

test("durationMs() reads whole numbers with units, as Go does", () => {
  const cases = [
    ["0s", 0],
    ["1ms", 1],
    ["30s", 30_000],
    ["10m", 600_000],
    ["1h30m", 5_400_000],
    ["2160h", 7_776_000_000],
    ["1h1m1s1ms", 3_661_001],
    ["90m90s", 5_490_000],
  ] as const;
  for (const [text, milliseconds] of cases) {
    assert.equal(durationMs(text), milliseconds, text);
    assert.equal(parseDuration(text), milliseconds, text);
  }
});

test("durationMs() refuses everything else, and names it", () => {
  for (const text of [
    "",
    "10",
    "0",
    "90d",
    "1.5h",
    "-1s",
    "+1s",
    "1 h",
    "1h ",
    "h",
    "1us",
    "1H",
    "1234567s",
    "1s1s",
    "1s1m",
  ])
    assert.throws(
      () => durationMs(text),
      { message: new RegExp(`^"${text.replace("+", "\\+")}" is no duration`) },
      text,
    );
  assert.throws(() => durationMs("1".repeat(30)), { message: /^"1{24}\.\.\." is no duration/ });
});
