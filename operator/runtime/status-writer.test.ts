import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeKube } from "../../test/operator/fake-kube.ts";
import { VirtualTime } from "../../test/operator/virtual-time.ts";
import { isConflict, type KubeObject, type Resource } from "./kube.ts";
import { StatusWriter } from "./status-writer.ts";

const CLUSTERS: Resource = {
  group: "kvorum.dev",
  version: "v1alpha1",
  plural: "etcdclusters",
  kind: "EtcdCluster",
  isNamespaced: true,
};

interface Cluster extends KubeObject {
  readonly status?: Readonly<Record<string, unknown>>;
}

async function opened() {
  const time = new VirtualTime();
  const fake = new FakeKube({ time });
  const writer = new StatusWriter({ kube: fake, time, resource: CLUSTERS, volatile: ["raftIndex", "dbSize"] });
  const metadata = { name: "a", namespace: "n" };
  const cluster = (await fake.create(CLUSTERS, {
    apiVersion: "kvorum.dev/v1alpha1",
    kind: "EtcdCluster",
    metadata,
  })) as Cluster;
  fake.calls.length = 0;
  return { time, fake, writer, cluster };
}

function condition(type: string, status: string): object {
  return { type, status, reason: "R", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" };
}

async function written(writer: StatusWriter, cluster: Cluster, status: object): Promise<Cluster> {
  const outcome = await writer.write(cluster, status);
  assert.ok(outcome.kind === "written", outcome.kind);
  return outcome.object;
}

describe("StatusWriter", () => {
  it("writes what is different, to the status alone, and takes away what is gone", async () => {
    const { time, fake, writer, cluster } = await opened();
    const first = await written(writer, cluster, { phase: "Pending", leader: "a-0" });
    assert.deepEqual(first.status, { phase: "Pending", leader: "a-0" });
    await time.advance(5000);
    const second = await written(writer, first, { phase: "Running" });
    assert.deepEqual(second.status, { phase: "Running" });
    assert.deepEqual(
      fake.calls.map(({ verb, subresource }) => [verb, subresource]),
      [
        ["patch", "status"],
        ["patch", "status"],
      ],
    );
  });

  it("writes nothing when nothing is different", async () => {
    const { fake, writer, cluster } = await opened();
    const now = await written(writer, cluster, { a: { b: 1 }, c: [1] });
    assert.deepEqual(await writer.write(now, { c: [1], a: { b: 1 }, d: undefined }), { kind: "equal" });
    assert.equal(fake.calls.length, 1);
  });

  it("writes at most every 5 s, but a change of a condition at once", async () => {
    const { time, writer, cluster } = await opened();
    const first = await written(writer, cluster, { n: 1, conditions: [condition("Ready", "False")] });
    await time.advance(2000);
    const second = { n: 2, conditions: [condition("Ready", "False")] };
    assert.deepEqual(await writer.write(first, second), { kind: "later", againInMs: 3000 });
    const ready = await written(writer, first, { n: 2, conditions: [condition("Ready", "True")] });
    await time.advance(5000);
    await written(writer, ready, { n: 3, conditions: [condition("Ready", "True")] });
  });

  it("writes numbers that always move once a minute", async () => {
    const { time, writer, cluster } = await opened();
    const first = await written(writer, cluster, { members: [{ name: "a-0", raftIndex: 1 }] });
    await time.advance(20_000);
    const moved = { members: [{ name: "a-0", raftIndex: 2 }] };
    assert.deepEqual(await writer.write(first, moved), { kind: "later", againInMs: 40_000 });
    await time.advance(40_000);
    await written(writer, first, moved);
  });

  it("a status made from an old version is a conflict, and is not written", async () => {
    const { fake, writer, cluster } = await opened();
    fake.objects.patch(CLUSTERS, cluster.metadata, { spec: { replicas: 5 } });
    await assert.rejects(writer.write(cluster, { phase: "Running" }), isConflict);
    assert.equal((fake.objects.get(CLUSTERS, cluster.metadata) as Cluster).status, undefined);
  });
});
