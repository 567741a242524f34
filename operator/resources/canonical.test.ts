import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalJson } from "./canonical.ts";

test("canonicalJson() is one text for one value, and leaves out what is undefined", () => {
  assert.equal(canonicalJson({ b: 1, a: [{ d: 1, c: undefined }, "x"] }), '{"a":[{"d":1},"x"],"b":1}');
  assert.equal(canonicalJson({ x: { b: null, a: true } }), canonicalJson({ x: { a: true, b: null } }));
});
