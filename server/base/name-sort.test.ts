import assert from "node:assert/strict";
import { test } from "node:test";
import { nameSortSteps } from "./name-sort.ts";
import { Prng } from "./prng.ts";

/** Names that share beginnings, are beginnings of one another, and hold every character. */
function someNames(count: number, seed: number): string[] {
  const prng = new Prng(seed);
  const names = new Set<string>();
  const heads = ["", "/registry/pods/", "/registry/pods/default/", "\xff\xff", "\0"];
  while (names.size < count) {
    const length = prng.below(6);
    let name = heads[prng.below(heads.length)] as string;
    for (let at = 0; at < length; at++) name += String.fromCharCode(prng.below(3) === 0 ? prng.below(256) : 97);
    names.add(name);
  }
  return [...names];
}

test("nameSortSteps sorts as the order of strings has it, and keeps with each name what belongs to it", () => {
  for (const [seed, count] of [0, 1, 2, 24, 25, 3000, 60_000].entries()) {
    const names = someNames(count, seed + 1);
    const expected = [...names].sort((left, right) => (left < right ? -1 : 1));
    const items = names.map((name) => ({ name }));
    let pauses = 0;
    for (const _ of nameSortSteps(names, items)) pauses++;
    assert.deepEqual(names, expected);
    assert.deepEqual(
      items.map(({ name }) => name),
      expected,
    );
    assert.equal(pauses > 0, count > 8000);
  }
});

test("however many names there are, and whatever they have in common, no slice touches many", () => {
  const count = 100_000;
  const shapes: ((at: number) => string)[] = [
    (at) => String(at),
    (at) => `/registry/${"long ".repeat(20)}${at}`,
    (at) => `${at % 2 === 0 ? "a" : "b"}${"x".repeat(30)}${at}`,
    (at) => `${String.fromCharCode(at & 255)}${at}`,
  ];
  for (const shape of shapes) {
    let [touched, most] = [0, 0];
    const counted = <T>(list: T[]) =>
      new Proxy(list, {
        get(target, key, receiver) {
          touched++;
          return Reflect.get(target, key, receiver);
        },
        set(target, key, value, receiver) {
          touched++;
          return Reflect.set(target, key, value, receiver);
        },
      });
    const plain = Array.from({ length: count }, (_, at) => shape((at * 7919) % count));
    const expected = [...plain].sort((left, right) => (left < right ? -1 : 1));
    const places = plain.map((_, at) => at);
    for (const _ of nameSortSteps(counted(plain), counted(places))) {
      most = Math.max(most, touched);
      touched = 0;
    }
    assert.deepEqual(plain, expected);
    assert.ok(Math.max(most, touched) < 100_000, `${most} in one slice, of ${count} names with what belongs to them`);
  }
});
