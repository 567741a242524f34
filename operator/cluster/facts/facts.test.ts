/** Facts out of JSON as a real API server gives it, with the parts that it leaves out left out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CA, RENEWED_SERVER, SERVER } from "../../../test/support/certificates.ts";
import { budgetFacts, childFacts, childKey } from "./child.ts";
import { claimFacts } from "./claim.ts";
import { nodeFacts } from "./node.ts";
import { type PodJson, podFacts } from "./pod.ts";
import { secretFacts, textIn } from "./secret.ts";
import { storageClassFacts } from "./storage-class.ts";

const OWNER = {
  apiVersion: "kvorum.dev/v1alpha1",
  kind: "EtcdCluster",
  name: "example",
  uid: "3f1c9a52-6f5e-4b39-9d0f-0a8f1f3c2b11",
  controller: true,
  blockOwnerDeletion: true,
};

const RUNNING = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "example-1",
    namespace: "default",
    uid: "b7d2b2a4-50cf-4f0f-9a35-ad6a2d6f8d0e",
    resourceVersion: "48213",
    creationTimestamp: "2026-11-30T10:15:00Z",
    labels: {
      "app.kubernetes.io/name": "kvorum",
      "kvorum.dev/cluster": "example",
      "kvorum.dev/member": "example-1",
      "kvorum.dev/role": "voter",
    },
    annotations: { "kvorum.dev/template-hash": "0011223344556677" },
    ownerReferences: [OWNER],
  },
  spec: {
    nodeName: "worker-2",
    containers: [
      { name: "sidecar", image: "x" },
      { name: "etcd", image: "kvorum-server:0.1.0" },
    ],
  },
  status: {
    phase: "Running",
    podIP: "10.244.2.17",
    podIPs: [{ ip: "10.244.2.17" }],
    qosClass: "Burstable",
    conditions: [
      {
        type: "PodReadyToStartContainers",
        status: "True",
        lastProbeTime: null,
        lastTransitionTime: "2026-11-30T10:15:03Z",
      },
      { type: "Initialized", status: "True", lastProbeTime: null, lastTransitionTime: "2026-11-30T10:15:00Z" },
      { type: "Ready", status: "True", lastProbeTime: null, lastTransitionTime: "2026-11-30T10:15:09Z" },
      { type: "ContainersReady", status: "True", lastProbeTime: null, lastTransitionTime: "2026-11-30T10:15:09Z" },
      { type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime: "2026-11-30T10:15:00Z" },
    ],
    containerStatuses: [
      {
        name: "sidecar",
        restartCount: 7,
        ready: true,
        state: { running: { startedAt: "2026-11-30T10:15:02Z" } },
        lastState: {},
      },
      {
        name: "etcd",
        restartCount: 1,
        ready: true,
        started: true,
        state: { running: { startedAt: "2026-11-30T10:15:02Z" } },
        lastState: {
          terminated: { exitCode: 137, reason: "OOMKilled", startedAt: "x", finishedAt: "y", containerID: "z" },
        },
      },
    ],
  },
} as unknown as PodJson;

test("a Pod that runs: address, node, since when it is ready, and how its container ended before", () => {
  const facts = podFacts(RUNNING, "etcd");
  assert.deepEqual(facts, {
    name: "example-1",
    uid: "b7d2b2a4-50cf-4f0f-9a35-ad6a2d6f8d0e",
    resourceVersion: "48213",
    ownerUid: OWNER.uid,
    member: "example-1",
    role: "voter",
    labels: RUNNING.metadata.labels,
    annotations: RUNNING.metadata.annotations,
    createdAt: Date.parse("2026-11-30T10:15:00Z"),
    isTerminating: false,
    phase: "Running",
    ip: "10.244.2.17",
    nodeName: "worker-2",
    readySince: Date.parse("2026-11-30T10:15:09Z"),
    unscheduledSince: undefined,
    container: { state: "Running", reason: "", message: "", restarts: 1, exitCode: 137, endReason: "OOMKilled" },
  });
});

test("a Pod that has just been made has no status, and so no facts of it", () => {
  const { status: _status, spec: _spec, ...bare } = RUNNING;
  const facts = podFacts({ ...bare, spec: { containers: [] } }, "etcd");
  assert.deepEqual(
    [facts.phase, facts.ip, facts.nodeName, facts.readySince, facts.container],
    ["Pending", undefined, undefined, undefined, undefined],
  );
});

test("a Pod that finds no node says since when, and one that waits for another reason does not", () => {
  const pending = (reason: string) =>
    podFacts(
      {
        ...RUNNING,
        status: {
          phase: "Pending",
          conditions: [{ type: "PodScheduled", status: "False", reason, lastTransitionTime: "2026-11-30T10:16:00Z" }],
        },
      },
      "etcd",
    ).unscheduledSince;
  assert.equal(pending("Unschedulable"), Date.parse("2026-11-30T10:16:00Z"));
  assert.equal(pending("SchedulingGated"), undefined);
});

test("containers that wait or have ended say why, and with which exit code", () => {
  const container = (state: object, lastState: object = {}) =>
    podFacts(
      {
        ...RUNNING,
        status: { phase: "Running", containerStatuses: [{ name: "etcd", restartCount: 3, state, lastState }] },
      },
      "etcd",
    ).container;
  assert.deepEqual(container({ waiting: { reason: "ImagePullBackOff", message: "not found" } }), {
    state: "Waiting",
    reason: "ImagePullBackOff",
    message: "not found",
    restarts: 3,
    exitCode: undefined,
    endReason: undefined,
  });
  const crashed = container(
    { waiting: { reason: "CrashLoopBackOff" } },
    { terminated: { exitCode: 78, reason: "Error" } },
  );
  assert.deepEqual([crashed?.reason, crashed?.exitCode], ["CrashLoopBackOff", 78]);
  const ended = container({ terminated: { exitCode: 0, reason: "Completed" } }, { terminated: { exitCode: 78 } });
  assert.deepEqual([ended?.state, ended?.exitCode, ended?.endReason], ["Terminated", 0, "Completed"]);
});

test("a Pod of an unreachable node is terminating, and keeps the address that it had", () => {
  const facts = podFacts(
    { ...RUNNING, metadata: { ...RUNNING.metadata, deletionTimestamp: "2026-11-30T10:20:00Z" } },
    "etcd",
  );
  assert.deepEqual([facts.isTerminating, facts.ip], [true, "10.244.2.17"]);
});

const CLAIM = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: {
    name: "data-example-1",
    namespace: "default",
    uid: "c1",
    resourceVersion: "9",
    labels: { "kvorum.dev/cluster": "example", "kvorum.dev/member": "example-1" },
    annotations: {
      "kvorum.dev/cluster-uid": OWNER.uid,
      "kvorum.dev/cluster-id": "00ab45ef01234567",
      "kvorum.dev/state": "ready",
      "kvorum.dev/member-id": "8211f1d0f64f3269",
      "pv.kubernetes.io/bind-completed": "yes",
    },
    finalizers: ["kubernetes.io/pvc-protection"],
  },
  spec: {
    accessModes: ["ReadWriteOnce"],
    storageClassName: "standard",
    volumeMode: "Filesystem",
    volumeName: "pvc-1",
    resources: { requests: { storage: "3Gi" } },
  },
  status: {
    phase: "Bound",
    accessModes: ["ReadWriteOnce"],
    capacity: { storage: "2Gi" },
    conditions: [
      {
        type: "FileSystemResizePending",
        status: "True",
        lastProbeTime: null,
        lastTransitionTime: "2026-11-30T10:15:03Z",
      },
      { type: "Resizing", status: "False" },
    ],
  },
};

test("a claim says whose data it is, and how large it is and should be", () => {
  const facts = claimFacts(CLAIM);
  assert.deepEqual(
    [facts.member, facts.clusterUid, facts.clusterId, facts.memberId, facts.state, facts.ownerUid],
    ["example-1", OWNER.uid, "00ab45ef01234567", "8211f1d0f64f3269", "ready", undefined],
  );
  assert.deepEqual([facts.phase, facts.requested, facts.capacity], ["Bound", 3 * 2 ** 30, 2 * 2 ** 30]);
  assert.deepEqual([facts.storageClassName, facts.conditions], ["standard", ["FileSystemResizePending"]]);
});

test("annotations of a claim that people have written over count as absent", () => {
  const { "kvorum.dev/cluster-id": _id, ...rest } = CLAIM.metadata.annotations;
  const annotations = { ...rest, "kvorum.dev/cluster-id": "0xAB", "kvorum.dev/state": "fine" };
  const facts = claimFacts({ ...CLAIM, metadata: { ...CLAIM.metadata, labels: {}, annotations } });
  assert.deepEqual([facts.clusterId, facts.state, facts.member], [undefined, undefined, "example-1"]);
});

test("children are found by kind and name, with their controller", () => {
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "example-client", namespace: "default", uid: "s1", ownerReferences: [OWNER] },
    spec: { type: "ClusterIP" },
  };
  assert.equal(childKey(service), "Service/example-client");
  const facts = childFacts(service);
  assert.deepEqual([facts.uid, facts.ownerUid, facts.object["spec"]], ["s1", OWNER.uid, { type: "ClusterIP" }]);
  const { ownerReferences: _owners, ...free } = service.metadata;
  assert.equal(childFacts({ ...service, metadata: free }).ownerUid, undefined);
});

test("a budget's numbers count only for the spec that it has now", () => {
  const budget = (observedGeneration: number | undefined) =>
    budgetFacts({
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "example", generation: 2 },
      spec: { minAvailable: 2 },
      status: { disruptionsAllowed: 1, ...(observedGeneration === undefined ? {} : { observedGeneration }) },
    });
  assert.deepEqual(budget(2), { minAvailable: 2, disruptionsAllowed: 1, isCurrent: true });
  assert.equal(budget(1).isCurrent, false);
  assert.equal(budget(undefined).isCurrent, false);
});

test("a node is ready, silent since a time, or vouched to be out of service", () => {
  const node = (status: string, taints: readonly { key: string }[] = []) =>
    nodeFacts({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "worker-2", labels: { "topology.kubernetes.io/zone": "b" } },
      spec: { taints },
      status: {
        conditions: [
          { type: "MemoryPressure", status: "Unknown" },
          { type: "Ready", status, lastTransitionTime: "2026-11-30T10:20:33Z" },
        ],
      },
    });
  assert.deepEqual(node("True"), { isReady: true, notReadySince: undefined, isOutOfService: false, zone: "b" });
  assert.equal(node("Unknown").notReadySince, Date.parse("2026-11-30T10:20:33Z"));
  assert.equal(node("False", [{ key: "node.kubernetes.io/out-of-service" }]).isOutOfService, true);
  assert.equal(node("Unknown", [{ key: "node.kubernetes.io/unreachable" }]).isOutOfService, false);
});

test("a storage class that does not say so does not grow", () => {
  const bare = { apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name: "x" } };
  assert.deepEqual(storageClassFacts(bare), { allowsExpansion: false });
  assert.deepEqual(storageClassFacts({ ...bare, allowVolumeExpansion: true }), { allowsExpansion: true });
});

const encoded = (texts: Record<string, string>) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "example-peer-tls" },
  data: Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString("base64")])),
});

test("a Secret is known by hashes, dates and fingerprints, never by its content", () => {
  const secret = encoded({ "ca.crt": CA, "tls.crt": SERVER.cert, "tls.key": SERVER.key });
  const facts = secretFacts(secret);
  assert.equal(facts.notAfter, Date.parse("2099-12-31T00:00:00Z"));
  assert.equal(facts.fingerprints?.length, 2);
  assert.match(facts.hash, /^[0-9a-f]{16}$/);
  const reordered = secretFacts(encoded({ "tls.key": SERVER.key, "tls.crt": SERVER.cert, "ca.crt": CA }));
  assert.deepEqual(reordered, facts);
  const renewed = secretFacts(encoded({ "ca.crt": CA, "tls.crt": RENEWED_SERVER.cert, "tls.key": RENEWED_SERVER.key }));
  assert.notEqual(renewed.hash, facts.hash);
  assert.equal(renewed.caHash, facts.caHash);
  assert.ok(!JSON.stringify(facts).includes("PRIVATE"));
});

test("a Secret without certificates has a hash alone, and what is no base64 is no text", () => {
  const facts = secretFacts(encoded({ "ca.crt": "nonsense" }));
  assert.deepEqual([facts.notAfter, facts.fingerprints], [undefined, []]);
  assert.equal(textIn({ ...encoded({}), data: { a: "%%%" } }, "a"), undefined);
  assert.equal(textIn(encoded({}), "a"), undefined);
});
