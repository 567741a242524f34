import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeEtcd } from "../../test/operator/fake-etcd.ts";
import { FakeKube } from "../../test/operator/fake-kube.ts";
import { VirtualTime } from "../../test/operator/virtual-time.ts";
import type { EtcdCluster, EtcdClusterStatus } from "../api/etcd-cluster.ts";
import { exampleCluster } from "../api/example.ts";
import type { Action, Happening, Plan } from "../plan/action.ts";
import type { Observation } from "../plan/observation.ts";
import { isConflict, type Key, KubeError, type KubeObject, type Resource } from "../runtime/kube.ts";
import { clusterBuilders } from "./builders.ts";
import { CLUSTERS, PODS } from "./kinds.ts";
import { Reconciler } from "./reconcile.ts";
import type { ClusterEvent } from "./world.ts";

const KEY = { namespace: "default", name: "example" };
const STATUS: EtcdClusterStatus = { observedGeneration: 1, initialized: true };
const CREATED: Happening = { type: "Normal", reason: "Tried", message: "it was tried" };
const WARNED: Happening = { type: "Warning", reason: "Wrong", message: "it is wrong" };

/** What a plan says, for each look of a pass in turn; the last one again and again. */
function place(plans: readonly Partial<Plan>[], before: EtcdClusterStatus = STATUS) {
  const time = new VirtualTime();
  const kube = new FakeKube({ time });
  let stale: KubeObject | undefined;
  const cached = () => stale ?? kube.objects.get(CLUSTERS, KEY);
  const events: ClusterEvent[] = [];
  const seen: Observation[] = [];
  const { metadata, status: _status, ...rest } = exampleCluster();
  const { uid: _uid, resourceVersion: _version, creationTimestamp: _at, generation: _generation, ...given } = metadata;
  kube.objects.create(CLUSTERS, { ...rest, metadata: given } as unknown as KubeObject);
  kube.objects.patch(CLUSTERS, KEY, { status: before }, { subresource: "status" });
  const world = {
    kube,
    time,
    etcd: new FakeEtcd({ now: () => time.now() }),
    events: { emit: (_about: KubeObject, event: ClusterEvent) => void events.push(event) },
    log: () => undefined,
    leaseLeftMs: () => 20_000,
    caches: {
      ofCluster: () => [],
      get: (resource: Resource, { name }: Key) => (resource === CLUSTERS && name === KEY.name ? cached() : undefined),
      watches: () => false,
    },
  };
  let looks = 0;
  const reconciler = new Reconciler(world, clusterBuilders({ serverImage: "kvorum-server" }), (observation) => {
    seen.push(observation);
    const plan = plans[Math.min(looks++, plans.length - 1)];
    return { action: { kind: "none" }, status: STATUS, events: [], againInMs: 30_000, ...plan };
  });
  const cluster = () => kube.objects.get(CLUSTERS, KEY) as unknown as EtcdCluster;
  /** From now on the cache has the cluster as it is now. */
  const freezeCache = () => {
    stale = kube.objects.get(CLUSTERS, KEY);
  };
  return { kube, time, events, seen, reconciler, cluster, freezeCache };
}

const POD = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "example-0", namespace: "default", ownerReferences: [] },
} as const;
const ACT: Action = { kind: "create-pod", member: "example-0", object: POD };

test("at rest a pass looks once, at the caches, and asks the API server for nothing", async () => {
  const { reconciler, kube, seen } = place([{}]);
  assert.deepEqual(await reconciler.reconcile(KEY), { againInMs: 30_000, action: "none" });
  assert.equal(seen.length, 1);
  assert.deepEqual(kube.calls, []);
});

test("a status is written from the cache, and from what is true now where the cache is behind", async () => {
  const status = { ...STATUS, nextMemberSerial: 1 };
  const near = place([{ status, events: [CREATED] }]);
  await near.reconciler.reconcile(KEY);
  assert.deepEqual(
    near.kube.calls.map(({ verb }) => verb),
    ["patch"],
  );
  const behind = place([{ status, events: [CREATED] }]);
  behind.freezeCache();
  behind.kube.objects.patch(CLUSTERS, KEY, { metadata: { labels: { changed: "since" } } });
  await behind.reconciler.reconcile(KEY);
  assert.equal(behind.cluster().status?.nextMemberSerial, 1);
  assert.equal(behind.seen.length, 2);
  assert.equal(
    behind.seen[1]?.cluster.metadata.resourceVersion !== behind.seen[0]?.cluster.metadata.resourceVersion,
    true,
  );
  assert.deepEqual(
    behind.events.map(({ reason }) => reason),
    ["Tried"],
    "told once",
  );
});

test("a cluster that the cache still has and that is gone is not worked on", async () => {
  const { reconciler, kube, freezeCache } = place([{ action: ACT }]);
  freezeCache();
  kube.objects.delete(CLUSTERS, KEY, {});
  assert.equal((await reconciler.reconcile(KEY)).action, "gone");
  assert.equal(kube.objects.all(PODS).length, 0);
});

test("what is to be done is decided once more by what is true now, written down, and then done", async () => {
  const status = { ...STATUS, nextMemberSerial: 1 };
  const { reconciler, kube, seen, cluster } = place([{ action: ACT, status, events: [CREATED] }]);
  const pass = await reconciler.reconcile(KEY);
  assert.deepEqual([pass.action, pass.refused], ["create-pod", undefined]);
  assert.ok(pass.againInMs <= 500);
  assert.equal(seen.length, 2);
  assert.deepEqual(
    kube.calls
      .filter(({ verb }) => verb !== "get" && verb !== "list")
      .map(({ verb, subresource }) => `${verb} ${subresource ?? ""}`),
    ["patch status", "create "],
  );
  assert.equal(cluster().status?.nextMemberSerial, 1);
});

test("nothing is done when the second look finds nothing to do", async () => {
  const { reconciler, kube } = place([{ action: ACT }, {}]);
  assert.equal((await reconciler.reconcile(KEY)).action, "none");
  assert.equal(kube.objects.all(PODS).length, 0);
});

test("a status that somebody else has changed meanwhile stops the pass before anything is done", async () => {
  const { reconciler, kube, events } = place([
    { action: ACT, status: { ...STATUS, nextMemberSerial: 1 }, events: [CREATED] },
  ]);
  kube.faults.once({ verb: "patch", subresource: "status" }, { kind: "refuse", status: 409, reason: "Conflict" });
  await assert.rejects(reconciler.reconcile(KEY), isConflict);
  assert.equal(kube.objects.all(PODS).length, 0);
  assert.deepEqual(events, []);
});

test("what went well is told when it has; what is wrong, in any case", async () => {
  const done = place([{ action: ACT, events: [CREATED, WARNED] }]);
  await done.reconciler.reconcile(KEY);
  assert.deepEqual(
    done.events.map(({ reason }) => reason),
    ["Tried", "Wrong"],
  );
  const refused = place([{ action: ACT, events: [CREATED, WARNED] }]);
  refused.kube.objects.create(PODS, POD);
  const pass = await refused.reconciler.reconcile(KEY);
  assert.match(pass.refused ?? "", /not of this cluster/);
  assert.deepEqual(
    refused.events.map(({ reason }) => reason),
    ["Wrong", "ActionRefused"],
  );
  const failed = place([{ action: ACT, events: [CREATED, WARNED] }]);
  failed.kube.faults.once({ verb: "create" }, { kind: "refuse", status: 403, reason: "Forbidden" });
  await assert.rejects(failed.reconciler.reconcile(KEY));
  assert.deepEqual(
    failed.events.map(({ reason }) => reason),
    ["Wrong", "ActionFailed"],
  );
});

test("numbers that move all the time are no reason to write", async () => {
  const member = {
    name: "example-0",
    serial: 0,
    role: "Leader",
    health: "Healthy",
    healthSince: "2026-01-01T00:00:00Z",
  } as const;
  const status = (raftIndex: number): EtcdClusterStatus => ({ ...STATUS, members: [{ ...member, raftIndex }] });
  const { reconciler, kube, time } = place(
    [{ status: status(1) }, { status: status(2) }, { status: status(3) }],
    status(0),
  );
  const writes = () => kube.calls.filter(({ verb }) => verb === "patch").length;
  await reconciler.reconcile(KEY);
  const first = writes();
  await reconciler.reconcile(KEY);
  assert.equal(writes(), first, "soon after");
  await time.advance(121_000);
  await reconciler.reconcile(KEY);
  assert.equal(writes(), first + 1, "two minutes later");
});

test("a cluster that is not there is no work", async () => {
  const { reconciler } = place([{}]);
  const pass = await reconciler.reconcile({ namespace: "default", name: "other" });
  assert.deepEqual([pass.action, pass.againInMs], ["gone", Number.POSITIVE_INFINITY]);
});

test("while the cluster is not yet born, or something is under way, nothing is decided by the caches", async () => {
  const unborn = place([{}], { observedGeneration: -1 });
  await unborn.reconciler.reconcile(KEY);
  assert.ok(unborn.kube.calls.some(({ verb, resource }) => verb === "list" && resource === PODS));
});

test("what the API server refuses is known to the next pass, until it is taken", async () => {
  const { reconciler, kube, seen } = place([{ action: ACT }]);
  const why = 'pods "example-0" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2';
  for (const [status, reason] of [
    [500, "InternalError"],
    [409, "Conflict"],
    [429, "TooManyRequests"],
  ] as const) {
    kube.faults.once({ verb: "create" }, { kind: "refuse", status, reason });
    await assert.rejects(reconciler.reconcile(KEY));
  }
  await assert.doesNotReject(reconciler.reconcile(KEY), "it is made, and made already the next time");
  assert.deepEqual(
    seen.map(({ refusals }) => refusals),
    seen.map(() => undefined),
    "no other failure says that the object is refused",
  );
  kube.before = ({ verb }) => {
    if (verb === "create") throw new KubeError(why, 403, "Forbidden");
  };
  await assert.rejects(reconciler.reconcile(KEY));
  await assert.rejects(reconciler.reconcile(KEY));
  assert.deepEqual([...(seen.at(-1)?.refusals ?? [])], [["Pod/example-0", why]]);
  kube.before = undefined;
  await reconciler.reconcile(KEY);
  await reconciler.reconcile(KEY);
  assert.equal(seen.at(-1)?.refusals, undefined);
});
