import assert from "node:assert/strict";
import { test } from "node:test";
import { idBytes, leaseIdText, memberIdText, readSignedId, readUint64, readUnsignedId, writeUint64 } from "./int64.ts";

test("writeUint64() and readUint64() agree with 64-bit arithmetic", () => {
  const bytes = new Uint8Array(10);
  for (const value of [0, 1, 255, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER]) {
    writeUint64(bytes, 1, value);
    assert.equal(readUint64(bytes, 1), value);
    assert.equal(readUnsignedId(bytes, 1), BigInt(value));
  }
});

test("ids keep all 64 bits, and lease ids their sign", () => {
  assert.equal(readUnsignedId(idBytes(0xffff_ffff_ffff_fffen)), 0xffff_ffff_ffff_fffen);
  assert.equal(readSignedId(idBytes(-2n)), -2n);
});

test("ids are printed as etcdctl prints them", () => {
  assert.equal(memberIdText(0x8e9e05c52164694dn), "8e9e05c52164694d");
  assert.equal(leaseIdText(0x1fn), "000000000000001f");
  assert.equal(leaseIdText(-1n), "ffffffffffffffff");
});
