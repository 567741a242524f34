import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_BYTES } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import { type ConfChangeSingle, ConfChangeType, type ConfState } from "../proto/raftpb.ts";
import { changeConfiguration, checkConfState, emptyConfState, equalConfStates, membersOf } from "./conf-change.ts";

const AUTO = 0;
const EXPLICIT = 2;
const TYPES: Record<string, number> = {
  v: ConfChangeType.ADD_NODE,
  l: ConfChangeType.ADD_LEARNER_NODE,
  r: ConfChangeType.REMOVE_NODE,
  u: ConfChangeType.UPDATE_NODE,
};

/** "v1 l2 r3": make 1 a voter, 2 a learner, remove 3. */
function singles(text: string): ConfChangeSingle[] {
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => ({ type: TYPES[word.slice(0, 1)] ?? 99, nodeId: BigInt(word.slice(1)) }));
}

/** The configuration after each of `steps`, drawn "voters / outgoing / learners / next". */
function after(...steps: (string | { joint: string; autoLeave?: boolean } | "leave")[]): string {
  let config = emptyConfState();
  for (const step of steps) {
    const change =
      step === "leave"
        ? { transition: AUTO, changes: [], context: EMPTY_BYTES }
        : typeof step === "string"
          ? { id: 0n, context: EMPTY_BYTES, ...(singles(step)[0] as ConfChangeSingle) }
          : { transition: step.autoLeave === true ? 1 : EXPLICIT, changes: singles(step.joint), context: EMPTY_BYTES };
    const result = changeConfiguration(config, change);
    if ("refused" in result) return result.refused;
    config = result.config;
  }
  return drawn(config);
}

function drawn(config: ConfState): string {
  const parts = [config.voters, config.votersOutgoing, config.learners, config.learnersNext].map((ids) =>
    ids.join(" "),
  );
  return `${parts.join("/")}${config.autoLeave ? " auto" : ""}`;
}

test("single changes", () => {
  assert.equal(after("v1"), "1///");
  assert.equal(after("v1", "v2", "v3"), "1 2 3///");
  assert.equal(after("v3", "v1", "v2"), "1 2 3///", "ids stand in order");
  assert.equal(after("v1", "l2"), "1//2/");
  assert.equal(after("v1", "l2", "v2"), "1 2///", "promoted");
  assert.equal(after("v1", "v2", "l2"), "1//2/", "demoted");
  assert.equal(after("v1", "v2", "r2"), "1///");
  assert.equal(after("v1", "r7", "u1", "u9"), "1///", "what changes nothing is allowed");
  assert.equal(after("v1", "v1", "l2", "l2"), "1//2/");
  assert.equal(after("v1", "v0", "r0"), "1///", "id zero means: refused when it was applied");
});

test("single changes that are refused", () => {
  assert.match(after("l1"), /no voter/);
  assert.match(after("v1", "r1"), /no voter/);
  assert.match(after("v1", "l1"), /no voter/);
  assert.match(after("v1", "x2"), /unknown kind/);
  const two = { transition: AUTO, changes: singles("v1"), context: EMPTY_BYTES };
  assert.ok("config" in changeConfiguration(emptyConfState(), two), "one change in the new form is a single change");
});

test("into a joint configuration and out of it", () => {
  assert.equal(after("v1", { joint: "v2 v3" }), "1 2 3/1//");
  assert.equal(after("v1", { joint: "v2 v3" }, "leave"), "1 2 3///");
  assert.equal(after("v1", { joint: "v2 v3", autoLeave: true }), "1 2 3/1// auto");
  assert.equal(after("v1", { joint: "v2 v3", autoLeave: true }, "leave"), "1 2 3///");
  assert.equal(after("v1", { joint: "r1 v2 v3" }), "2 3/1//");
  assert.equal(after("v1", "v2", { joint: "l1 v3" }), "2 3/1 2//1", "an outgoing voter becomes a learner later");
  assert.equal(after("v1", "v2", { joint: "l1 v3" }, "leave"), "2 3//1/");
  assert.equal(after("v1", "l2", { joint: "v2 l3" }, "leave"), "1 2//3/");
  assert.equal(after("v1", "v2", { joint: "r1 r1 l1" }), "2/1 2//1");
});

test("joint changes that are refused", () => {
  assert.match(after({ joint: "v1" }), /without voters/);
  assert.match(after("v1", { joint: "v2" }, { joint: "v3" }), /joint already/);
  assert.match(after("v1", { joint: "v2" }, "v3"), /left first/);
  assert.match(after("v1", { joint: "r1" }), /no voter/);
  assert.match(after("v1", "leave"), /not joint/);
  assert.match(after("v1", { joint: "v2" }, "leave", "leave"), /not joint/);
});

test("a configuration from outside must not contradict itself", () => {
  const ok = { ...emptyConfState(), voters: [3n, 1n], learners: [2n] };
  const checked = checkConfState(ok);
  assert.ok("config" in checked && equalConfStates(checked.config, ok));
  assert.deepEqual(membersOf(ok), [1n, 2n, 3n]);
  for (const bad of [
    { ...ok, learners: [1n] },
    { ...ok, votersOutgoing: [2n] },
    { ...ok, learnersNext: [1n] },
    { ...ok, votersOutgoing: [5n], learners: [5n], learnersNext: [5n] },
  ]) {
    assert.ok("refused" in checkConfState(bad));
  }
});

test("for random changes: one by one, or all at once through a joint configuration, the end is the same", () => {
  const random = new Prng(5);
  const letters = ["v", "l", "r", "u"];
  for (let round = 0; round < 1000; round++) {
    const words = Array.from({ length: 1 + random.below(6) }, () => `${random.pick(letters)}${2 + random.below(5)}`);
    const start = ["v1", ...Array.from({ length: random.below(4) }, (_, at) => `v${at + 2}`)];
    assert.equal(
      after(...start, ...words),
      after(...start, { joint: words.join(" ") }, "leave"),
      `${start} then ${words}`,
    );
  }
});
