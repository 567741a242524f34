import assert from "node:assert/strict";
import { test } from "node:test";
import { CLUSTER_ID, idOf, NOW, nextFor, planFor, type Sight, see, told } from "../../test/operator/observations.ts";
import { plainBuilders } from "../../test/operator/plain-builders.ts";
import type { EtcdClusterSpec, EtcdClusterStatus } from "../api/etcd-cluster.ts";
import { exampleSpec } from "../api/example.ts";
import { ANNOTATIONS } from "../api/names.ts";
import type { MetadataChange } from "../resources/inherited.ts";
import type { Observation } from "./observation.ts";
import { plan, STEPS } from "./plan.ts";
import { toTime } from "./time.ts";

type Row = readonly [what: string, seen: string, next: string, sight?: Sight];

function table(step: string, rows: readonly Row[]): void {
  for (const [what, seen, next, sight] of rows)
    test(`${step}: ${what}`, () => {
      assert.equal(nextFor(seen, sight), next);
    });
}

const WELL = "0 leader; 1 voter; 2 voter";
const base = exampleSpec();
const { persistent: _disk, ...noDisk } = base.storage;
const EPHEMERAL: Partial<EtcdClusterSpec> = { storage: { ...noDisk, ephemeral: { medium: "" } } };
const reclaim = (onDelete: "Retain" | "Delete", onMemberRemoval: "Retain" | "Delete"): Partial<EtcdClusterSpec> => ({
  storage: { ...base.storage, reclaim: { onDelete, onMemberRemoval } },
});
const DELETED = { deletionTimestamp: toTime(NOW) };

table("deletion", [
  ["Pods go first", WELL, "delete-pod c-0", { metadata: DELETED }],
  ["Pods that are going are waited for", "0 leader terminating", "none", { metadata: DELETED }],
  [
    "a Pod on a silent node is not waited for",
    "0 voter silent node-down terminating",
    "drop-finalizer",
    { metadata: DELETED },
  ],
  [
    "a Pod whose node is gone is deleted by force",
    "0 voter node-gone terminating",
    "delete-pod c-0 by force",
    { metadata: DELETED },
  ],
  ["claims stay where they are to be retained", "0 voter no-pod", "drop-finalizer", { metadata: DELETED }],
  [
    "claims go where asked",
    "0 voter no-pod; 1 out no-pod state:retired",
    "delete-claim data-c-0",
    { metadata: DELETED, spec: reclaim("Delete", "Delete") },
  ],
  [
    "another cluster's claims stay",
    "0 out no-pod orphan",
    "drop-finalizer",
    { metadata: DELETED, spec: reclaim("Delete", "Delete") },
  ],
  ["without our finalizer nothing is done", WELL, "none", { metadata: { ...DELETED, finalizers: [] } }],
  ["it comes before pausing", WELL, "delete-pod c-0", { metadata: DELETED, spec: { paused: true } }],
]);

table("pause", [
  ["nothing is done", "0 leader; 1 voter no-pod", "none", { spec: { paused: true } }],
  ["not even to form a cluster", "", "none", { spec: { paused: true }, isUnborn: true }],
]);

table("validity", [
  ["the finalizer comes first", "", "add-finalizer", { metadata: { finalizers: [] }, isUnborn: true }],
  [
    "a new spec is kept whole before it is acted on",
    WELL,
    "accept-spec",
    { more: { acceptedSpec: exampleSpec({ replicas: 1 }) } },
  ],
  ["a first spec, too", "", "accept-spec", { isUnborn: true, more: { acceptedSpec: undefined } }],
  [
    "nothing is made in a namespace that terminates",
    "0 leader; 1 voter no-pod",
    "none",
    { more: { namespaceIsTerminating: true } },
  ],
]);

test("validity: a bad spec is not acted on, and the last good one goes on being served", () => {
  const faults = plainBuilders({ faults: [{ path: "spec.replicas", message: "4 is even: give an odd number" }] });
  const bad = (seen: string, accepted: EtcdClusterSpec | undefined): string =>
    nextFor(seen, { spec: { replicas: 5 }, more: { acceptedSpec: accepted }, floor: 2 }, faults);
  assert.equal(bad("", undefined), "InvalidSpec");
  assert.equal(bad(WELL, exampleSpec()), "InvalidSpec");
  assert.equal(bad("0 leader; 1 voter; 2 voter no-pod", exampleSpec()), "create-pod c-2 existing expecting data");
  assert.equal(bad("0 leader old; 1 voter; 2 voter", exampleSpec()), "InvalidSpec");
  assert.equal(bad("0 leader; 1 voter; 2 voter silent emptied", exampleSpec()), "remove-member c-2");
});

test("validity: a version that cannot be reached is refused with the way to go", () => {
  const { action, status } = planFor("0 leader older; 1 voter older; 2 voter older", {
    spec: { version: "0.3.0" },
    more: { acceptedSpec: exampleSpec({ version: "0.0.9" }) },
    status: { currentVersion: "0.0.9" },
  });
  assert.equal(action.kind, "none");
  const stalled = status.conditions?.find((one) => one.type === "Stalled");
  assert.equal(stalled?.reason, "UnsupportedVersion");
  assert.match(
    stalled?.message ?? "",
    /0\.3\.0 is more than one minor version above 0\.0\.9, which runs: go to 0\.1\.x first/,
  );
});

table("identity", [
  ["two cluster ids", "0 leader; 1 voter other-cluster", "ClusterIDMismatch"],
  [
    "another id than the one that was latched",
    WELL,
    "ClusterIDMismatch",
    { status: { clusterID: "beef000000000002" } },
  ],
  ["a Pod of somebody else under our name", "0 leader; 1 voter; 2 voter foreign", "ForeignObject"],
  ["claims of an earlier cluster, before the birth", "0 out no-pod orphan", "OrphanedVolumes", { isUnborn: true }],
  ["claims of an earlier cluster, after it", "0 out no-pod orphan; 1 leader; 2 voter; 3 voter", "none"],
  [
    "retired claims of an earlier cluster are of no matter",
    "0 out no-pod orphan state:retired",
    "create-claim c-1",
    { isUnborn: true },
  ],
  ["nothing left of a cluster that was", "", "AllMembersLost"],
  ["nothing but lost volumes", "0 voter no-pod lost; 1 voter no-pod lost", "AllMembersLost", { isListless: true }],
]);

table("children", [
  ["a missing Service is made", WELL, "apply Service/c-peers", { more: { children: new Map() } }],
  [
    "so is a budget",
    WELL,
    "apply PodDisruptionBudget/c",
    { more: { children: new Map([...see(WELL).children].filter(([key]) => key.startsWith("Service"))) } },
  ],
]);

test("children: what somebody changed is mended, and what nobody wants any more is taken away", () => {
  const seen = see(WELL);
  const service = seen.children.get("Service/c-peers");
  assert.ok(service !== undefined);
  const next = (children: typeof seen.children): string => told(plan({ ...seen, children }, plainBuilders()).action);
  assert.equal(
    next(
      new Map(seen.children).set("Service/c-peers", {
        ...service,
        object: { ...service.object, spec: { clusterIP: "10.0.0.1" } },
      }),
    ),
    "apply Service/c-peers",
  );
  assert.equal(next(new Map(seen.children).set("Service/c-old", service)), "delete Service/c-old");
  assert.equal(next(new Map(seen.children).set("Service/c-old", { ...service, ownerUid: undefined })), "none");
});

table("budget", [
  ["it is raised before a member is added", WELL, "apply PodDisruptionBudget/c", { spec: { replicas: 5 }, floor: 2 }],
  [
    "it is lowered only after the member has gone",
    "0 leader; 1 voter; 2 voter; 3 voter; 4 voter",
    "mark-pod c-4 dropsRole",
    { floor: 3 },
  ],
  ["and is then", WELL, "apply PodDisruptionBudget/c", { floor: 3 }],
  [
    "it is not lowered while nobody knows the voters",
    "0 voter silent; 1 voter silent; 2 voter silent",
    "none",
    { floor: 3, isListless: true, spec: { replicas: 5 } },
  ],
  [
    "none where it is not wanted",
    WELL,
    "delete PodDisruptionBudget/c",
    { spec: { disruptionBudget: { enabled: false, unhealthyPodEvictionPolicy: "IfHealthyBudget" } } },
  ],
]);

table("hibernate", [
  ["followers stop first", WELL, "delete-pod c-2", { spec: { hibernate: true } }],
  [
    "the leader stops last",
    "0 leader; 1 voter no-pod; 2 voter no-pod",
    "delete-pod c-0",
    { spec: { hibernate: true } },
  ],
  ["then nothing runs", "0 voter no-pod; 1 voter no-pod; 2 voter no-pod", "none", { spec: { hibernate: true } }],
  ["no cluster is formed for it", "", "none", { spec: { hibernate: true }, isUnborn: true }],
  [
    "waking makes all Pods at once",
    "0 voter silent; 1 voter no-pod; 2 voter no-pod",
    "create-pod c-1 existing expecting data",
    { isListless: true },
  ],
]);

table("bootstrap", [
  ["the claim of the first member", "", "create-claim c-0", { isUnborn: true }],
  [
    "a serial that was ever seen is not used again",
    "4 out no-pod state:retired",
    "create-claim c-5",
    { isUnborn: true },
  ],
  ["its Pod", "0 out no-pod state:initializing", "create-pod c-0 new", { isUnborn: true }],
  [
    "a failed Pod is made again",
    "0 out state:initializing failed",
    "delete-pod c-0",
    { isUnborn: true, isListless: true },
  ],
  [
    "a Pod of a spec that was mended since, too",
    "0 out state:initializing pulling old",
    "delete-pod c-0",
    { isUnborn: true, isListless: true },
  ],
  [
    "a first member that is not alone is not taken",
    "0 leader state:initializing; 1 voter",
    "ForeignMember",
    { isUnborn: true },
  ],
  ["a member without a disk needs no claim", "", "create-pod c-0 new", { isUnborn: true, spec: EPHEMERAL }],
  ["the second is added when the first is marked", "0 leader", "create-claim c-1"],
]);

table("quorum loss", [
  [
    "missing Pods are made",
    "0 voter silent; 1 voter no-pod; 2 voter silent",
    "create-pod c-1 existing expecting data",
    { isListless: true },
  ],
  [
    "failed Pods are made again",
    "0 voter silent; 1 voter failed; 2 voter silent",
    "delete-pod c-1",
    { isListless: true },
  ],
  [
    "nothing is done to members that do not answer",
    "0 voter silent 11m; 1 voter silent 11m; 2 leader",
    "none",
    { isListless: true },
  ],
  [
    "no learner is promoted or taken back",
    "0 voter silent; 1 voter silent; 2 leader; 3 learner",
    "none",
    { isListless: true },
  ],
  [
    "no claim of a member that seems gone is touched",
    "0 voter silent; 1 voter silent; 2 leader; 3 out no-pod state:ready unmarked",
    "create-pod c-3 existing expecting data",
    { isListless: true },
  ],
  [
    "too few volumes left",
    "0 voter silent lost; 1 voter silent lost; 2 voter silent",
    "QuorumUnrecoverable",
    { isListless: true },
  ],
  [
    "a bad image is backed out of without a quorum",
    "0 voter pulling old",
    "delete-pod c-0",
    { spec: { replicas: 1 }, isListless: true },
  ],
  [
    "a Pod that runs is not, whatever its template",
    "0 voter silent old",
    "none",
    { spec: { replicas: 1 }, isListless: true },
  ],
  [
    "an image that runs and never serves is backed out of, too",
    "0 voter silent old age:16m 20m",
    "delete-pod c-0",
    { spec: { replicas: 1 }, isListless: true },
  ],
  [
    "but not before it has had the time that a member is given",
    "0 voter silent old age:14m 20m",
    "none",
    { spec: { replicas: 1 }, isListless: true },
  ],
  [
    "nor before twice that time where it served for a while",
    "0 voter silent old age:60m 20m",
    "none",
    { spec: { replicas: 1 }, isListless: true },
  ],
  [
    "as a person who has changed the spec wants something done",
    "0 voter silent old age:60m 31m",
    "delete-pod c-0",
    { spec: { replicas: 1 }, isListless: true },
  ],
  [
    "a Pod of the spec in force is waited for",
    "0 voter silent age:60m 31m",
    "none",
    { spec: { replicas: 1 }, isListless: true },
  ],
]);

table("learners", [
  ["one far behind is waited for", "0 leader; 1 voter; 2 learner behind fresh", "none"],
  ["one that has caught up is promoted", "0 leader; 1 voter; 2 learner", "promote c-2"],
  [
    "but first its Pod is told to expect the data that it has",
    "0 leader; 1 voter; 2 learner empty fresh",
    "delete-pod c-2",
  ],
  ["which is then so", "0 leader; 1 voter; 2 learner no-pod", "create-pod c-2 existing expecting data"],
  ["one that is not wanted is taken back", "0 leader; 1 voter; 2 voter; 3 learner", "remove-member c-3"],
  [
    "one whose claim has been deleted is taken back",
    "0 leader; 1 voter; 2 learner claim-terminating",
    "remove-member c-2",
  ],
  ["one whose volume is gone is taken back", "0 leader; 1 voter; 2 learner no-pod no-claim", "remove-member c-2"],
  ["one that found its disk emptied is taken back", "0 leader; 1 voter; 2 unstarted emptied", "remove-member c-2"],
  ["one that does not start in time is taken back", "0 leader; 1 voter; 2 unstarted pulling", "remove-member c-2"],
  ["one that has time left is not", "0 leader; 1 voter; 2 unstarted pulling fresh", "none"],
  [
    "its Pod is made anew when the spec was mended",
    "0 leader; 1 voter; 2 unstarted pulling old fresh",
    "delete-pod c-2",
  ],
  [
    "one without a disk that ended is taken back",
    "0 leader; 1 voter; 2 learner failed fresh",
    "remove-member c-2",
    { spec: EPHEMERAL },
  ],
]);

table("missing Pods", [
  ["a missing Pod is made", "0 leader; 1 voter no-pod; 2 voter", "create-pod c-1 existing expecting data"],
  ["a failed Pod is no missing one: it is deleted first", "0 leader; 1 voter failed; 2 voter", "delete-pod c-1"],
  ["a Pod that is going is waited for", "0 leader; 1 voter; 2 voter silent terminating", "none"],
  ["one on a silent node, too", "0 leader; 1 voter; 2 voter silent node-down terminating", "none"],
  ["one whose node is gone is deleted by force", "0 leader; 1 voter; 2 voter node-gone", "delete-pod c-2 by force"],
  [
    "and where the node is out of service",
    "0 leader; 1 voter; 2 voter node-out terminating",
    "delete-pod c-2 by force",
  ],
  [
    "it does not wait for a volume that grows",
    "0 leader; 1 voter no-pod small resize-pending; 2 voter",
    "create-pod c-1 existing expecting data",
  ],
  ["a member without its claim gets no Pod", "0 leader; 1 voter; 2 voter no-pod no-claim", "remove-member c-2"],
  [
    "a member without a disk does not come back empty",
    "0 leader; 1 voter; 2 voter no-pod 1s",
    "remove-member c-2",
    { spec: EPHEMERAL },
  ],
]);

table("repair", [
  ["a silent member is waited for", "0 leader; 1 voter; 2 voter silent 9m", "none"],
  ["then its Pod is made anew", "0 leader; 1 voter; 2 voter silent 11m", "delete-pod c-2"],
  ["which is given as long", "0 leader; 1 voter; 2 voter silent 15m age:9m", "none"],
  ["and then it is replaced", "0 leader; 1 voter; 2 voter silent 25m age:11m", "remove-member c-2"],
  [
    "on a silent node it is replaced at once after the time",
    "0 leader; 1 voter; 2 voter node-down 11m",
    "remove-member c-2",
  ],
  ["also when its Pod is stuck there", "0 leader; 1 voter; 2 voter node-down terminating 11m", "remove-member c-2"],
  ["the budget has no say in it", "0 leader; 1 voter; 2 voter node-down 11m", "remove-member c-2", { budgetAllows: 0 }],
  ["a disk that was emptied is at once", "0 leader; 1 voter; 2 voter emptied", "remove-member c-2"],
  ["a lost volume is", "0 leader; 1 voter; 2 voter silent lost", "remove-member c-2"],
  ["a corrupt member is", "0 leader; 1 voter; 2 voter corrupt", "remove-member c-2"],
  ["a corrupt leader hands over first", "0 leader corrupt; 1 voter; 2 voter", "move-leader c-0 to c-1"],
  ["one that no node takes is after half an hour", "0 leader; 1 voter; 2 voter unscheduled 31m", "remove-member c-2"],
  ["and not before", "0 leader; 1 voter; 2 voter unscheduled 29m", "none"],
  ["an image that cannot be pulled is no fault of the member", "0 leader; 1 voter; 2 voter pulling 5h", "none"],
  ["nor is a crash of what only it runs", "0 leader old; 1 voter old; 2 voter crashed 5h", "ProgressDeadlineExceeded"],
  ["a crash of what the others run well is", "0 leader; 1 voter; 2 voter crashed 5h age:11m", "remove-member c-2"],
  [
    "a member whose Pod is ready is not dead, though we do not hear it",
    "0 leader; 1 voter; 2 voter unheard 5h",
    "none",
  ],
  [
    "two of five are replaced one after the other",
    "0 leader; 1 voter; 2 voter; 3 voter node-down 11m; 4 voter node-down 11m",
    "remove-member c-3",
    { spec: { replicas: 5 } },
  ],
  [
    "three of five are a lost quorum",
    "0 leader; 1 voter; 2 voter node-down 11m; 3 voter node-down 11m; 4 voter node-down 11m",
    "none",
    { spec: { replicas: 5 } },
  ],
  [
    "in mode Manual it is only told",
    "0 leader; 1 voter; 2 voter emptied",
    "none",
    { spec: { repair: { ...base.repair, mode: "Manual" } } },
  ],
  [
    "unless it is asked for",
    "0 leader; 1 voter; 2 voter silent",
    "remove-member c-2",
    { spec: { repair: { ...base.repair, mode: "Manual" } }, ask: { replaceMember: "c-2:1" } },
  ],
  [
    "the flap guard holds",
    "0 leader; 1 voter; 2 voter emptied",
    "none",
    { status: { repairs: [toTime(NOW - 60_000), toTime(NOW - 120_000)] } },
  ],
  [
    "for an hour",
    "0 leader; 1 voter; 2 voter emptied",
    "remove-member c-2",
    { status: { repairs: [toTime(NOW - 60_000), toTime(NOW - 3_600_000)] } },
  ],
]);

test("repair: a replacement is counted once, however often it has to be asked for", () => {
  const seen = "0 leader; 1 voter; 2 voter emptied";
  const first = planFor(seen);
  assert.deepEqual(first.status.repairs, [toTime(NOW)]);
  const again = planFor(seen, {
    status: {
      repairs: first.status.repairs ?? [],
      ...(first.status.operation && { operation: first.status.operation }),
    },
  });
  assert.equal(told(again.action), "remove-member c-2");
  assert.deepEqual(again.status.repairs, [toTime(NOW)]);
});

table("alarms", [
  [
    "one of a member that is gone is taken back",
    WELL,
    "disarm CORRUPT of 0000000000000099",
    { more: { etcd: { ...etcdOf(WELL), alarms: [{ memberId: "0000000000000099", alarm: "CORRUPT" }] } } },
  ],
  ["one of a member that is listed is not", "0 leader; 1 voter; 2 voter nospace", "none"],
]);

function etcdOf(text: string): NonNullable<ReturnType<typeof see>["etcd"]> {
  const { etcd } = see(text);
  assert.ok(etcd !== undefined);
  return etcd;
}

const LARGER: Partial<EtcdClusterSpec> = {
  storage: { ...base.storage, persistent: { size: "3Gi", accessMode: "ReadWriteOnce" } },
};
table("volumes", [
  ["they grow one after the other", WELL, "grow-claim data-c-0", { spec: LARGER }],
  [
    "where the class lets them",
    WELL,
    "none",
    { spec: LARGER, more: { storageClasses: new Map([["standard", { allowsExpansion: false }]]) } },
  ],
  ["the file system is given time to follow", "0 leader resize-pending; 1 voter; 2 voter", "none"],
]);

table("upgrade", [
  ["followers first", "0 leader older; 1 voter older; 2 voter older", "delete-pod c-2"],
  ["the furthest behind of them", "0 leader older; 1 voter older; 2 voter", "delete-pod c-1"],
  ["the leader hands over to one that is up to date", "0 leader older; 1 voter; 2 voter", "move-leader c-0 to c-1"],
  ["and is the last", "0 voter older; 1 leader; 2 voter", "delete-pod c-0"],
  ["it waits for the one before to be well", "0 leader older; 1 voter older; 2 voter fresh", "none"],
  [
    "it stops at the first that does not get well",
    "0 leader older; 1 voter older; 2 voter pulling 1h",
    "ProgressDeadlineExceeded",
  ],
  [
    "a bad one is replaced at once by a spec that was mended",
    "0 leader older; 1 voter older; 2 voter pulling old",
    "delete-pod c-2",
  ],
  [
    "it comes before scaling",
    "0 leader older; 1 voter older; 2 voter older",
    "delete-pod c-2",
    { spec: { replicas: 5 }, floor: 2 },
  ],
  [
    "and the budget of the size to come waits for it",
    "0 leader older; 1 voter older; 2 voter older",
    "apply PodDisruptionBudget/c",
    { spec: { replicas: 5 }, floor: 3 },
  ],
  ["a leader that we do not hear leads all the same", "0 leader older unheard; 1 voter; 2 voter", "none"],
  ["two voters can spare none: a third comes first", "0 leader older; 1 voter older", "create-claim c-2"],
  ["the budget has its say", "0 leader older; 1 voter older; 2 voter older", "none", { budgetAllows: 0 }],
  ["a single member is restarted", "0 leader older", "delete-pod c-0", { spec: { replicas: 1 } }],
  [
    "OnDelete leaves it to people",
    "0 leader older; 1 voter older; 2 voter older",
    "none",
    { spec: { update: { ...base.update, strategy: "OnDelete" } } },
  ],
]);

test("upgrade: a leader that cannot hand over is stopped after two tries", () => {
  const operation = {
    id: "1",
    type: "Update" as const,
    member: "c-0",
    step: "MovingLeader",
    startedAt: toTime(NOW),
    message: "",
  };
  const next = (attempts: number): string =>
    nextFor("0 leader older; 1 voter; 2 voter", { status: { operation: { ...operation, attempts } } });
  assert.deepEqual([next(0), next(1), next(2)], ["move-leader c-0 to c-1", "move-leader c-0 to c-1", "delete-pod c-0"]);
  const { operation: after } = planFor("0 leader older; 1 voter; 2 voter", {
    status: { operation: { ...operation, attempts: 1 } },
  }).status;
  assert.equal(after?.attempts, 2);
});

table("scale up", [
  ["the claim first", "0 leader; 1 voter; 2 voter", "create-claim c-3", { spec: { replicas: 5 } }],
  ["not while a member is unwell", "0 leader; 1 voter; 2 voter silent", "none", { spec: { replicas: 5 } }],
  [
    "not while OnDelete leaves another version",
    "0 leader; 1 voter older; 2 voter",
    "none",
    { spec: { replicas: 5, update: { ...base.update, strategy: "OnDelete" } } },
  ],
  [
    "without a disk the member is added at once",
    "0 leader; 1 voter; 2 voter",
    "add-learner c-3",
    { spec: { replicas: 5, ...EPHEMERAL } },
  ],
  [
    "a claim that had a member is not used for another",
    "0 leader; 1 voter; 2 out no-pod state:ready",
    "delete-claim data-c-2",
  ],
]);

test("scale up: it rests after a failure, and asks a person after the third", () => {
  const failed = (attempts: number, agoMs: number): Sight => ({
    spec: { replicas: 5 },
    status: {
      lastOperation: {
        id: "1",
        type: "ScaleUp",
        member: "c-9",
        step: "TakingBack",
        startedAt: toTime(NOW),
        attempts,
        message: "no node takes its Pod",
        result: "Failed",
        endedAt: toTime(NOW - agoMs),
      },
    },
  });
  assert.equal(nextFor(WELL, failed(1, 59_000)), "none");
  assert.equal(nextFor(WELL, failed(1, 60_000)), "create-claim c-3");
  assert.equal(nextFor(WELL, failed(2, 60_000)), "none");
  assert.equal(nextFor(WELL, { ...failed(3, 3_600_000), floor: 2 }), "ProgressDeadlineExceeded");
  assert.equal(
    nextFor(WELL, { ...failed(3, 0), metadata: { generation: 2 } }),
    "create-claim c-3",
    "a new spec is a new chance",
  );
  assert.equal(planFor(WELL, { ...failed(3, 0), metadata: { generation: 2 } }).status.lastOperation?.attempts, 0);
});

test("scale up: a failure is counted when the learner is taken back", () => {
  const { status, events } = planFor("0 leader; 1 voter; 2 unstarted pulling");
  assert.equal(status.lastOperation?.result, "Failed");
  assert.equal(status.lastOperation?.attempts, 1);
  assert.match(status.lastOperation?.message ?? "", /ImagePullBackOff/);
  assert.ok(events.some((event) => event.reason === "LearnerTakenBack" && event.type === "Warning"));
});

const FIVE = "0 leader; 1 voter; 2 voter; 3 voter; 4 voter";
table("scale down", [
  ["clients are sent elsewhere first", FIVE, "mark-pod c-4 dropsRole"],
  ["then the member is removed", "0 leader; 1 voter; 2 voter; 3 voter; 4 voter role:none", "remove-member c-4"],
  ["an unwell member first", "0 leader; 1 voter silent; 2 voter; 3 voter; 4 voter", "remove-member c-1"],
  ["then an outdated one", "0 leader; 1 voter old; 2 voter; 3 voter; 4 voter", "mark-pod c-1 dropsRole"],
  ["never the leader if another fits", "0 voter; 1 voter; 2 voter; 3 leader", "mark-pod c-2 dropsRole"],
  ["of two the one that stays must be well", "0 leader unready; 1 voter", "none", { spec: { replicas: 1 } }],
  ["then the second goes", "0 leader; 1 voter role:none", "remove-member c-1", { spec: { replicas: 1 } }],
  [
    "claims are kept where asked",
    "0 leader; 1 voter; 2 voter; 3 out no-pod state:ready",
    "mark-claim data-c-3 state=retired",
    { spec: reclaim("Retain", "Retain") },
  ],
  [
    "a member on the node of another first",
    FIVE,
    "mark-pod c-1 dropsRole",
    {
      more: { pods: see(FIVE).pods.map((pod) => ({ ...pod, nodeName: pod.member < "c-2" ? "node-0" : pod.nodeName })) },
    },
  ],
]);

table("roll-out", [
  ["a follower", "0 leader old; 1 voter old; 2 voter old", "delete-pod c-2"],
  ["it comes after scaling", "0 leader old; 1 voter old; 2 voter old", "create-claim c-3", { spec: { replicas: 5 } }],
  ["the Pod that formed the cluster is made once more", "0 leader seed; 1 voter; 2 voter", "move-leader c-0 to c-1"],
  ["at the right time", "0 voter seed; 1 leader; 2 voter", "delete-pod c-0"],
  [
    "a member without a disk is replaced: another comes first",
    "0 leader; 1 voter; 2 voter old",
    "add-learner c-3",
    { spec: EPHEMERAL, floor: 3 },
  ],
  ["and then it goes", "0 leader; 1 voter; 2 voter old; 3 voter", "mark-pod c-2 dropsRole", { spec: EPHEMERAL }],
]);

table("requests", [
  ["restart", WELL, "delete-pod c-2", { ask: { restart: "again" } }],
  [
    "restart goes on with those that were not yet",
    "0 leader; 1 voter; 2 voter restarted",
    "delete-pod c-1",
    { ask: { restart: "again" } },
  ],
  [
    "a request is carried out once",
    WELL,
    "none",
    { ask: { restart: "again" }, status: { handledRequests: { restart: "again" } } },
  ],
  ["move-leader", WELL, "move-leader c-0 to c-2", { ask: { moveLeader: "c-2:1" } }],
  ["move-leader waits for health", "0 leader; 1 voter fresh; 2 voter", "none", { ask: { moveLeader: "c-2:1" } }],
  ["replace-member: another comes first", WELL, "apply PodDisruptionBudget/c", { ask: { replaceMember: "c-1:1" } }],
  ["its claim", WELL, "create-claim c-3", { ask: { replaceMember: "c-1:1" }, floor: 3 }],
  [
    "then the one named goes",
    "0 leader; 1 voter; 2 voter; 3 voter",
    "mark-pod c-1 dropsRole",
    { ask: { replaceMember: "c-1:1" } },
  ],
  ["defrag: followers first", WELL, "defragment c-1", { ask: { defrag: "1" } }],
  [
    "defrag: the leader last, though it leads",
    WELL,
    "move-leader c-0 to c-1",
    { ask: { defrag: "1" }, status: { handledRequests: { "defrag.c-1": "1", "defrag.c-2": "1" } } },
  ],
]);

test("requests: what is done is kept in the status with its text", () => {
  const handled = (text: string, sight: Sight): unknown => planFor(text, sight).status.handledRequests;
  assert.deepEqual(handled("0 leader restarted; 1 voter restarted; 2 voter restarted", { ask: { restart: "again" } }), {
    restart: "again",
  });
  assert.deepEqual(handled("0 voter; 1 voter; 2 leader", { ask: { moveLeader: "c-2:1" } }), { moveLeader: "c-2:1" });
  assert.deepEqual(handled(WELL, { ask: { moveLeader: "c-9:1" } }), { moveLeader: "c-9:1" });
  assert.deepEqual(handled(WELL, { ask: { replaceMember: "c-7:1" } }), { replaceMember: "c-7:1" });
  const all = { "defrag.c-0": "1", "defrag.c-1": "1", "defrag.c-2": "1", restart: "x" };
  assert.deepEqual(handled(WELL, { ask: { defrag: "1" }, status: { handledRequests: all } }), {
    restart: "x",
    defrag: "1",
  });
});

test("certificates: our own are issued before anything is made, others are awaited", () => {
  const own = plainBuilders({ secrets: [{ name: "c-peer-tls", by: "operator", isLoaded: true }] });
  const others = plainBuilders({ secrets: [{ name: "given", by: "person", isLoaded: true }] });
  const there = { hash: "1", caHash: "1", notBefore: 0, notAfter: NOW * 2 };
  assert.equal(nextFor("", { isUnborn: true }, own), "issue c-peer-tls");
  assert.equal(nextFor("", { isUnborn: true }, others), "none");
  assert.equal(
    nextFor("0 leader; 1 voter no-pod; 2 voter", {}, others),
    "create-pod c-1 existing expecting data",
    "a running cluster does not wait",
  );
  const secrets = new Map([["c-peer-tls", there]]);
  assert.match(nextFor(WELL, { more: { secrets } }, own), /^mark-pod c-0 certificateHash=[0-9a-f]{16}$/);
  assert.equal(
    nextFor(WELL, { more: { secrets, certificatesDue: [{ secret: "c-peer-tls", why: "it ends" }] } }, own),
    "issue c-peer-tls",
  );
});

test("rotate-certs asks for new authorities until they are there, and then it is handled", () => {
  const own = plainBuilders({
    secrets: [
      { name: "c-client-ca", by: "operator", isLoaded: false, isAuthority: true },
      { name: "c-peer-ca", by: "operator", isLoaded: false, isAuthority: true },
      { name: "c-peer-tls", by: "operator", isLoaded: false },
    ],
  });
  const there = { hash: "1", caHash: "1", notBefore: 0, notAfter: NOW * 2 };
  const rotate = (clientBy: string | undefined, peerBy: string | undefined) =>
    planFor(
      WELL,
      {
        ask: { rotateCertificates: "2" },
        more: {
          secrets: new Map([
            ["c-client-ca", clientBy === undefined ? there : { ...there, rotation: clientBy }],
            ["c-peer-ca", peerBy === undefined ? there : { ...there, rotation: peerBy }],
            ["c-peer-tls", there],
          ]),
        },
      },
      own,
    );
  const first = rotate(undefined, "1");
  assert.equal(told(first.action), "issue c-client-ca c-peer-ca with a new authority");
  assert.equal(first.status.handledRequests, undefined, "a call that fails is made again");
  assert.equal(told(rotate("2", "1").action), "issue c-peer-ca with a new authority", "each once");
  const done = rotate("2", "2");
  assert.equal(told(done.action), "none");
  assert.deepEqual(done.status.handledRequests, { rotateCertificates: "2" });
});

/** Three new members could not join, and the spec has not been changed since. */
const IN_VAIN: Partial<EtcdClusterStatus> = {
  observedGeneration: see(WELL).cluster.metadata.generation,
  lastOperation: {
    id: "scaleup-c-5-1",
    type: "ScaleUp",
    step: "TakingBack",
    startedAt: toTime(NOW - 3_600_000),
    attempts: 3,
    message: "no node takes its Pod",
    result: "Failed",
    endedAt: toTime(NOW - 1_800_000),
  },
};
const FIVE_WANTED = { replicas: 5 };

table("growth given up", [
  [
    "the budget is for those that there are",
    WELL,
    "apply PodDisruptionBudget/c",
    { spec: FIVE_WANTED, status: IN_VAIN },
  ],
  ["nobody is added", WELL, "ProgressDeadlineExceeded", { spec: FIVE_WANTED, status: IN_VAIN, floor: 2 }],
  [
    "another spec is tried, after the budget has risen",
    WELL,
    "apply PodDisruptionBudget/c",
    { spec: FIVE_WANTED, status: { ...IN_VAIN, observedGeneration: 0 }, floor: 2 },
  ],
  [
    "a roll-out goes on",
    "0 leader old; 1 voter; 2 voter old",
    "delete-pod c-2",
    { spec: FIVE_WANTED, status: IN_VAIN, floor: 2 },
  ],
  [
    "a request is carried out",
    WELL,
    "move-leader c-0 to c-2",
    { spec: FIVE_WANTED, status: IN_VAIN, floor: 2, ask: { moveLeader: "c-2:1" } },
  ],
]);

test("growth given up is said in Stalled while other work goes on, and is not forgotten over it", () => {
  for (const text of [WELL, "0 leader old; 1 voter; 2 voter old"]) {
    const { status } = planFor(text, { spec: FIVE_WANTED, status: IN_VAIN, floor: 2 });
    const stalled = status.conditions?.find(({ type }) => type === "Stalled");
    assert.deepEqual([stalled?.status, stalled?.reason], ["True", "ProgressDeadlineExceeded"], text);
    assert.equal(status.lastOperation?.attempts, 3, text);
  }
  const refused = planFor(WELL, { ask: { replaceMember: "c-1:1" }, status: IN_VAIN, floor: 2 });
  assert.deepEqual(refused.status.handledRequests, { replaceMember: "c-1:1" });
  assert.ok(refused.events.some(({ reason }) => reason === "RequestRefused"));
});

test("what the API server refuses is said in conditions, and other work goes on", () => {
  const ready = (text: string, refusals: Observation["refusals"], sight: Sight = {}) => {
    const made = planFor(text, { ...sight, more: { ...sight.more, ...(refusals && { refusals }) } });
    const of = (type: string) => made.status.conditions?.find((one) => one.type === type);
    return {
      action: told(made.action),
      ready: of("Ready"),
      reconciling: of("Reconciling"),
      volumes: of("VolumesReady"),
    };
  };
  const quota = "exceeded quota";
  const lost = "0 leader; 1 voter no-pod; 2 voter";
  assert.equal(ready(lost, undefined).ready?.reason, "Repairing");
  const pod = ready(lost, new Map([["Pod/c-1", quota]]));
  assert.match(pod.action, /^create-pod c-1/, "it is tried again");
  assert.deepEqual(
    [pod.ready?.status, pod.ready?.reason, pod.reconciling?.reason],
    ["False", "ObjectRefused", "ObjectRefused"],
  );
  assert.match(pod.ready?.message ?? "", /Pod\/c-1 was refused.*exceeded quota/);
  const other = ready(lost, new Map([["Pod/c-2", quota]]));
  assert.equal(other.ready?.reason, "Repairing", "only what is tried now");
  const children = new Map([...see(WELL).children].filter(([key]) => !key.startsWith("Service/")));
  const service = new Map([["Service/c-peers", "denied by a policy"]]);
  assert.match(
    ready("0 leader old; 1 voter old; 2 voter old", service, { more: { children } }).action,
    /^delete-pod c-2/,
  );
  const last = ready(WELL, service, { more: { children } });
  assert.deepEqual([last.action, last.ready?.reason], ["apply Service/c-peers", "ObjectRefused"]);
  const claims = new Map(["c-0", "c-1", "c-2"].map((name) => [`PersistentVolumeClaim/data-${name}`, quota]));
  const small = "0 leader small; 1 voter small; 2 voter small old";
  assert.equal(ready(small, undefined).action, "grow-claim data-c-0");
  const grown = ready(small, claims);
  assert.match(grown.action, /^delete-pod c-2/);
  assert.equal(grown.volumes?.reason, "ExpansionRefused");
  assert.equal(ready("0 leader small; 1 voter small; 2 voter small", claims).action, "grow-claim data-c-0");
});

test("inherited labels and annotations come to Pods and claims where they are, and go with the wish", () => {
  const spec = { inheritedMetadata: { labels: { team: "blue" }, annotations: { "example.com/a": "1" } } };
  const first = planFor(WELL, { spec });
  assert.equal(first.action.kind, "mark-pod");
  const marks = (first.action as { marks: { metadata: MetadataChange } }).marks.metadata;
  assert.deepEqual(marks.labels, { team: "blue" });
  assert.equal(marks.annotations["example.com/a"], "1");
  const mark = marks.annotations[ANNOTATIONS.inherited] as string;
  const had = { labels: { team: "blue" }, annotations: { "example.com/a": "1", [ANNOTATIONS.inherited]: mark } };
  const marked = (seen: Observation): Observation => ({
    ...seen,
    pods: seen.pods.map((pod) => ({
      ...pod,
      labels: { ...pod.labels, ...had.labels },
      annotations: { ...pod.annotations, ...had.annotations },
    })),
  });
  const claim = plan(marked(see(WELL, { spec })), plainBuilders()).action;
  assert.deepEqual([claim.kind, "claim" in claim && claim.claim], ["mark-claim", "data-c-0"], "then claims");
  const gone = plan(marked(see(WELL)), plainBuilders()).action;
  assert.deepEqual("marks" in gone && "metadata" in gone.marks && gone.marks.metadata, {
    labels: { team: null },
    annotations: { "example.com/a": null, [ANNOTATIONS.inherited]: null },
  });
});

test("a plan is pure: the same observation gives the same plan, and is left as it was", () => {
  for (const text of [WELL, "0 leader older; 1 voter; 2 voter emptied", "0 leader; 1 learner"]) {
    const seen = see(text);
    const before = JSON.stringify(seen);
    assert.deepEqual(plan(seen, plainBuilders()), plan(seen, plainBuilders()));
    assert.equal(JSON.stringify(seen), before);
  }
});

test("every step has a name of its own", () => {
  assert.equal(new Set(STEPS.map((step) => step.name)).size, STEPS.length);
});

test("a serial once given is never given again, wherever it was seen", () => {
  const serial = (text: string, sight: Sight = {}): number | undefined =>
    planFor(text, { isStatusLost: true, ...sight }).status.nextMemberSerial;
  assert.equal(serial("0 leader; 1 voter; 2 voter; 7 out no-pod state:retired"), 8);
  assert.equal(serial("0 leader; 1 voter; 11 voter no-pod no-claim"), 12);
  assert.equal(serial("0 leader; 1 voter; 2 voter", { status: { nextMemberSerial: 30 } }), 30);
  assert.equal(
    serial("0 leader; 1 voter", { status: { nextMemberSerial: 30 } }),
    31,
    "the one that is claimed now is taken in the same pass",
  );
  assert.equal(idOf(0).length, 16);
});

test("members without claims are known by their Pods when the status is lost", () => {
  const seen = see("0 leader; 1 voter; 2 voter", { spec: EPHEMERAL, isStatusLost: true });
  const pods = seen.pods.map((pod, at) => ({
    ...pod,
    annotations: { ...pod.annotations, [ANNOTATIONS.memberId]: idOf(at) },
  }));
  const { status, action } = plan({ ...seen, pods }, plainBuilders());
  assert.deepEqual([action.kind, status.clusterID, status.initialized], ["none", CLUSTER_ID, true]);
  assert.equal(status.conditions?.find(({ type }) => type === "Stalled")?.status, "False");
  // Without such a Pod nothing says that they are this cluster's.
  assert.equal(plan(seen, plainBuilders()).status.clusterID, undefined);
});

test("a member that is out of space is replaced as a well one is: another comes first", () => {
  for (const [found, spec, next] of [
    ["0 leader nospace", { replicas: 1 }, "create-claim c-1"],
    ["0 leader; 1 voter; 2 voter nospace", {}, "create-claim c-3"],
  ] as const) {
    const member = found.includes("2 voter") ? "c-2" : "c-0";
    const seen = { spec, ask: { replaceMember: `${member}:1` }, floor: spec.replicas === 1 ? 2 : 3 };
    assert.equal(nextFor(found, seen), next);
  }
});

test("a leader hands over where all are out of space, too", () => {
  assert.equal(nextFor("0 leader old nospace; 1 voter nospace; 2 voter nospace"), "move-leader c-0 to c-1");
});

test("a member that no node takes holds a roll-out up for three times as long as any other, and no longer", () => {
  const found = (since: string) => `0 leader old; 1 voter old; 2 voter unscheduled ${since}`;
  assert.equal(nextFor(found("89m")), "ProgressDeadlineExceeded");
  assert.equal(nextFor(found("91m")), "remove-member c-2");
  assert.equal(nextFor("0 leader; 1 voter; 2 voter unscheduled 31m"), "remove-member c-2");
});
