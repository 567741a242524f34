import assert from "node:assert/strict";
import { test } from "node:test";
import { SMALL } from "../../test/operator/rendered.ts";
import { disruptionBudget } from "./disruption-budget.ts";

test("a budget keeps at least one", () => {
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
