import assert from "node:assert/strict";
import { test } from "node:test";
import { type Sight, see } from "../../test/operator/observations.ts";
import { plainBuilders } from "../../test/operator/plain-builders.ts";
import { gate, gateWithout } from "./gate.ts";
import type { Observation } from "./observation.ts";
import { lookAt } from "./view.ts";

function refusal(seen: Observation): string {
  return gate(lookAt(seen, plainBuilders())) ?? "open";
}

function of(text: string, sight: Sight = {}): string {
  return refusal(see(text, sight));
}

test("the gate is open when everybody is well", () => {
  assert.equal(of("0 leader; 1 voter; 2 voter"), "open");
  assert.equal(of("0 leader", { spec: { replicas: 1 } }), "open");
});

test("the gate says why it is closed", () => {
  const cases: readonly (readonly [string, RegExp, Sight?])[] = [
    ["0 leader; 1 voter; 2 voter", /member list could not be read/, { isListless: true }],
    ["0 leader; 1 voter; 2 learner", /c-2 is a learner still/],
    ["0 leader; 1 voter; 2 unstarted no-pod", /c-2 is a learner still/],
    ["0 leader; 1 voter; 2 voter silent", /c-2 does not answer: no answer within 2 s/],
    ["0 leader; 1 voter; 2 voter unheard", /c-2 does not answer/],
    ["0 leader; 1 voter; 2 voter corrupt", /c-2 has an alarm CORRUPT/],
    ["0 leader; 1 voter; 2 voter behind", /c-2 is 50000 entries behind/],
    ["0 leader; 1 voter; 2 voter unready", /the Pod of c-2 is not ready/],
    ["0 leader; 1 voter; 2 voter fresh", /c-2 has to stay ready for 9 s more/],
    ["0 leader; 1 voter; 2 voter terminating", /Pod of c-2 is/],
  ];
  for (const [text, why, sight] of cases) assert.match(of(text, sight), why, text);
});

test("Pod readiness alone opens nothing: a member that serves no read closes the gate", () => {
  const seen = see("0 leader; 1 voter");
  assert.ok(seen.etcd !== undefined);
  const asked = seen.etcd.members.get("c-1");
  assert.ok(asked !== undefined);
  const members = new Map(seen.etcd.members).set("c-1", { ...asked, isServing: false });
  assert.match(refusal({ ...seen, etcd: { ...seen.etcd, members } }), /c-1 answers no linearizable read/);
});

test("leader and term must have stood still for two seconds, and be the same for all", () => {
  const seen = see("0 leader; 1 voter; 2 voter");
  const { etcd } = seen;
  assert.ok(etcd !== undefined);
  const sample = etcd.earlier.get("c-1");
  const asked = etcd.members.get("c-1");
  assert.ok(sample !== undefined && asked?.status !== undefined);
  const earlier = (one: typeof sample): Observation => ({
    ...seen,
    etcd: { ...etcd, earlier: new Map(etcd.earlier).set("c-1", one) },
  });
  assert.match(refusal(earlier({ ...sample, at: seen.now - 1999 })), /c-1 has to be asked a second time/);
  assert.equal(refusal(earlier({ ...sample, at: seen.now - 2000 })), "open");
  assert.match(refusal(earlier({ ...sample, raftTerm: 4 })), /c-1 has seen an election/);
  assert.match(refusal(earlier({ ...sample, leaderId: "" })), /c-1 has seen an election/);
  const status = { ...asked.status, raftTerm: 6 };
  const split = {
    ...etcd,
    members: new Map(etcd.members).set("c-1", { ...asked, status }),
    earlier: new Map(etcd.earlier).set("c-1", { ...sample, raftTerm: 6 }),
  };
  assert.match(refusal({ ...seen, etcd: split }), /do not agree/);
});

test("minReadySeconds counts, but not while the cluster is being formed", () => {
  const operation = {
    id: "1",
    type: "Bootstrap" as const,
    step: "AddingMember",
    startedAt: "2026-06-01T11:59:00Z",
    attempts: 0,
    message: "",
  };
  assert.match(of("0 leader fresh"), /has to stay ready/);
  assert.equal(of("0 leader fresh", { status: { operation } }), "open");
});

test("gateWithout() asks for a quorum of the rest, and not for the health of all of it", () => {
  const without = (text: string, name: string): string => {
    const view = lookAt(see(text, { spec: { replicas: 5 } }), plainBuilders());
    const victim = view.voters.find((one) => one.name === name);
    assert.ok(victim !== undefined);
    return gateWithout(view, victim) ?? "open";
  };
  assert.equal(without("0 leader; 1 voter; 2 voter; 3 voter silent; 4 voter silent", "c-4"), "open");
  assert.match(
    without("0 leader; 1 voter; 2 voter terminating; 3 voter silent; 4 voter silent", "c-4"),
    /only 2 of 4 voters are well, and 3 are needed/,
  );
  assert.equal(without("0 leader; 1 voter; 2 voter silent", "c-2"), "open");
  // One whose claim has been deleted loses its data with its Pod: the silent one may be what a quorum is left of.
  const unready = "0 leader; 1 voter unready claim-terminating; 2 voter silent";
  assert.match(without(unready, "c-2"), /the Pod of c-1 is not ready/);
  assert.equal(without("0 leader; 1 voter claim-terminating; 2 voter silent", "c-2"), "open");
  assert.equal(without(`${unready} lost`, "c-2"), "open");
});
