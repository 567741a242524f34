import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleCluster, exampleSpec } from "./example.ts";

test("exampleSpec() has the defaults that docs promise", () => {
  assert.deepEqual(exampleSpec(), {
    replicas: 3,
    version: "0.1.0",
    storage: {
      persistent: { size: "2Gi", accessMode: "ReadWriteOnce" },
      reclaim: { onDelete: "Retain", onMemberRemoval: "Delete" },
    },
    config: { heartbeatInterval: 100, electionTimeout: 1000, metrics: "basic", logLevel: "info", logFormat: "json" },
    tls: {
      client: { mode: "Disabled" },
      peer: { mode: "Disabled" },
      certificates: { duration: "2160h", renewBefore: "720h" },
    },
    service: { client: { type: "ClusterIP" } },
    pod: {
      antiAffinity: { type: "Preferred", topologyKey: "kubernetes.io/hostname" },
      terminationGracePeriodSeconds: 60,
    },
    probes: {
      startup: { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 180 },
      liveness: { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 8 },
      readiness: { periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
    },
    disruptionBudget: { enabled: true, unhealthyPodEvictionPolicy: "IfHealthyBudget" },
    update: { strategy: "RollingUpdate", minReadySeconds: 10, memberTimeout: "15m" },
    repair: { mode: "Automatic", unhealthyAfter: "10m", unscheduledAfter: "30m", maxPerHour: 2 },
    hibernate: false,
    paused: false,
    deletionProtection: false,
  });
});

test("exampleSpec() and exampleCluster() take changes of whole fields", () => {
  assert.equal(exampleSpec({ replicas: 5 }).replicas, 5);
  assert.equal(exampleCluster({ spec: exampleSpec({ paused: true }) }).spec.paused, true);
  assert.equal(exampleCluster().status?.observedGeneration, -1);
});
