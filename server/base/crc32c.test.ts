import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c } from "./crc32c.ts";
import { Prng } from "./prng.ts";

test("crc32c() gives the check value of the catalogue of CRCs", () => {
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(0)), 0);
});

test("a checksum goes on where the one before ended, wherever the bytes are cut", () => {
  const bytes = new Prng(7).bytes(257);
  const whole = crc32c(bytes);
  for (let cut = 0; cut <= bytes.length; cut++) {
    assert.equal(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut))), whole);
    assert.equal(crc32c(bytes, crc32c(bytes, 0, 0, cut), cut), whole);
  }
});

test("every single changed bit changes the checksum", () => {
  const bytes = new Prng(8).bytes(64);
  const whole = crc32c(bytes);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Uint8Array.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.notEqual(crc32c(changed), whole);
  }
});
