import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Metrics, runtimeMetrics } from "./metrics.ts";

async function lines(metrics: Metrics): Promise<readonly string[]> {
  return (await metrics.text()).body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

describe("metrics", () => {
  it("counts calls, passes, restarts and events under the operator's names", async () => {
    const metrics = new Metrics();
    const { api, reflector, controller, leader, events } = runtimeMetrics(metrics);
    api.called("get", "pods", "200", 12);
    api.called("get", "pods", "200", 12);
    reflector.restarted("pods", "gone");
    controller.reconciled("cluster", "error", 300);
    controller.reconciled("cluster", "conflict", 300);
    leader.leads(true);
    events.dropped("flood");
    const text = await lines(metrics);
    for (const line of [
      'kvorum_operator_api_requests_total{verb="get",resource="pods",code="200"} 2',
      'kvorum_operator_api_request_duration_seconds_bucket{le="0.025",verb="get"} 2',
      'kvorum_operator_watch_restarts_total{resource="pods",why="gone"} 1',
      'kvorum_operator_reconcile_total{controller="cluster",result="error"} 1',
      'kvorum_operator_reconcile_errors_total{controller="cluster"} 1',
      "kvorum_operator_leader 1",
      'kvorum_operator_events_dropped_total{why="flood"} 1',
    ])
      assert.ok(text.includes(line), `${line}\nnot in\n${text.join("\n")}`);
  });

  it("asks for ages and depths at each scrape", async () => {
    const metrics = new Metrics();
    const { reflector, controller } = runtimeMetrics(metrics);
    let age = 1500;
    reflector.watched(
      "pods",
      () => age,
      () => 7,
    );
    controller.queued(
      "cluster",
      () => 3,
      () => 250,
      () => 1,
    );
    const first = await lines(metrics);
    assert.ok(first.includes('kvorum_operator_cache_age_seconds{resource="pods"} 1.5'));
    assert.ok(first.includes('kvorum_operator_cache_objects{resource="pods"} 7'));
    assert.ok(first.includes('kvorum_operator_queue_depth{controller="cluster"} 3'));
    assert.ok(first.includes('kvorum_operator_queue_oldest_seconds{controller="cluster"} 0.25'));
    reflector.watched(
      "pods",
      () => 2000,
      () => 5,
    );
    const both = await lines(metrics);
    assert.ok(both.includes('kvorum_operator_cache_age_seconds{resource="pods"} 2'));
    assert.ok(both.includes('kvorum_operator_cache_objects{resource="pods"} 12'));
    age = 3000;
    assert.ok((await lines(metrics)).includes('kvorum_operator_cache_age_seconds{resource="pods"} 3'));
  });

  it("a gauge of what is gone is no longer shown", async () => {
    const metrics = new Metrics();
    const gauge = metrics.gauge("phase", "Of a cluster.", ["namespace", "name"]);
    gauge.set(["n", "a"], 1);
    gauge.set(["n", "b"], 1);
    gauge.remove(["n", "a"]);
    assert.deepEqual(await lines(metrics), ['kvorum_operator_phase{namespace="n",name="b"} 1']);
  });
});
