import assert from "node:assert/strict";
import { test } from "node:test";
import { asId, parseJsonWithIds, writeJsonWithIds } from "./json-ids.ts";

test("a 64-bit id survives JSON both ways", () => {
  const text = '{"id":10276657743932975437,"peerURLs":["http://localhost:2380"],"name":"default"}';
  const value = parseJsonWithIds(text) as { id: bigint };
  assert.equal(value.id, 10276657743932975437n);
  assert.equal(writeJsonWithIds(value), text);
});

test("digits inside a string stay text, small numbers stay numbers", () => {
  assert.deepEqual(parseJsonWithIds('{"name":"12345678901234567890","n":7,"x":1.5,"q":"a\\"12345678901234567890"}'), {
    name: "12345678901234567890",
    n: 7,
    x: 1.5,
    q: 'a"12345678901234567890',
  });
  assert.equal(asId(7), 7n);
  assert.throws(() => asId("7"), SyntaxError);
});

test("a string that imitates the mark stays a string", () => {
  assert.throws(() => parseJsonWithIds("{"), SyntaxError);
  assert.equal(writeJsonWithIds({ a: undefined, b: [1n, "x", true, null] }), '{"b":[1,"x",true,null]}');
});
