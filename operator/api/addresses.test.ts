import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import { isAddress, isNetwork } from "./addresses.ts";

const ADDRESSES = [
  "10.0.0.1",
  "255.255.255.255",
  "0.0.0.0",
  "::",
  "::1",
  "fd00::1",
  "1:2:3:4:5:6:7:8",
  "1::8",
  "::ffff:10.0.0.1",
];
const OTHERS = [
  "",
  "10.0.0",
  "10.0.0.256",
  "10.0.0.01",
  "10.0.0.1.2",
  "a.b.c.d",
  ":",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "12345::",
  "g::",
  "10.0.0.1::",
  "::10.0.0.1:1",
  "1:2:3:4:5:6:7:1.2.3.4",
  " ::1",
];

test("isAddress() agrees with Node", () => {
  for (const text of [...ADDRESSES, ...OTHERS]) assert.equal(isAddress(text), isIP(text) !== 0, text);
  for (const text of ADDRESSES) assert.ok(isAddress(text), text);
});

test("isNetwork() wants an address and a length that fits it", () => {
  for (const text of ["10.0.0.0/8", "0.0.0.0/0", "10.0.0.1/32", "fd00::/64", "::/0", "::1/128"])
    assert.ok(isNetwork(text), text);
  for (const text of ["10.0.0.0", "10.0.0.0/33", "fd00::/129", "10.0.0.0/", "10.0.0.0/08", "/8", "10.0.0.0/8/8", "x/8"])
    assert.ok(!isNetwork(text), text);
});
