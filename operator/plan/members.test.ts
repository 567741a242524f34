import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, NOW, see } from "../../test/operator/observations.ts";
import { exampleSpec } from "../api/example.ts";
import { joinMembers } from "./members.ts";

/** `NAME standing health`, in the order given. */
function shown(text: string, sight: Parameters<typeof see>[1] = {}): string[] {
  return joinMembers(see(text, sight)).members.map(({ name, standing, health }) => `${name} ${standing} ${health}`);
}

test("members are joined by name and id, whatever the order in which things are read", () => {
  const seen = see("9 voter; 10 leader; 2 voter");
  const etcd = seen.etcd;
  const turned = { ...seen, pods: [...seen.pods].reverse(), claims: [...seen.claims].sort(() => -1) };
  const list = etcd?.list === undefined ? undefined : { ...etcd.list, members: [...etcd.list.members].reverse() };
  const { members } = joinMembers({ ...turned, etcd: etcd && { ...etcd, list } });
  assert.deepEqual(
    members.map((one) => one.name),
    ["c-2", "c-9", "c-10"],
  );
  for (const one of members) {
    assert.equal(one.id, idOf(one.serial));
    assert.equal(one.pod?.name, one.name);
    assert.equal(one.claim?.name, `data-${one.name}`);
    assert.equal(one.isLeader, one.serial === 10);
  }
});

test("what cannot be read is unknown, neither absent nor gone", () => {
  assert.deepEqual(shown("0 leader; 1 voter; 2 out", { isListless: true }), [
    "c-0 unknown Unreachable",
    "c-1 unknown Unreachable",
    "c-2 unknown Unreachable",
  ]);
});

test("a learner that has not started is known by its peer URL", () => {
  assert.deepEqual(shown("0 leader; 1 unstarted no-pod"), ["c-0 voter Healthy", "c-1 learner Unreachable"]);
});

test("a member of which everything but its entry is gone is still a member", () => {
  assert.deepEqual(shown("0 leader; 1 voter no-pod no-claim"), ["c-0 voter Healthy", "c-1 voter Unreachable"]);
});

test("an answer under another id is nobody's", () => {
  const seen = see("0 leader; 1 voter");
  const asked = seen.etcd?.members.get("c-0");
  assert.ok(seen.etcd !== undefined && asked !== undefined);
  const members = new Map(seen.etcd.members).set("c-1", asked);
  const one = joinMembers({ ...seen, etcd: { ...seen.etcd, members } }).members[1];
  assert.equal(one?.answer, undefined);
  assert.equal(one?.health, "Unreachable");
  assert.match(one?.error ?? "", /answers as member 0000000000000016/);
});

test("retired claims belong to nobody, and other clusters' Pods and claims are not ours", () => {
  assert.deepEqual(shown("0 leader; 1 out no-pod state:retired; 2 out no-pod orphan; 3 out no-claim foreign"), [
    "c-0 voter Healthy",
  ]);
});

test("the clock of health starts when it changed", () => {
  const since = (text: string): number[] => joinMembers(see(text)).members.map((one) => one.healthSince - NOW);
  assert.deepEqual(since("0 leader 5m; 1 voter silent 11m; 2 voter"), [-300_000, -660_000, 0]);
});

test("a member far behind is lagging, one with an alarm alarmed, one whose data differs corrupt", () => {
  assert.deepEqual(shown("0 leader; 1 voter behind; 2 voter nospace; 3 voter corrupt"), [
    "c-0 voter Healthy",
    "c-1 voter Lagging",
    "c-2 voter Alarmed",
    "c-3 voter Corrupt",
  ]);
});

test("a member without a disk of its own has no claim and is one all the same", () => {
  const { persistent: _none, ...storage } = exampleSpec().storage;
  assert.deepEqual(shown("0 leader", { spec: { storage: { ...storage, ephemeral: { medium: "" } } } }), [
    "c-0 voter Healthy",
  ]);
});
