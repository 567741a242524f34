import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleCluster } from "../api/example.ts";
import type { PodFacts } from "../plan/observation.ts";
import { endpointsOf, metricsUrl, whyNotAsked } from "./members.ts";

const cluster = exampleCluster();

function pod(changes: Partial<PodFacts> = {}): PodFacts {
  return {
    member: "example-0",
    ownerUid: cluster.metadata.uid,
    isTerminating: false,
    phase: "Running",
    ip: "10.0.0.7",
    container: { state: "Running", reason: "", message: "", restarts: 0, exitCode: undefined, endReason: undefined },
    ...changes,
  } as PodFacts;
}

const TLS = { ca: "ca" };

test("a member is asked at its Pod's address, by the name that its certificate holds", () => {
  const plain = endpointsOf(cluster, [pod()], () => false, "missing");
  assert.deepEqual([...plain], [["example-0", { url: "http://10.0.0.7:2379" }]]);
  const secure = endpointsOf(cluster, [pod({ ip: "fd00::7" })], () => true, TLS);
  assert.deepEqual(secure.get("example-0"), {
    url: "https://[fd00::7]:2379",
    serverName: "example-0.example-peers.default.svc",
    tls: TLS,
  });
  assert.equal(metricsUrl("fd00::7"), "http://[fd00::7]:2381/metrics");
});

test("while a spec is rolled out each member is asked as it speaks; without certificates none that wants them", () => {
  const pods = [pod(), pod({ member: "example-1", ip: "10.0.0.8" })];
  const speaks = ({ member }: PodFacts) => member === "example-1";
  const mixed = endpointsOf(cluster, pods, speaks, TLS);
  assert.deepEqual(
    [...mixed.values()].map(({ url }) => url),
    ["http://10.0.0.7:2379", "https://10.0.0.8:2379"],
  );
  assert.deepEqual([...endpointsOf(cluster, pods, speaks, "missing").keys()], ["example-0"]);
});

test("a Pod that is none of ours, is going, or does not run is not asked", () => {
  const cases: readonly (readonly [Partial<PodFacts>, RegExp])[] = [
    [{ ownerUid: "another" }, /somebody else/],
    [{ isTerminating: true }, /terminating/],
    [{ ip: undefined }, /no address/],
    [{ phase: "Failed" }, /Failed/],
    [
      { container: { state: "Waiting", reason: "CrashLoopBackOff" } as NonNullable<PodFacts["container"]> },
      /CrashLoopBackOff/,
    ],
  ];
  for (const [changes, why] of cases) {
    assert.match(whyNotAsked(cluster, pod(changes)) ?? "", why);
    assert.equal(endpointsOf(cluster, [pod(changes)], () => false, "missing").size, 0);
  }
  assert.equal(whyNotAsked(cluster, pod()), undefined);
});
