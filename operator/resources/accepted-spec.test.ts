import assert from "node:assert/strict";
import { test } from "node:test";
import { FULL, SMALL, TLS } from "../../test/operator/rendered.ts";
import { acceptedSpecMap, readAcceptedSpec } from "./accepted-spec.ts";

test("what was accepted is read back whole", () => {
  for (const cluster of [SMALL, FULL, TLS])
    assert.deepEqual(readAcceptedSpec(acceptedSpecMap(cluster, cluster.spec)), cluster.spec);
});

test("the same spec gives the same text, however its fields are ordered", () => {
  const turned = Object.fromEntries(Object.entries(FULL.spec).reverse()) as unknown as typeof FULL.spec;
  assert.deepEqual(acceptedSpecMap(FULL, turned), acceptedSpecMap(FULL, FULL.spec));
});

test("what somebody has made unreadable is as if nothing had been accepted", () => {
  for (const text of ["", "{", "null", "[]", '"x"', "{}", '{"replicas":3}', '{"replicas":"3","version":"1"}'])
    assert.equal(readAcceptedSpec({ data: { "spec.json": text } }), undefined, text);
  assert.equal(readAcceptedSpec({}), undefined);
  assert.equal(readAcceptedSpec({ data: {} }), undefined);
});
