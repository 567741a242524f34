/** Every action on a fake API server and fake etcd: done once however often it is tried, and never to somebody else's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeEtcd } from "../../test/operator/fake-etcd.ts";
import { FakeKube } from "../../test/operator/fake-kube.ts";
import { VirtualTime } from "../../test/operator/virtual-time.ts";
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import { exampleCluster } from "../api/example.ts";
import { ANNOTATIONS, FINALIZER, LABELS } from "../api/names.ts";
import { EtcdRefusal } from "../etcd/etcd-admin.ts";
import type { Action, Desired } from "../plan/action.ts";
import { readAcceptedSpec } from "../resources/accepted-spec.ts";
import { volumeClaim } from "../resources/volume-claim.ts";
import type { KubeObject } from "../runtime/kube.ts";
import { act } from "./act.ts";
import type { Acting } from "./acted.ts";
import { clusterBuilders } from "./builders.ts";
import { CLAIMS, CLUSTERS, CONFIG_MAPS, PODS, SECRETS, SERVICES } from "./kinds.ts";

const KEY = { namespace: "default", name: "example" };
const builders = clusterBuilders({ serverImage: "kvorum-server" });

interface Place {
  readonly kube: FakeKube;
  readonly etcd: FakeEtcd;
  readonly acting: Acting;
  /** Reads the cluster again, as the next pass would. */
  again(): Acting;
  leaseLeftMs: number;
}

function place(): Place {
  const time = new VirtualTime();
  const kube = new FakeKube({ time });
  const etcd = new FakeEtcd({ now: () => time.now(), catchUpMs: 0 });
  const { metadata, ...rest } = exampleCluster();
  const { uid: _uid, resourceVersion: _version, creationTimestamp: _at, generation: _generation, ...given } = metadata;
  kube.objects.create(CLUSTERS, { ...rest, metadata: given } as unknown as KubeObject);
  const made = {
    kube,
    etcd,
    leaseLeftMs: 20_000,
    again: (): Acting => ({
      world: {
        kube,
        etcd,
        time,
        events: { emit: () => undefined },
        log: () => undefined,
        leaseLeftMs: () => made.leaseLeftMs,
        caches: { ofCluster: () => undefined, get: () => undefined, watches: () => false },
      },
      cluster: kube.objects.get(CLUSTERS, KEY) as unknown as EtcdCluster,
      endpoints: new Map([["example-0", { url: "http://10.0.0.1:2379" }]]),
      certificates: {
        secrets: new Map(),
        seen: {
          cluster: kube.objects.get(CLUSTERS, KEY) as unknown as EtcdCluster,
          secrets: new Map(),
          maps: new Map(),
          members: [],
          now: time.now(),
        },
      },
    }),
    get acting(): Acting {
      return made.again();
    },
  };
  return made;
}

/** Does it twice; both must be done. */
async function twice({ again }: Place, action: Action): Promise<void> {
  assert.deepEqual(await act(again(), action), { result: "done" }, `${action.kind}, the first time`);
  assert.deepEqual(await act(again(), action), { result: "done" }, `${action.kind}, the second time`);
}

const claim = (cluster: EtcdCluster): Desired =>
  volumeClaim(cluster, { member: "example-0", state: "initializing", clusterId: undefined }) as Desired;

test("a claim is made once, marked, grown and deleted, by its uid", async () => {
  const world = place();
  await twice(world, { kind: "create-claim", member: "example-0", object: claim(world.acting.cluster) });
  const found = () => world.kube.objects.get(CLAIMS, { ...KEY, name: "data-example-0" });
  const uid = found()?.metadata.uid as string;
  await twice(world, {
    kind: "mark-claim",
    claim: "data-example-0",
    uid,
    marks: { state: "ready", clusterId: "00000000000000ab" },
  });
  assert.equal(found()?.metadata.annotations?.[ANNOTATIONS.state], "ready");
  assert.equal(found()?.metadata.annotations?.[ANNOTATIONS.clusterId], "00000000000000ab");
  await twice(world, { kind: "grow-claim", claim: "data-example-0", uid, size: "3Gi" });
  assert.deepEqual((found() as unknown as { spec: { resources: unknown } }).spec.resources, {
    requests: { storage: "3Gi" },
  });
  await assert.rejects(
    act(world.acting, { kind: "mark-claim", claim: "data-example-0", uid: "other", marks: { state: "retired" } }),
  );
  assert.deepEqual(await act(world.acting, { kind: "delete-claim", claim: "data-example-0", uid: "other" }), {
    result: "done",
  });
  assert.ok(found() !== undefined, "one of another uid stays");
  await twice(world, { kind: "delete-claim", claim: "data-example-0", uid });
  assert.equal(found(), undefined);
});

test("a claim of somebody else is neither taken nor deleted", async () => {
  const world = place();
  const { metadata } = claim(world.acting.cluster) as unknown as KubeObject;
  const annotations = { [ANNOTATIONS.clusterUid]: "another" };
  const object = { ...claim(world.acting.cluster), metadata: { ...metadata, annotations } } as unknown as KubeObject;
  const { uid } = world.kube.objects.create(CLAIMS, object).metadata;
  const made = await act(world.acting, {
    kind: "create-claim",
    member: "example-0",
    object: claim(world.acting.cluster),
  });
  assert.equal(made.result, "refused");
  const deleted = await act(world.acting, { kind: "delete-claim", claim: "data-example-0", uid: uid as string });
  assert.equal(deleted.result, "refused");
});

test("a Pod is made once, marked, and deleted by its uid; never by force unless told", async () => {
  const world = place();
  const object = builders.pod(world.acting.cluster, {
    member: "example-0",
    start: "new",
    expectsData: false,
    initialCluster: [{ name: "example-0", peerUrl: "http://example-0.example-peers.default.svc:2380" }],
    token: "t",
    memberId: undefined,
    role: undefined,
    certificateHash: undefined,
  });
  await twice(world, { kind: "create-pod", member: "example-0", object });
  const found = () => world.kube.objects.get(PODS, { ...KEY, name: "example-0" });
  const uid = found()?.metadata.uid as string;
  await twice(world, {
    kind: "mark-pod",
    pod: "example-0",
    uid,
    marks: { role: "voter", memberId: "00000000000000cd" },
  });
  assert.equal(found()?.metadata.labels?.[LABELS.role], "voter");
  await twice(world, { kind: "mark-pod", pod: "example-0", uid, marks: { dropsRole: true } });
  assert.equal(found()?.metadata.labels?.[LABELS.role], undefined);
  assert.equal(found()?.metadata.annotations?.[ANNOTATIONS.memberId], "00000000000000cd");
  world.kube.change(PODS, { ...KEY, name: "example-0" }, (pod) => ({
    ...pod,
    spec: { ...(pod as { spec?: object }).spec, nodeName: "n" },
  }));
  await twice(world, { kind: "delete-pod", pod: "example-0", uid, why: "a test" });
  assert.ok(found()?.metadata.deletionTimestamp !== undefined, "its kubelet is waited for");
  const recreated = await act(world.acting, { kind: "create-pod", member: "example-0", object });
  assert.equal(recreated.result, "refused", "while the old one is going");
  await twice(world, { kind: "delete-pod", pod: "example-0", uid, why: "a test", isForced: true });
  assert.equal(found(), undefined);
});

test("children are applied whole, and those of somebody else are left", async () => {
  const world = place();
  const [service] = builders.children(world.acting.cluster) as readonly [Desired];
  await twice(world, { kind: "apply-child", object: service });
  const key = { ...KEY, name: service.metadata.name };
  const uid = world.kube.objects.get(SERVICES, key)?.metadata.uid as string;
  await twice(world, { kind: "delete-child", child: `Service/${service.metadata.name}`, uid });
  assert.equal(world.kube.objects.get(SERVICES, key), undefined);
  world.kube.objects.create(SERVICES, { apiVersion: "v1", kind: "Service", metadata: { ...key } });
  const taken = await act(world.acting, { kind: "apply-child", object: service });
  assert.match(taken.result === "refused" ? taken.why : "", /not of this cluster/);
});

test("the finalizer comes and goes beside those of others, and the accepted spec can be read back", async () => {
  const world = place();
  world.kube.objects.patch(CLUSTERS, KEY, { metadata: { finalizers: ["others.example/x"] } });
  await twice(world, { kind: "add-finalizer" });
  assert.deepEqual(world.acting.cluster.metadata.finalizers, ["others.example/x", FINALIZER]);
  await twice(world, { kind: "drop-finalizer" });
  assert.deepEqual(world.acting.cluster.metadata.finalizers, ["others.example/x"]);
  const { spec } = world.acting.cluster;
  await twice(world, { kind: "accept-spec", spec });
  const record = world.kube.objects.get(CONFIG_MAPS, { ...KEY, name: "example-accepted-spec" }) as KubeObject & {
    data: unknown;
  };
  assert.deepEqual(readAcceptedSpec(record), spec);
});

function bootstrapped(): Place {
  const world = place();
  world.etcd.start({
    host: "10.0.0.1",
    name: "example-0",
    peerUrl: "http://a:2380",
    initialCluster: new Map([["example-0", "http://a:2380"]]),
    state: "new",
    token: "t",
    expectsData: false,
    disk: "a",
  });
  return world;
}

test("members are added, promoted and removed once", async () => {
  const world = bootstrapped();
  const [via, peerUrl] = ["example-0", "http://b:2380"];
  await twice(world, { kind: "add-learner", member: "example-1", peerUrl, via });
  const { members } = await world.etcd.members({ url: "http://10.0.0.1:2379" }, 1);
  assert.equal(members.length, 2);
  const memberId = members.find(({ isLearner }) => isLearner)?.id as string;
  const early = await act(world.acting, { kind: "promote", member: "example-1", memberId, via });
  assert.match(early.result === "refused" ? early.why : "", /in sync with leader/);
  await twice(world, { kind: "remove-member", member: "example-1", memberId, via });
  assert.equal((await world.etcd.members({ url: "http://10.0.0.1:2379" }, 1)).members.length, 1);
});

test("no member is asked for a change when another operator may soon be leading", async () => {
  const world = bootstrapped();
  const before = [...world.etcd.changes];
  for (const left of [0, 3000, 6999]) {
    world.leaseLeftMs = left;
    const acted = await act(world.acting, {
      kind: "add-learner",
      member: "x",
      peerUrl: "http://x:2380",
      via: "example-0",
    });
    assert.match(acted.result === "refused" ? acted.why : "", /leading/, String(left));
  }
  assert.deepEqual(world.etcd.changes, before);
  world.leaseLeftMs = 7000;
  await twice(world, { kind: "add-learner", member: "x", peerUrl: "http://x:2380", via: "example-0" });
});

test("a member that is not there is no reason to ask another one", async () => {
  const world = bootstrapped();
  const acted = await act(world.acting, {
    kind: "remove-member",
    member: "x",
    memberId: "00000000000000ab",
    via: "example-9",
  });
  assert.match(acted.result === "refused" ? acted.why : "", /"example-9" cannot be reached/);
});

test("what nobody knows the end of is an error, and not taken for done", async () => {
  const world = bootstrapped();
  world.etcd.silence("10.0.0.1", true);
  await assert.rejects(
    act(world.acting, { kind: "add-learner", member: "x", peerUrl: "http://x:2380", via: "example-0" }),
    (error) => error instanceof EtcdRefusal && error.kind === "unknown",
  );
});

test("an operator's own authority and what it signs are written in turn, and not over somebody else's Secret", async () => {
  const world = place();
  const tls = { client: { mode: "Mutual" }, peer: { mode: "Mutual" } };
  world.kube.objects.patch(CLUSTERS, KEY, { spec: { tls } });
  const seen = () => {
    const acting = world.again();
    const secrets = new Map(world.kube.objects.all(SECRETS).map((secret) => [secret.metadata.name, secret]));
    const texts = new Map(
      [...secrets].map(([name, secret]) => [
        name,
        new Map(
          Object.entries((secret as { data?: Record<string, string> }).data ?? {}).map(([key, text]) => [
            key,
            Buffer.from(text, "base64").toString(),
          ]),
        ),
      ]),
    );
    return { ...acting, certificates: { secrets, seen: { ...acting.certificates.seen, secrets: texts } } };
  };
  const names = builders.secrets(world.acting.cluster).map(({ name }) => name);
  const issue: Action = { kind: "issue-certificates", secrets: names };
  for (let round = 0; round < 3; round++) await act(seen(), issue);
  assert.deepEqual(
    world.kube.objects
      .all(SECRETS)
      .map(({ metadata }) => metadata.name)
      .sort(),
    [...names].sort(),
  );
  const before = JSON.stringify(world.kube.objects.all(SECRETS));
  assert.equal((await act(seen(), issue)).result, "refused", "nothing is due");
  assert.equal(JSON.stringify(world.kube.objects.all(SECRETS)), before);
});
