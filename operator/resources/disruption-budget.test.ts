import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterWith, SMALL } from "../../test/operator/rendered.ts";
import { disruptionBudget, minAvailable, wantedBudget } from "./disruption-budget.ts";

test("minAvailable() is the majority of the larger of what votes and what is wanted", () => {
  const table: [voters: number, wanted: number, least: number][] = [
    [0, 0, 0],
    [1, 1, 0],
    [0, 3, 2],
    [1, 3, 2],
    [3, 3, 2],
    [3, 5, 3],
    [5, 3, 3],
    [4, 3, 3],
    [2, 3, 2],
    [3, 1, 2],
    [7, 7, 4],
  ];
  for (const [voters, wanted, least] of table)
    assert.equal(minAvailable(voters, wanted), least, `${voters}, ${wanted}`);
});

test("a budget tightens before a member is added and loosens only after one is gone", () => {
  const growing = [minAvailable(3, 3), minAvailable(3, 5), minAvailable(4, 5), minAvailable(5, 5)];
  const shrinking = [minAvailable(5, 5), minAvailable(5, 3), minAvailable(4, 3), minAvailable(3, 3)];
  assert.deepEqual(growing, [2, 3, 3, 3]);
  assert.deepEqual(shrinking, [3, 3, 3, 2]);
});

test("one member alone has no budget, nor has a cluster that wants none", () => {
  assert.equal(wantedBudget(SMALL, 1, 1), undefined);
  const without = clusterWith({ disruptionBudget: { enabled: false, unhealthyPodEvictionPolicy: "IfHealthyBudget" } });
  assert.equal(wantedBudget(without, 3, 3), undefined);
  assert.equal(wantedBudget(SMALL, 3, 3), 2);
  assert.throws(() => disruptionBudget(SMALL, 0), /at least one/);
});

test("it counts voters alone, by a whole number", () => {
  assert.deepEqual(disruptionBudget(SMALL, 2).spec, {
    minAvailable: 2,
    selector: {
      matchLabels: {
        "kvorum.dev/cluster": "example",
        "app.kubernetes.io/component": "etcd",
        "kvorum.dev/role": "voter",
      },
    },
    unhealthyPodEvictionPolicy: "IfHealthyBudget",
  });
});
