import assert from "node:assert/strict";
import { test } from "node:test";
import { CLUSTER_ID, nextFor, planFor, type Sight } from "../../test/operator/observations.ts";

/**
 * What is found after a crash, and what is done about it: nothing is remembered, everything follows from what is there.
 */
const CRASHES: readonly (readonly [what: string, found: string, next: string, sight?: Sight])[] = [
  ["after the finalizer, before anything else", "", "create-claim c-0", { isUnborn: true }],
  ["after the seed's claim", "0 out no-pod state:initializing", "create-pod c-0 new", { isUnborn: true }],
  ["after the seed's Pod", "0 out state:initializing silent", "none", { isUnborn: true, isListless: true }],
  [
    "after the seed's Pod, and an older operator's claim comes late",
    "0 out no-pod state:initializing; 1 out state:initializing silent",
    "none",
    { isUnborn: true, isListless: true },
  ],
  [
    "after two claims, before a Pod",
    "0 out no-pod state:initializing; 1 out no-pod state:initializing",
    "create-pod c-1 new",
    { isUnborn: true, isListless: true },
  ],
  [
    "after the seed formed the cluster, before that was written down",
    "0 leader state:initializing role:none",
    "mark-claim data-c-0 state=ready clusterId=cafe000000000001 memberId=0000000000000016",
    { isUnborn: true },
  ],
  [
    "after the id is in the status and before it is on the claim",
    "0 leader state:initializing role:none unmarked",
    "mark-claim data-c-0 state=ready clusterId=cafe000000000001 memberId=0000000000000016",
  ],
  [
    "after the id is in the status, before it is on the claim, and with the Pod gone",
    "0 voter no-pod state:initializing unmarked",
    "create-pod c-0 existing expecting data",
    { isListless: true },
  ],
  ["after the claim is marked", "0 leader role:none seed", "delete-pod c-0"],
  ["after the seed's Pod is gone", "0 voter no-pod", "create-pod c-0 existing expecting data", { isListless: true }],
  ["after it is back", "0 leader role:none", "mark-pod c-0 role=voter memberId=0000000000000016"],
  ["claim made, member not added", "0 leader; 1 out no-pod state:joining", "add-learner c-1"],
  [
    "claim made, and it is no longer wanted",
    "0 leader; 1 out no-pod state:joining",
    "delete-claim data-c-1",
    { spec: { replicas: 1 } },
  ],
  [
    "member added, its claim not marked",
    "0 leader; 1 unstarted no-pod unmarked",
    "mark-claim data-c-1 clusterId=cafe000000000001 memberId=0000000000000017",
  ],
  [
    "member added, and the answer was lost",
    "0 leader; 1 unstarted no-pod unmarked",
    "mark-claim data-c-1 clusterId=cafe000000000001 memberId=0000000000000017",
  ],
  ["member added, no Pod", "0 leader; 1 unstarted no-pod", "create-pod c-1 existing"],
  ["Pod made, not started", "0 leader; 1 unstarted fresh", "none"],
  ["Pod made, not promoted", "0 leader; 1 learner", "promote c-1"],
  [
    "promoted, and the answer was lost",
    "0 leader; 1 voter state:joining role:learner",
    "mark-claim data-c-1 state=ready",
  ],
  ["promoted, its claim marked", "0 leader; 1 voter role:learner", "mark-pod c-1 role=voter memberId=0000000000000017"],
  ["traffic stopped, not removed", "0 leader; 1 voter; 2 voter; 3 voter role:none", "remove-member c-3"],
  [
    "traffic stopped, and it is wanted again",
    "0 leader; 1 voter; 2 voter role:none",
    "mark-pod c-2 role=voter memberId=0000000000000018",
  ],
  ["member removed, its Pod there", "0 leader; 1 voter; 2 voter; 3 out state:ready", "delete-pod c-3"],
  ["member removed, its Pod going", "0 leader; 1 voter; 2 voter; 3 out terminating state:ready", "none"],
  ["member removed, its Pod gone", "0 leader; 1 voter; 2 voter; 3 out no-pod state:ready", "delete-claim data-c-3"],
  ["learner taken back, its Pod there", "0 leader; 1 voter; 2 out state:joining", "delete-pod c-2"],
  [
    "Pod deleted in a roll-out, not made again",
    "0 leader old; 1 voter old; 2 voter no-pod",
    "create-pod c-2 existing expecting data",
  ],
  ["leader moved, the old one not stopped", "0 voter old; 1 leader; 2 voter", "delete-pod c-0"],
  ["status lost", "0 leader; 1 voter; 2 voter", "none", { isStatusLost: true }],
  [
    "status lost, and a Pod",
    "0 leader; 1 voter; 2 voter no-pod",
    "create-pod c-2 existing expecting data",
    { isStatusLost: true },
  ],
  [
    "status lost, and all Pods",
    "0 voter no-pod; 1 voter no-pod; 2 voter no-pod",
    "create-pod c-0 existing expecting data",
    { isStatusLost: true },
  ],
];

for (const [what, found, next, sight] of CRASHES)
  test(`crash: ${what}`, () => {
    assert.equal(nextFor(found, sight), next);
  });

test("the cluster id comes back into a lost status from any one claim", () => {
  const { status } = planFor("0 leader unmarked; 1 voter; 2 voter unmarked", { isStatusLost: true });
  assert.equal(status.clusterID, CLUSTER_ID);
  assert.equal(status.initialized, true);
});
