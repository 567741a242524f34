import assert from "node:assert/strict";
import { test } from "node:test";
import { NOW, nextFor, planFor, type Sight, see, told } from "../../test/operator/observations.ts";
import { plainBuilders } from "../../test/operator/plain-builders.ts";
import { exampleSpec } from "../api/example.ts";
import type { PodNeed } from "./builders.ts";
import { plan } from "./plan.ts";

/** The rules that the operator never breaks. Each row names a plan that would break one, where it lies close at hand. */
type Row = readonly [seen: string, wrong: RegExp, sight?: Sight];

function forbids(rule: string, rows: readonly Row[]): void {
  for (const [seen, wrong, sight] of rows)
    test(`${rule}: ${seen}`, () => {
      assert.doesNotMatch(nextFor(seen, sight), wrong);
    });
}

const TAKES = /^(delete-pod|remove-member|defragment)/;
const MEMBERSHIP = /^(add-learner|promote|remove-member|move-leader|delete-claim|mark-claim.*retired)/;

forbids("1. one voluntary disruption at a time", [
  ["0 leader old; 1 voter old; 2 voter terminating", TAKES],
  ["0 leader old; 1 voter old; 2 voter", TAKES, { budgetAllows: 0 }],
  ["0 leader; 1 voter; 2 voter; 3 voter silent; 4 voter role:none", /^remove-member c-4/, {}],
  ["0 leader older; 1 voter; 2 voter silent", TAKES],
  ["0 leader; 1 voter; 2 voter", /^defragment/, { ask: { defrag: "1" }, budgetAllows: 0 }],
]);

test("1. a budget whose numbers are old allows nothing, and without a budget the same is counted", () => {
  const stale = { minAvailable: 2, disruptionsAllowed: 1, isCurrent: false };
  assert.equal(nextFor("0 leader old; 1 voter old; 2 voter old", { more: { budget: stale } }), "none");
  const spec = { disruptionBudget: { enabled: false, unhealthyPodEvictionPolicy: "IfHealthyBudget" as const } };
  const children = new Map([...see("0 leader").children].filter(([key]) => key.startsWith("Service")));
  const more = { children, budget: undefined };
  assert.equal(nextFor("0 leader old; 1 voter old; 2 voter old", { spec, more }), "delete-pod c-2");
  assert.equal(nextFor("0 leader old; 1 voter old; 2 voter behind", { spec, more }), "none");
});

forbids("2. nothing is taken past the health gate", [
  ["0 leader old; 1 voter old; 2 voter unready", TAKES],
  ["0 leader old; 1 voter old; 2 voter unheard", TAKES],
  ["0 leader old; 1 voter old; 2 voter behind", TAKES],
  ["0 leader old; 1 voter old; 2 voter fresh", TAKES],
  ["0 leader old; 1 voter old; 2 learner", TAKES, { spec: { replicas: 3 } }],
]);

forbids("3. the healthy that stay are a quorum of the new voters", [
  ["0 leader old; 1 voter old", TAKES, { spec: { replicas: 3 } }],
  ["0 leader; 1 voter silent 11m node-down", /^remove-member c-1/],
  ["0 leader; 1 voter; 2 voter emptied; 3 voter emptied; 4 voter emptied", /^remove-member/, { spec: { replicas: 5 } }],
  ["0 leader", TAKES, { spec: { replicas: 1 } }],
]);

forbids("4. growth is by one learner at a time, promoted when it has caught up", [
  [
    "0 leader; 1 voter; 2 learner behind; 3 out no-pod state:joining",
    /^(add-learner|promote)/,
    { spec: { replicas: 5 } },
  ],
  ["0 leader; 1 voter; 2 learner silent fresh", /^(add-learner|promote|create-claim)/, { spec: { replicas: 5 } }],
  ["0 leader; 1 voter; 2 voter silent; 3 learner", /^add-learner/, { spec: { replicas: 5 } }],
]);

forbids("5. a member leaves the list before its Pod and claim go", [
  ["0 leader; 1 voter; 2 voter; 3 voter role:none", /^delete-(pod|claim)/],
  ["0 leader; 1 voter; 2 voter node-down 11m", /^delete-(pod|claim)/],
  ["0 leader; 1 voter; 2 voter; 3 out state:ready", /^delete-claim/],
  ["0 leader; 1 voter; 2 voter; 3 out terminating state:ready", /^delete-claim/],
]);

forbids("6. the leader hands over before it is taken", [
  ["0 leader old; 1 voter; 2 voter", TAKES],
  ["0 leader; 1 voter silent; 2 voter; 3 voter", /^(mark-pod|remove-member) c-0/],
  ["0 leader corrupt; 1 voter; 2 voter", /^remove-member/],
]);

test("7. only the first member of a cluster that is not born is told to start one", () => {
  const start = (text: string, sight: Sight = {}): string => {
    const { action } = planFor(text, sight);
    return action.kind === "create-pod" ? (action.object as unknown as { need: PodNeed }).need.start : action.kind;
  };
  assert.equal(start("0 out no-pod state:initializing", { isUnborn: true }), "new");
  assert.equal(start("0 voter no-pod", { isListless: true }), "existing");
  assert.equal(start("0 voter no-pod; 1 leader; 2 voter"), "existing");
  assert.equal(
    start("0 voter no-pod; 1 voter no-pod; 2 voter no-pod", { isStatusLost: true, isListless: true }),
    "existing",
  );
  assert.equal(start("0 leader; 1 unstarted no-pod"), "existing");
});

test("7. a member that has held data is told to expect it, and one that has not is not", () => {
  const expects = (text: string, sight: Sight = {}): boolean | string => {
    const { action } = planFor(text, sight);
    return action.kind === "create-pod"
      ? (action.object as unknown as { need: PodNeed }).need.expectsData
      : action.kind;
  };
  assert.equal(expects("0 voter no-pod; 1 leader; 2 voter"), true);
  assert.equal(expects("0 voter no-pod", { isListless: true }), true);
  assert.equal(expects("0 leader; 1 unstarted no-pod"), false);
  assert.equal(expects("0 out no-pod state:initializing", { isUnborn: true }), false);
});

forbids("8. a cluster that was is never formed again", [
  ["", /^create/],
  ["", /^create/, { isListless: true, status: { clusterID: "cafe000000000001" } }],
  ["3 out no-pod state:retired", /^create/],
  ["0 voter no-pod no-claim; 1 voter no-pod no-claim", /^create/, { isListless: true }],
]);

forbids("9. two cluster ids freeze everything", [
  ["0 leader; 1 voter other-cluster; 2 voter no-pod", /^(?!ClusterIDMismatch)/],
  ["0 leader; 1 voter other-cluster; 2 voter emptied", /^(?!ClusterIDMismatch)/],
]);

test("10. learners, unstarted and unhealthy members are asked for nothing", () => {
  const via = (text: string, sight: Sight = {}): unknown => {
    const { action } = planFor(text, sight);
    return "via" in action ? action.via : action.kind;
  };
  assert.equal(via("0 voter; 1 leader; 2 learner"), "c-1", "the leader decides, so it is asked");
  assert.equal(via("0 learner; 1 leader; 2 voter"), "c-1");
  assert.equal(via("0 voter emptied; 1 leader; 2 voter"), "c-1");
  assert.equal(via("0 leader; 1 voter; 2 voter; 3 voter role:none"), "c-0");
});

forbids("11. without a quorum no membership is changed, nothing removed and nothing rolled out", [
  ["0 voter silent 11m; 1 voter silent 11m; 2 leader old", MEMBERSHIP, { isListless: true }],
  ["0 voter silent 11m; 1 voter silent 11m; 2 leader old", TAKES, { isListless: true }],
  ["0 voter emptied; 1 voter emptied; 2 leader", MEMBERSHIP, { isListless: true }],
  ["0 voter silent; 1 voter silent; 2 leader; 3 out state:ready", MEMBERSHIP, { isListless: true }],
  ["0 voter silent; 1 voter silent; 2 leader; 3 out state:ready", TAKES, { isListless: true }],
  ["0 voter silent; 1 voter silent; 2 leader", MEMBERSHIP, { isListless: true, spec: { replicas: 1 } }],
  ["0 voter silent; 1 voter silent; 2 leader; 3 learner", MEMBERSHIP],
]);

forbids("12. no claim of a listed member, no last copy, nothing of somebody else", [
  ["0 leader; 1 voter; 2 voter silent lost", /^delete-claim/],
  ["0 leader silent; 1 out no-pod state:ready", /^delete-claim/, { isListless: true }],
  ["0 leader; 1 voter; 2 voter; 3 out no-pod orphan state:ready", /^delete-claim/],
  ["0 leader; 1 voter; 2 voter foreign", /^delete-pod/],
]);

test("14. majors, more than one minor up and any minor down are refused; patches and a way back are not", () => {
  const reason = (running: string, wanted: string): string => {
    const seen = see("0 leader; 1 voter; 2 voter", { spec: { version: running }, status: { currentVersion: running } });
    const cluster = { ...seen.cluster, spec: exampleSpec({ version: wanted }) };
    const { action, status } = plan({ ...seen, cluster }, plainBuilders());
    return action.kind === "none"
      ? (status.conditions?.find((one) => one.type === "Stalled")?.reason ?? "")
      : told(action);
  };
  for (const wanted of ["1.0.0", "0.4.0", "0.1.9"]) assert.equal(reason("0.2.0", wanted), "UnsupportedVersion", wanted);
  for (const wanted of ["0.3.0", "0.2.9", "0.2.1"]) assert.equal(reason("0.2.5", wanted), "accept-spec", wanted);
});

test("14. a version that never became ready binds nobody: the way back is free", () => {
  const seen = see("0 voter pulling", {
    spec: { replicas: 1, version: "0.2.0" },
    status: { currentVersion: "0.1.0" },
    isListless: true,
  });
  const cluster = { ...seen.cluster, spec: exampleSpec({ replicas: 1, version: "0.1.0" }) };
  assert.equal(told(plan({ ...seen, cluster }, plainBuilders()).action), "accept-spec");
  assert.equal(told(plan({ ...seen, cluster, acceptedSpec: cluster.spec }, plainBuilders()).action), "delete-pod c-0");
});

forbids("14. no member is added while one runs another version", [
  ["0 leader older; 1 voter; 2 voter", /^(create-claim|add-learner)/, { spec: { replicas: 5 } }],
]);

forbids("15. unknown is not false", [
  ["0 leader; 1 voter; 2 voter unheard 24h", /^remove-member/],
  ["0 leader; 1 voter; 2 voter unheard 24h", TAKES],
  ["0 leader; 1 voter; 2 out state:ready", /^(delete|remove)/, { isListless: true }],
  ["0 leader; 1 voter; 2 voter silent 5m", TAKES],
]);

test("15. a member is not taken for absent because its node could not be read", () => {
  assert.equal(nextFor("0 leader; 1 voter; 2 voter silent terminating", { more: { nodes: new Map() } }), "none");
});

test("no Pod of a node that is only silent is deleted by force, or a second time", () => {
  for (const text of [
    "0 leader; 1 voter; 2 voter node-down 5m",
    "0 leader; 1 voter; 2 voter node-down terminating 5m",
    "0 leader; 1 voter; 2 voter node-down old 5m",
  ])
    assert.equal(nextFor(text), "none", text);
  const again = planFor("0 leader; 1 voter; 2 out node-down terminating state:ready");
  assert.notEqual(again.action.kind, "delete-pod");
});

test("the status that an action needs is in the same plan, as it is written first", () => {
  const born = planFor("0 leader state:initializing role:none", { isUnborn: true });
  assert.equal(born.status.clusterID, "cafe000000000001");
  assert.equal(born.status.initialized, true);
  const claimed = planFor("0 leader");
  assert.equal(told(claimed.action), "create-claim c-1");
  assert.equal(claimed.status.nextMemberSerial, 2);
  assert.ok(claimed.againInMs <= 1000);
  assert.ok(NOW > 0);
});

test("7. nobody has a vote in a Pod that would begin anew on an emptied disk", () => {
  assert.equal(nextFor("0 leader; 1 voter; 2 learner empty fresh"), "delete-pod c-2");
  assert.equal(nextFor("0 leader role:none seed"), "delete-pod c-0");
  assert.equal(
    nextFor("0 leader; 1 voter; 2 voter empty"),
    "delete-pod c-2",
    "one that came to be so is made once more",
  );
  assert.equal(nextFor("0 leader; 1 voter unready; 2 voter empty"), "none", "but not at the cost of a quorum");
});

test("9. a list under another cluster's id is no list of ours", () => {
  const { status } = planFor("0 leader; 1 voter; 2 voter", {
    status: { clusterID: "beef000000000002", voters: 3, members: [] },
  });
  assert.equal(status.voters, 3);
  assert.ok(
    !planFor("0 leader; 1 voter; 2 voter", { status: { clusterID: "beef000000000002" } }).events.some(
      (event) => event.reason === "MemberRemoved",
    ),
  );
});

test("14. the lowest version is not forgotten while the member that runs it is down, nor with the status", () => {
  const next = (text: string, running: string | undefined, wanted: string): string => {
    const seen = see(text, {
      spec: { version: "0.2.0" },
      isStatusLost: running === undefined,
      ...(running !== undefined && { status: { currentVersion: running } }),
    });
    const { action, status } = plan(
      { ...seen, cluster: { ...seen.cluster, spec: exampleSpec({ version: wanted }) } },
      plainBuilders(),
    );
    return action.kind === "none"
      ? (status.conditions?.find((one) => one.type === "Stalled")?.reason ?? "")
      : told(action);
  };
  assert.equal(next("0 leader; 1 voter; 2 voter silent 1m", "0.1.0", "0.3.0"), "UnsupportedVersion");
  assert.equal(next("0 leader; 1 voter; 2 voter", "0.2.0", "0.3.0"), "accept-spec");
  assert.equal(next("0 voter silent; 1 voter silent; 2 voter silent", undefined, "0.4.0"), "UnsupportedVersion");
  const raised = planFor("0 leader; 1 voter; 2 voter", { status: { currentVersion: "0.0.9" } });
  assert.equal(raised.status.currentVersion, "0.1.0");
  assert.equal(
    planFor("0 leader; 1 voter; 2 voter silent 1m", { status: { currentVersion: "0.0.9" } }).status.currentVersion,
    "0.0.9",
  );
});
