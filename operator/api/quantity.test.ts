import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, compareQuantities, formatBytes, parseQuantity, shownBytes } from "./quantity.ts";

test("parseQuantity() reads every suffix exactly", () => {
  const nano = 10n ** 9n;
  const cases: readonly (readonly [string | number, bigint])[] = [
    ["0", 0n],
    [3, 3n * nano],
    ["+3", 3n * nano],
    ["-3", -3n * nano],
    ["1n", 1n],
    ["1u", 1000n],
    ["500m", nano / 2n],
    ["1k", 1000n * nano],
    ["1M", 10n ** 15n],
    ["1G", 10n ** 18n],
    ["1T", 10n ** 21n],
    ["1P", 10n ** 24n],
    ["1E", 10n ** 27n],
    ["1Ki", 1024n * nano],
    ["1Mi", 1024n ** 2n * nano],
    ["1Gi", 1024n ** 3n * nano],
    ["1Ti", 1024n ** 4n * nano],
    ["1Pi", 1024n ** 5n * nano],
    ["7Ei", 7n * 1024n ** 6n * nano],
    ["1.5Gi", 3n * 512n * 1024n ** 2n * nano],
    [".5", nano / 2n],
    ["5.", 5n * nano],
    ["1e3", 1000n * nano],
    ["1E3", 1000n * nano],
    ["25e-1", 25n * (nano / 10n)],
    ["0.1n", 1n],
  ];
  for (const [text, nanos] of cases) assert.equal(parseQuantity(text), nanos, String(text));
});

test("parseQuantity() refuses what Kubernetes refuses, and names it", () => {
  for (const text of ["", ".", "Gi", "1gi", "1KI", "1 Gi", "1Gi ", "1,5", "0x10", "1e", "1e99", "--1", "1iB", "１"])
    assert.throws(() => parseQuantity(text), { message: new RegExp(`^"${text}" is no quantity`) }, text);
  assert.throws(() => parseQuantity("1".repeat(40)), { message: /^"1{32}\.\.\." is no quantity/ });
  assert.throws(() => parseQuantity("8Ei"), { message: /^quantity "8Ei" is beyond/ });
  assert.throws(() => parseQuantity(Number.NaN));
});

test("bytesOf() gives whole bytes, a part of one counting as one", () => {
  assert.equal(bytesOf("2Gi"), 2147483648);
  assert.equal(bytesOf("100Mi"), 104857600);
  assert.equal(bytesOf("1m"), 1);
  assert.equal(bytesOf(0), 0);
  assert.throws(() => bytesOf("-1"), { message: /"-1" is negative/ });
  assert.throws(() => bytesOf("8Pi"), { message: /"8Pi" is beyond/ });
});

test("compareQuantities() compares amounts, not spellings", () => {
  assert.equal(compareQuantities("1Gi", "1024Mi"), 0);
  assert.ok(compareQuantities("1G", "1Gi") < 0);
  assert.ok(compareQuantities("10Gi", "9Gi") > 0);
  assert.ok(compareQuantities("0.9Gi", "1Gi") < 0);
});

test("formatBytes() keeps the amount and takes the greatest suffix", () => {
  for (const [bytes, text] of [
    [0, "0"],
    [1, "1"],
    [1000, "1000"],
    [1024, "1Ki"],
    [2147483648, "2Gi"],
  ] as const) {
    assert.equal(formatBytes(bytes), text);
    assert.equal(bytesOf(text), bytes);
  }
});

test("shownBytes() is short", () => {
  const table = [
    [0, "0 B"],
    [1023, "1023 B"],
    [13_107_200, "12.5 MiB"],
    [150 * 1024, "150 KiB"],
    [8 * 1024 ** 3, "8 GiB"],
    [5000 * 1024 ** 4, "5000 TiB"],
  ] as const;
  for (const [bytes, text] of table) assert.equal(shownBytes(bytes), text);
});
