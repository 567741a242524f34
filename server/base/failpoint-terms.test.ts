import assert from "node:assert/strict";
import { test } from "node:test";
import { FAILPOINTS, type FailpointName, failpoint, failpointNamed, setFailpointActions } from "./failpoint.ts";
import { FailpointTerms } from "./failpoint-terms.ts";

/** What the terms do, time after time. */
function acts(text: string, count: number, chance = () => 0): unknown[] {
  const terms = FailpointTerms.parse(text);
  return Array.from({ length: count }, () => terms.next(chance));
}

test("each verb acts every time", () => {
  assert.deepEqual(acts("panic", 2), [{ kind: "panic" }, { kind: "panic" }]);
  assert.deepEqual(acts("print", 1), [{ kind: "print" }]);
  assert.deepEqual(acts("off", 1), [undefined]);
  assert.deepEqual(acts("sleep(100)", 1), [{ kind: "sleep", ms: 100 }]);
  assert.deepEqual(acts(' sleep("1.5s") ', 1), [{ kind: "sleep", ms: 1500 }]);
  assert.deepEqual(acts('return("no -> space")', 1), [{ kind: "return", value: "no -> space" }]);
});

test("a counted term gives way to the next in its chain", () => {
  assert.deepEqual(acts('2*sleep(5)->1*return("x")', 4), [
    { kind: "sleep", ms: 5 },
    { kind: "sleep", ms: 5 },
    { kind: "return", value: "x" },
    undefined,
  ]);
  assert.deepEqual(acts("1*off->panic", 2), [undefined, { kind: "panic" }]);
});

test("a term with a share acts in as many of a hundred cases, and only these count", () => {
  const chances = [0.3, 0.1, 0.24, 0.25];
  assert.deepEqual(
    acts("25%2*panic", 4, () => chances.shift() ?? 1),
    [undefined, { kind: "panic" }, { kind: "panic" }, undefined],
  );
});

test("what is no term is refused by name", () => {
  for (const [text, complaint] of [
    ["", /"" is no term/],
    ["explode", /"explode" is no action/],
    ["panic->", /"" is no term/],
    ["101%panic", /101%/],
    ["sleep", /a duration is a number with a unit/],
    ["sleep(-1)", /unit|between/],
    ["sleep(99999999999)", /between 0 and/],
    ["x".repeat(5000), /at most 4096/],
  ] as const)
    assert.throws(() => FailpointTerms.parse(text), complaint, text.slice(0, 20));
});

test("a place is known by its name, with or without etcd's path in front, and each name stands once", () => {
  assert.equal(failpointNamed("raftBeforeSave"), "raftBeforeSave");
  assert.equal(failpointNamed("go.etcd.io/etcd/server/v3/etcdserver/raftBeforeSave"), "raftBeforeSave");
  assert.equal(failpointNamed("raftBefore"), undefined);
  assert.equal(new Set(FAILPOINTS).size, FAILPOINTS.length);
});

test("a place is nothing until something is armed, and nothing again afterwards", () => {
  const reach = (name: FailpointName) => failpoint?.(name);
  const reached: string[] = [];
  reach("raftBeforeSave");
  setFailpointActions({ hold: (name) => void reached.push(name) as undefined, beside: async () => undefined });
  reach("beforeCommit");
  setFailpointActions(undefined);
  reach("afterCommit");
  assert.deepEqual(reached, ["beforeCommit"]);
});
