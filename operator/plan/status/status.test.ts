import assert from "node:assert/strict";
import { test } from "node:test";
import { conditionOf, NOW, planFor, type Sight } from "../../../test/operator/observations.ts";
import { plainBuilders } from "../../../test/operator/plain-builders.ts";
import type { Condition } from "../../api/etcd-cluster.ts";
import { exampleSpec } from "../../api/example.ts";
import { toTime } from "../time.ts";

const WELL = "0 leader; 1 voter; 2 voter";

function conditions(text: string, sight: Sight, ...types: readonly string[]): string {
  const plan = planFor(text, sight);
  return types.map((type) => `${type} ${conditionOf(plan, type)}`).join(", ");
}

/** A condition as it was `agoMs` before. */
function before(type: string, status: "True" | "False", reason: string, agoMs: number): Condition {
  return { type, status, reason, message: "", observedGeneration: 1, lastTransitionTime: toTime(NOW - agoMs) };
}

test("a cluster that is as asked is Ready, and nothing is unusual about it", () => {
  const { status } = planFor(WELL);
  assert.deepEqual(
    status.conditions?.map((one) => `${one.type}=${one.status}/${one.reason}`),
    [
      "Ready=True/AllMembersReady",
      "Available=True/QuorumHealthy",
      "Reconciling=False/Settled",
      "Stalled=False/Progressing",
      "Degraded=False/AllMembersHealthy",
      "UpToDate=True/AllMembersUpdated",
      "VolumesReady=True/VolumesBound",
      "CertificatesReady=True/NotConfigured",
    ],
  );
  assert.equal(status.phase, "Running");
  assert.deepEqual(status.quorum, { size: 2, healthy: 3, tolerates: 1 });
  assert.deepEqual(
    [status.replicas, status.readyReplicas, status.voters, status.learners, status.updatedReplicas],
    [3, 3, 3, 0, 3],
  );
  assert.equal(status.leader, "c-0");
  assert.equal(status.currentVersion, "0.1.0");
});

test("conditions say what is going on", () => {
  const cases: readonly (readonly [string, string, Sight?])[] = [
    [
      "",
      "Ready False/NotInitialized, Available False/NotInitialized",
      { isUnborn: true, more: { acceptedSpec: undefined } },
    ],
    [
      "0 leader; 1 voter; 2 learner",
      "Ready False/Scaling, Available True/QuorumHealthy, Reconciling True/Scaling, Degraded True/MemberMissing",
    ],
    [
      "0 leader; 1 voter; 2 voter silent 9m",
      "Ready False/MemberUnhealthy, Available True/QuorumHealthy, Stalled False/Progressing, Degraded True/MemberUnhealthy",
    ],
    [
      "0 leader old; 1 voter; 2 voter",
      "Ready False/Updating, Reconciling True/Updating, UpToDate False/RolloutInProgress",
    ],
    ["0 leader; 1 voter; 2 voter nospace", "Ready False/MemberUnhealthy, Degraded True/AlarmActive"],
    ["", "Ready False/AllMembersLost, Stalled True/AllMembersLost, Reconciling False/Stalled"],
    [
      "0 voter no-pod; 1 voter no-pod; 2 voter no-pod",
      "Ready False/Hibernated, Available False/Hibernated, Reconciling False/Hibernated, Degraded False/NotRunning",
      { spec: { hibernate: true } },
    ],
    [WELL, "Ready True/AllMembersReady, Reconciling False/Paused", { spec: { paused: true } }],
    ["0 leader; 1 voter; 2 voter small", "VolumesReady False/Resizing"],
    ["0 leader; 1 voter; 2 voter resize-pending", "VolumesReady False/FileSystemResizePending"],
    ["0 leader; 1 voter; 2 voter silent lost", "VolumesReady False/Lost"],
    [
      "0 leader old; 1 voter; 2 voter",
      "UpToDate False/OnDelete",
      { spec: { update: { ...exampleSpec().update, strategy: "OnDelete" } } },
    ],
  ];
  for (const [text, wanted, sight = {}] of cases) {
    const types = [...wanted.matchAll(/(\w+) (?:True|False)/g)].map((match) => match[1] ?? "");
    assert.equal(conditions(text, sight, ...types), wanted, text);
  }
});

test("QuorumLost is said after 30 s without a leader, and only where too few are in sight", () => {
  const lost = "0 voter silent; 1 voter silent; 2 voter";
  const no = (agoMs: number, reason = "NoLeader"): Sight => ({
    isListless: true,
    status: { conditions: [before("Available", "False", reason, agoMs)] },
  });
  assert.equal(conditions(lost, { isListless: true }, "Available"), "Available False/NoLeader");
  assert.equal(conditions(lost, no(29_000), "Available"), "Available False/NoLeader");
  assert.equal(
    conditions(lost, no(30_000), "Available", "Ready"),
    "Available False/QuorumLost, Ready False/QuorumLost",
  );
  assert.equal(
    conditions("0 voter unheard; 1 voter silent; 2 voter", no(60_000), "Available"),
    "Available False/NoLeader",
    "a kubelet sees it",
  );
  assert.equal(planFor(lost, no(30_000)).status.phase, "QuorumLost");
  assert.ok(
    planFor(lost, no(30_000)).events.some((event) => event.reason === "QuorumLost" && event.type === "Warning"),
  );
  assert.equal(
    conditions(
      "0 voter silent fresh; 1 voter silent fresh; 2 voter",
      {
        ...no(3_600_000, "NoLeader"),
        status: {
          ...no(3_600_000).status,
          operation: { id: "1", type: "Wake", step: "", startedAt: toTime(NOW - 60_000), attempts: 0, message: "" },
        },
      },
      "Available",
    ),
    "Available False/NoLeader",
    "a cluster that wakes is given time",
  );
});

test("lastTransitionTime changes with the status only, and the generation is everywhere", () => {
  const since = toTime(NOW - 5_000_000);
  const { status } = planFor("0 leader; 1 voter; 2 voter silent 9m", {
    metadata: { generation: 4 },
    status: {
      conditions: [
        before("Degraded", "True", "AlarmActive", 5_000_000),
        before("Ready", "True", "AllMembersReady", 5_000_000),
      ],
    },
  });
  const time = (type: string): string | undefined =>
    status.conditions?.find((one) => one.type === type)?.lastTransitionTime;
  assert.equal(time("Degraded"), since);
  assert.equal(time("Ready"), toTime(NOW));
  assert.ok(status.conditions?.every((one) => one.observedGeneration === 4 && one.reason !== "" && one.message !== ""));
  assert.equal(status.observedGeneration, 4);
});

test("a refused spec is Stalled with path and remedy, told once for each generation, while the old one is served", () => {
  const faults = plainBuilders({ faults: [{ path: "spec.config", message: "raise it" }] });
  const first = planFor(WELL, { metadata: { generation: 2 } }, faults);
  const stalled = first.status.conditions?.find((one) => one.type === "Stalled");
  assert.equal(stalled?.reason, "InvalidSpec");
  assert.equal(stalled?.message, "spec.config: raise it");
  assert.equal(conditionOf(first, "Available"), "True/QuorumHealthy");
  const count = (sight: Sight): number =>
    planFor(WELL, sight, faults).events.filter((event) => event.reason === "SpecRejected").length;
  assert.equal(count({ metadata: { generation: 2 } }), 1);
  assert.equal(count({ metadata: { generation: 2 }, status: first.status }), 0);
  assert.equal(count({ metadata: { generation: 3 }, status: first.status }), 1);
});

test("members are shown with what is known of them, by id and not by place", () => {
  const { status } = planFor("9 voter; 10 leader; 2 voter silent 3m");
  assert.deepEqual(
    status.members?.map((one) => `${one.name} ${one.id} ${one.role} ${one.health} ${one.healthSince}`),
    [
      `c-2 0000000000000018 Unknown Unreachable ${toTime(NOW - 180_000)}`,
      `c-9 0000000000000025 Follower Healthy ${toTime(NOW)}`,
      `c-10 0000000000000026 Leader Healthy ${toTime(NOW)}`,
    ],
  );
});

test("an operation keeps its id and start while it lasts, and is over when nothing is left to do", () => {
  const first = planFor("0 leader; 1 voter; 2 learner behind");
  const { operation } = first.status;
  assert.ok(operation !== undefined);
  assert.equal(operation.type, "ScaleUp");
  const later = planFor("0 leader; 1 voter; 2 learner", {
    status: { operation: { ...operation, startedAt: toTime(NOW - 60_000) } },
  });
  assert.equal(later.status.operation?.id, operation.id);
  assert.equal(later.status.operation?.startedAt, toTime(NOW - 60_000));
  const over = planFor(WELL, { status: { operation } });
  assert.equal(over.status.operation, undefined);
  assert.equal(over.status.lastOperation?.result, "Succeeded");
  assert.equal(over.status.lastOperation?.id, operation.id);
});

test("events tell what changed, and nothing twice", () => {
  const reasons = (text: string, sight: Sight = {}): string[] =>
    planFor(text, sight).events.map((event) => event.reason);
  const { status } = planFor(WELL);
  assert.deepEqual(reasons(WELL, { status }), []);
  assert.deepEqual(reasons("0 voter; 1 leader; 2 voter", { status }), ["LeaderMoved"]);
  assert.deepEqual(reasons("0 leader; 1 voter; 2 voter nospace", { status }), ["AlarmRaised"]);
  assert.deepEqual(reasons(WELL, { status: { ...planFor("0 leader; 1 voter; 2 voter nospace").status } }), [
    "ClusterReady",
    "AlarmCleared",
  ]);
  assert.ok(reasons("0 leader; 1 voter", { status }).includes("MemberRemoved"));
});

test("a quorum is told to be restored only where one was told to be lost", () => {
  const told = (was: Condition) => {
    const { events } = planFor(WELL, { status: { conditions: [was] } });
    return events.some(({ reason }) => reason === "QuorumRestored");
  };
  assert.equal(told(before("Available", "False", "QuorumLost", 60_000)), true);
  assert.equal(told(before("Available", "False", "NotInitialized", 60_000)), false, "it has just been formed");
  assert.equal(told(before("Available", "False", "NoLeader", 5000)), false, "an election");
});

test("the size shown is that of the largest store, and stays while nobody answers", () => {
  const seen = planFor(WELL).status;
  assert.match(seen.dbSize ?? "", /^[\d.]+ [KMG]?i?B$/);
  const silent = "0 voter silent; 1 voter silent; 2 voter silent";
  assert.equal(planFor(silent, { isListless: true, status: { dbSize: "12.5 MiB" } }).status.dbSize, "12.5 MiB");
});

test("counts of members are not forgotten while nobody can be asked", () => {
  const { status } = planFor("0 voter silent; 1 voter silent; 2 voter", {
    isListless: true,
    status: { voters: 3, learners: 0 },
  });
  assert.equal(status.voters, 3);
  assert.equal(status.quorum?.size, 2);
  assert.equal(status.quorum?.healthy, 0);
});
