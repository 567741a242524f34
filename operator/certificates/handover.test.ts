import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../server/base/prng.ts";
import { type Handover, type HandoverStep, handoverStep } from "./handover.ts";

const HELD = { leaf: "old-leaf", trusted: ["old"], isUrgent: false };
const member = (name: string, ...fingerprints: string[]) => ({ member: name, fingerprints });
const silent = { member: "silent", fingerprints: undefined };

function stepOf(changes: Partial<Handover>): HandoverStep {
  const usual = { held: HELD, authorities: ["old"], newLeaf: undefined, checkers: [], showers: [], isSettled: true };
  return handoverStep({ ...usual, ...changes });
}

test("the first Secret is written at once", () => {
  const step = stepOf({ held: undefined, newLeaf: "there is none", checkers: [silent] });
  assert.deepEqual(step, { kind: "write", leaf: "new", trusted: ["old"], why: "it is not there yet" });
});

test("a new authority is trusted beside the old before anybody shows it", () => {
  const step = stepOf({ authorities: ["new"], newLeaf: "another authority signs now" });
  assert.deepEqual(
    [step.kind, step.kind === "write" && [step.leaf, step.trusted]],
    ["write", ["held", ["old", "new"]]],
  );
});

test("the new leaf waits for every member that checks it, and one that says nothing has loaded nothing", () => {
  const held = { ...HELD, trusted: ["old", "new"] };
  const change = { held, authorities: ["new"], newLeaf: "another authority signs now" };
  const loaded = member("a", "old-leaf", "old", "new");
  for (const late of [member("b", "old-leaf", "old"), silent]) {
    const step = stepOf({ ...change, checkers: [loaded, late] });
    assert.deepEqual(step, { kind: "wait", why: `${late.member} has not loaded the new authority yet` });
  }
  const step = stepOf({ ...change, checkers: [loaded] });
  assert.deepEqual([step.kind, step.kind === "write" && [step.leaf, step.trusted]], ["write", ["new", ["old", "new"]]]);
  assert.equal(stepOf({ ...change, checkers: [loaded], isSettled: false }).kind, "wait");
});

test("a certificate of the same authority that is only renewed waits for nobody who trusts that", () => {
  const step = stepOf({ newLeaf: "it ends in 29 days", checkers: [member("a", "old-leaf", "old")] });
  assert.equal(step.kind === "write" && step.leaf, "new");
});

test("what ends soon is replaced whoever has not answered", () => {
  const held = { ...HELD, trusted: ["old", "new"], isUrgent: true };
  const step = stepOf({
    held,
    authorities: ["new"],
    newLeaf: "it ends in 0 days",
    checkers: [silent],
    isSettled: false,
  });
  assert.equal(step.kind === "write" && step.leaf, "new");
});

test("the old authority is dropped when nobody shows a certificate of it any more", () => {
  const held = { leaf: "new-leaf", trusted: ["old", "new"], isUrgent: false };
  const late = stepOf({ held, authorities: ["new"], showers: [member("a", "new-leaf"), member("b", "old-leaf")] });
  assert.deepEqual(late, { kind: "wait", why: "b has not loaded the new certificate yet" });
  const step = stepOf({ held, authorities: ["new"], showers: [member("a", "new-leaf"), member("b", "new-leaf")] });
  assert.deepEqual([step.kind, step.kind === "write" && [step.leaf, step.trusted]], ["write", ["held", ["new"]]]);
  assert.equal(stepOf({ held: { ...held, trusted: ["new"] }, authorities: ["new"], showers: [silent] }).kind, "none");
});

// ---- Members that load what they are handed at times of their own, an authority that changes when it likes.

interface Files {
  readonly leaf: string;
  readonly issuer: string;
  readonly trusted: readonly string[];
}

interface World {
  secret: Files;
  authority: number;
  leaves: number;
  readonly loaded: Files[];
}

/** Who does not take whose certificate. */
function brokenPair({ loaded }: World): string | undefined {
  for (const [shower, { issuer }] of loaded.entries())
    for (const [checker, { trusted }] of loaded.entries())
      if (!trusted.includes(issuer)) return `member ${checker} does not trust ${issuer}, which member ${shower} shows`;
  return undefined;
}

function operatorTurn(world: World, decide: typeof handoverStep, isSilent: (index: number) => boolean): HandoverStep {
  const authority = `authority-${world.authority}`;
  const seen = world.loaded.map(({ leaf, trusted }, index) => ({
    member: `m${index}`,
    fingerprints: isSilent(index) ? undefined : [leaf, ...trusted],
  }));
  const step = decide({
    held: { leaf: world.secret.leaf, trusted: world.secret.trusted, isUrgent: false },
    authorities: [authority],
    newLeaf: world.secret.issuer === authority ? undefined : "another authority signs now",
    checkers: seen,
    showers: seen,
    isSettled: true,
  });
  if (step.kind !== "write") return step;
  const shown = step.leaf === "new" ? { leaf: `leaf-${++world.leaves}`, issuer: authority } : world.secret;
  world.secret = { leaf: shown.leaf, issuer: shown.issuer, trusted: step.trusted };
  return step;
}

/** What went wrong in this history; undefined: nothing, and in the end all trust the last authority alone. */
function history(seed: number, decide: typeof handoverStep): string | undefined {
  const chance = new Prng(seed);
  const first: Files = { leaf: "leaf-0", issuer: "authority-0", trusted: ["authority-0"] };
  const world: World = { secret: first, authority: 0, leaves: 0, loaded: Array.from({ length: 3 }, () => first) };
  const load = (index: number) => {
    world.loaded[index] = world.secret;
  };
  for (let turn = 0; turn < 200; turn++) {
    if (chance.chance(0.05)) world.authority++;
    else if (chance.chance(0.5)) load(chance.below(3));
    else operatorTurn(world, decide, () => chance.chance(0.2));
    const broken = brokenPair(world);
    if (broken !== undefined) return `turn ${turn}: ${broken}`;
  }
  for (let turn = 0; turn < 10; turn++) {
    operatorTurn(world, decide, () => false);
    for (const index of world.loaded.keys()) load(index);
    const broken = brokenPair(world);
    if (broken !== undefined) return `at the end: ${broken}`;
  }
  const wanted = [`authority-${world.authority}`];
  const isThere = world.loaded.every(({ issuer, trusted }) => issuer === wanted[0] && trusted.join() === wanted.join());
  return isThere ? undefined : "the last authority is not the only one in the end";
}

test("whenever members load what they are handed, each always takes the certificate of every other", () => {
  for (let seed = 1; seed <= 300; seed++) assert.equal(history(seed, handoverStep), undefined, `seed ${seed}`);
});

test("the histories find a step that comes too early, and one that never comes", () => {
  const fails = (decide: typeof handoverStep) =>
    Array.from({ length: 50 }, (_, seed) => history(seed + 1, decide)).some((wrong) => wrong !== undefined);
  assert.ok(
    fails((handover) => handoverStep({ ...handover, checkers: [] })),
    "a swap that waits for nobody",
  );
  assert.ok(
    fails((handover) => handoverStep({ ...handover, showers: [] })),
    "a narrowing that waits for nobody",
  );
  assert.ok(
    fails((handover) => {
      const step = handoverStep(handover);
      return step.kind === "write" && step.leaf === "new" ? { ...step, trusted: handover.authorities } : step;
    }),
    "a swap that drops the old authority at once",
  );
  assert.ok(
    fails((handover) => ({ ...handoverStep(handover), kind: "none" as const })),
    "no step at all",
  );
});
