import assert from "node:assert/strict";
import { test } from "node:test";
import { withDefaults } from "./defaults.ts";
import { integer, list, map, object, string } from "./node.ts";

const count = integer("A number.", { default: 3, minimum: 0, maximum: 9 });
const name = string("A name.", { maxLength: 9 });
const inner = object("Inside.", { default: {}, always: { count }, maybe: { name } });

test("withDefaults() fills in from the outside in, and keeps what is given", () => {
  const schema = object("Outside.", { always: { inner }, maybe: { other: object("Maybe.", { always: { count } }) } });
  assert.deepEqual(withDefaults(schema, {}), { inner: { count: 3 } });
  assert.deepEqual(withDefaults(schema, { inner: { count: 0, name: "x" } }), { inner: { count: 0, name: "x" } });
  assert.deepEqual(withDefaults(schema, { other: {} }), { inner: { count: 3 }, other: { count: 3 } });
});

test("withDefaults() reaches into lists and maps, and leaves what the schema does not know", () => {
  const schema = object("Outside.", {
    maybe: {
      items: list("Some.", inner, { maxItems: 9 }),
      byName: map("Some.", inner, { maxProperties: 9 }),
    },
  });
  assert.deepEqual(withDefaults(schema, { items: [{}, { count: 1 }], byName: { a: {} }, more: [1] }), {
    items: [{ count: 3 }, { count: 1 }],
    byName: { a: { count: 3 } },
    more: [1],
  });
});
