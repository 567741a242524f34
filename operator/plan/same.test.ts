import assert from "node:assert/strict";
import { test } from "node:test";
import { hasAll, isSame } from "./same.ts";

test("isSame() compares values, not the order of fields, and takes undefined for absent", () => {
  assert.ok(isSame({ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1, d: undefined }));
  for (const [left, right] of [
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, {}],
    [
      [1, 2],
      [2, 1],
    ],
    [[1], [1, 2]],
    [[], {}],
    [null, {}],
    ["1", 1],
  ])
    assert.ok(!isSame(left, right), JSON.stringify([left, right]));
});

test("hasAll() lets the API server add, and sees what was changed or taken away", () => {
  const wanted = { spec: { ports: [{ port: 2379 }], selector: { a: "b" } } };
  assert.ok(
    hasAll({ spec: { ports: [{ port: 2379, protocol: "TCP" }], selector: { a: "b" }, type: "ClusterIP" } }, wanted),
  );
  assert.ok(!hasAll({ spec: { ports: [{ port: 2380 }], selector: { a: "b" } } }, wanted));
  assert.ok(!hasAll({ spec: { ports: [{ port: 2379 }, { port: 1 }], selector: { a: "b" } } }, wanted));
  assert.ok(!hasAll({ spec: { ports: [{ port: 2379 }] } }, wanted));
  assert.ok(!hasAll(undefined, wanted));
});
