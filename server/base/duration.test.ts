import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, parseDuration } from "./duration.ts";

test("parseDuration() reads what Go's flag package reads", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["0s", 0],
    ["100ms", 100],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["2h0m0.5s", 7_200_500],
    ["1.5s", 1500],
    [".5s", 500],
    ["1.s", 1000],
    ["10us", 0.01],
    ["10\u00b5s", 0.01],
    ["10\u03bcs", 0.01],
    ["3ns", 0.000003],
    ["-1s", -1000],
    ["+1s", 1000],
    ["-0", 0],
  ];
  for (const [text, milliseconds] of cases) assert.equal(parseDuration(text) + 0, milliseconds + 0, text);
});

test("parseDuration() says what is wrong", () => {
  const cases: [string, RegExp][] = [
    ["", /number with a unit/],
    ["-", /number with a unit/],
    ["abc", /number with a unit/],
    ["5", /5 has no unit/],
    ["1h5", /5 has no unit/],
    ["5d", /"d" is not a unit/],
    ["1 s", /" s" is not a unit/],
    ["1..s", /1\. has no unit/],
    ["--1s", /number with a unit/],
    ["9999999999h", /at most 292 years/],
  ];
  for (const [text, message] of cases) assert.throws(() => parseDuration(text), message, text);
});

test("formatDuration() prints as Go prints", () => {
  const cases: [number, string][] = [
    [0, "0s"],
    [100, "100ms"],
    [1000, "1s"],
    [1500, "1.5s"],
    [60_000, "1m0s"],
    [7_200_000, "2h0m0s"],
    [5_400_500, "1h30m0.5s"],
    [0.067, "67\u00b5s"],
    [0.821792, "821.792\u00b5s"],
    [1.094147, "1.094147ms"],
    [0.000005, "5ns"],
    [-2000, "-2s"],
    [7000.469319, "7.000469319s"],
    [59_999.9999996, "1m0s"],
  ];
  for (const [milliseconds, text] of cases) assert.equal(formatDuration(milliseconds), text);
});

test("a formatted duration reads back as itself", () => {
  for (const milliseconds of [0.001, 0.25, 1, 99, 1234.5, 61_001, 86_400_000, 3_600_001.000001]) {
    assert.equal(parseDuration(formatDuration(milliseconds)), milliseconds);
  }
});
