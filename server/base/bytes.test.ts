import assert from "node:assert/strict";
import { test } from "node:test";
import { compareBytes, fromByteString, prefixEnd, printableBytes, toByteString } from "./bytes.ts";
import { Prng } from "./prng.ts";

test("byte strings order as their bytes do, and come back as them", () => {
  const random = new Prng(3);
  const keys = Array.from({ length: 300 }, () => random.bytes(random.below(12)));
  const byBytes = [...keys].sort(compareBytes);
  const byText = keys
    .map((key) => toByteString(key))
    .sort()
    .map(fromByteString);
  assert.deepEqual(
    byText.map((key) => [...key]),
    byBytes.map((key) => [...key]),
  );
});

test("prefixEnd() is the first key that no longer has the prefix", () => {
  assert.deepEqual([...prefixEnd(Uint8Array.of(97))], [98]);
  assert.deepEqual([...prefixEnd(Uint8Array.of(97, 255))], [98]);
  assert.deepEqual([...prefixEnd(Uint8Array.of(255, 255))], [0]);
  assert.deepEqual([...prefixEnd(new Uint8Array(0))], [0]);
});

test("printableBytes() shows what cannot be printed, and cuts what is long", () => {
  assert.equal(printableBytes(Uint8Array.of(97, 0, 255)), "a\\x00\\xff");
  assert.equal(printableBytes(new Uint8Array(5).fill(98), 3), "bbb...");
});
