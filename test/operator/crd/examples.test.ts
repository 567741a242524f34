/** Every field of the schema has an accepted example, every bound and every rule a refused one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LEAST_SPEC } from "../../../operator/api/example.ts";
import { ROOT_RULES } from "../../../operator/api/schema/crd.ts";
import type { Json, Node } from "../../../operator/api/schema/node.ts";
import { spec } from "../../../operator/api/schema/spec.ts";
import { status } from "../../../operator/api/schema/status.ts";
import { broken } from "./holds.ts";
import { changedAt, namesOf, nodesOf, patched, placesOf } from "./places.ts";
import { NAME_CASES, RULE_CASES } from "./rule-cases.ts";
import { SPECS, STATUS } from "./samples.ts";
import { spoiled } from "./spoil.ts";

const roots: readonly { readonly name: string; readonly node: Node; readonly samples: readonly Json[] }[] = [
  { name: "spec", node: spec, samples: Object.values(SPECS) },
  { name: "status", node: status, samples: [STATUS] },
];

/** Bounds that only the API server can tell: CEL's. */
const isKeyword = (bound: string) => /^[a-zA-Z]+$/.test(bound);

for (const { name, node, samples } of roots) {
  test(`the samples of ${name} are good, and together have every field`, () => {
    for (const sample of samples) assert.deepEqual(broken(node, sample, name), []);
    const seen = new Set(samples.flatMap((sample) => placesOf(node, sample, name).map((place) => place.name)));
    assert.deepEqual(
      namesOf(node, name).filter((field) => !seen.has(field)),
      [],
    );
  });

  test(`every bound of ${name} is broken by an example, and by nothing else in it`, () => {
    let count = 0;
    for (const sample of samples)
      for (const place of placesOf(node, sample, name))
        for (const { bound, value } of spoiled(place)) {
          if (!isKeyword(bound) || place.path.length === 0) continue;
          count++;
          const found = broken(node, changedAt(sample, place.path, value), name);
          assert.ok(found.includes(`${place.name}: ${bound}`), `${place.name}: ${bound} is broken: ${found}`);
          assert.ok(
            found.every((text) => text.startsWith(place.name)),
            `${place.name}: ${bound} alone: ${found}`,
          );
        }
    assert.ok(count > 100, `${count} examples`);
  });
}

test("every rule has refused and accepted examples", () => {
  const spoiledRules = new Set(
    Object.values(SPECS).flatMap((sample) =>
      placesOf(spec, sample, "spec").flatMap((place) => spoiled(place).map(({ bound }) => `${place.name}: ${bound}`)),
    ),
  );
  let rules = 0;
  for (const { name, node } of nodesOf(spec, "spec"))
    for (const { message } of node.own["x-kubernetes-validations"] ?? []) {
      rules++;
      const cases = RULE_CASES.filter((one) => one.at === name && message.startsWith(one.message));
      assert.ok(cases.length > 0 || spoiledRules.has(`${name}: ${message}`), `${name}: ${message}`);
      for (const { refused, accepted } of cases) assert.ok(refused.length > 0 && accepted.length > 0);
    }
  assert.ok(rules > 40, `${rules} rules`);
  for (const { message } of ROOT_RULES)
    assert.ok(
      NAME_CASES.some((one) => message.startsWith(one.message)),
      message,
    );
});

test("every example of a rule belongs to a rule, and has nothing else wrong with it", () => {
  const known = nodesOf(spec, "spec");
  for (const { at, message, before = {}, refused, accepted } of RULE_CASES) {
    const rules = known.find(({ name }) => name === at)?.node.own["x-kubernetes-validations"] ?? [];
    assert.ok(
      rules.some((rule) => rule.message.startsWith(message)),
      `${at}: ${message}`,
    );
    for (const patch of [before, ...refused, ...accepted])
      assert.deepEqual(broken(spec, patched(LEAST_SPEC, patch), "spec"), [], `${at}: ${JSON.stringify(patch)}`);
  }
});

test("status has no rules: a rule that fails would keep the operator from saying so", () => {
  for (const { name, node } of nodesOf(status, "status"))
    assert.equal(node.own["x-kubernetes-validations"], undefined, name);
});
