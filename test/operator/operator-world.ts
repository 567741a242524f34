/**
 * A whole operator on a fake Kubernetes and fake etcd, under virtual time. What a test does is what people and machines
 * do; what it looks at is what they could see.
 */
import assert from "node:assert/strict";
import type { EtcdCluster, EtcdClusterSpec } from "../../operator/api/etcd-cluster.ts";
import { exampleCluster, exampleSpec } from "../../operator/api/example.ts";
import { Operator } from "../../operator/cli/operator.ts";
import { CLAIMS, CLUSTERS, PODS } from "../../operator/cluster/kinds.ts";
import type { PlanOf } from "../../operator/cluster/reconcile.ts";
import type { ClusterEvent } from "../../operator/cluster/world.ts";
import type { KubeObject } from "../../operator/runtime/kube.ts";
import { FakeEtcd } from "./fake-etcd.ts";
import { FakeKube } from "./fake-kube.ts";
import { FakeKubelet } from "./fake-kubelet.ts";
import { Life, mortalEtcd, mortalKube } from "./mortal.ts";
import { VirtualTime } from "./virtual-time.ts";

const NAMESPACE = "default";
export const NAME = "example";
const KEY = { namespace: NAMESPACE, name: NAME };
const NODES = ["node-1", "node-2", "node-3", "node-4", "node-5", "node-6"];
/** Looks of a test lie so far apart. */
const LOOK_MS = 1000;

export class OperatorWorld {
  readonly time = new VirtualTime();
  readonly kube = new FakeKube({ time: this.time });
  readonly etcd = new FakeEtcd({ now: () => this.time.now() });
  readonly kubelet = new FakeKubelet(this.kube, this.etcd, this.time);
  readonly events: ClusterEvent[] = [];
  /** "Pod NAME" and "PersistentVolumeClaim NAME" of everything that was ever made. */
  readonly created: string[] = [];
  /** Lines of the log that are worth a person's look. */
  readonly complaints: string[] = [];
  #life: Life | undefined;

  constructor() {
    for (const node of NODES) this.kubelet.addNode(node);
    this.kube.objects.subscribe(({ type, resource, object }) => {
      if (type === "ADDED" && (resource === PODS || resource === CLAIMS))
        this.created.push(`${resource.kind} ${object.metadata.name}`);
    });
    this.kubelet.start();
  }

  /** Starts an operator that ends after so many calls; one that runs is dead from now on. `plan`: absent, its own. */
  async startOperator(life = new Life(), plan?: PlanOf): Promise<Operator> {
    this.#life?.end();
    this.#life = life;
    const operator = new Operator({
      kube: mortalKube(this.kube, life),
      etcd: mortalEtcd(this.etcd, life),
      events: {
        emit: (_about, event) => {
          if (!life.isOver) this.events.push(event);
        },
      },
      time: this.time,
      log: (level, message, fields) => {
        if (level === "error" || level === "warn") this.complaints.push(`${message} ${JSON.stringify(fields)}`);
      },
      defaults: { serverImage: "kvorum-server" },
      namespaces: [],
      concurrency: 2,
      lost: () => undefined,
      ...(plan === undefined ? {} : { plan }),
    });
    const started = operator.start();
    // One that dies while it starts never gets there.
    await Promise.race([started, this.#ended(life)]);
    return operator;
  }

  #ended(life: Life): Promise<void> {
    if (life.isOver) return Promise.resolve();
    return new Promise((resolve) => life.signal.addEventListener("abort", () => resolve(), { once: true }));
  }

  apply(spec: Partial<EtcdClusterSpec> = {}): void {
    const { metadata, ...rest } = exampleCluster({ spec: exampleSpec(spec) });
    const {
      uid: _uid,
      resourceVersion: _version,
      creationTimestamp: _time,
      generation: _generation,
      ...given
    } = metadata;
    const object = { ...rest, metadata: { ...given, ...KEY } };
    this.kube.objects.create(CLUSTERS, object as unknown as KubeObject);
    this.kube.objects.patch(CLUSTERS, KEY, { status: { observedGeneration: -1 } }, { subresource: "status" });
  }

  change(spec: object): void {
    this.kube.objects.patch(CLUSTERS, KEY, { spec });
  }

  get cluster(): EtcdCluster {
    const found = this.kube.objects.get(CLUSTERS, KEY);
    assert.ok(found !== undefined, "the cluster is there");
    return found as unknown as EtcdCluster;
  }

  get isGone(): boolean {
    return this.kube.objects.get(CLUSTERS, KEY) === undefined;
  }

  deleteCluster(): void {
    this.kube.objects.delete(CLUSTERS, KEY, {});
  }

  names(resource: typeof PODS): string[] {
    return this.kube.objects.all(resource).map(({ metadata }) => metadata.name);
  }

  deletePod(name: string): void {
    this.kube.objects.delete(PODS, { ...KEY, name }, {});
  }

  condition(type: string): string | undefined {
    const found = this.cluster.status?.conditions?.find((condition) => condition.type === type);
    return found === undefined ? undefined : `${found.status} ${found.reason}: ${found.message}`;
  }

  isReady(replicas: number): boolean {
    const { status, metadata } = this.cluster;
    const ready = status?.conditions?.find(({ type }) => type === "Ready");
    return (
      status?.observedGeneration === metadata.generation &&
      ready?.status === "True" &&
      status.readyReplicas === replicas &&
      this.names(PODS).length === replicas
    );
  }

  /** Lets time pass until it is so; fails with what is there instead. Milliseconds that it took. */
  async until(what: string, isSo: () => boolean, limitMs = 600_000): Promise<number> {
    const start = this.time.monotonic();
    while (!isSo()) {
      if (this.time.monotonic() - start > limitMs)
        assert.fail(`not within ${limitMs / 1000} s: ${what}\n${this.picture}`);
      await this.time.advance(LOOK_MS);
    }
    return this.time.monotonic() - start;
  }

  untilReady(replicas = 3, limitMs?: number): Promise<number> {
    return this.until(`${replicas} members are ready`, () => this.isReady(replicas), limitMs);
  }

  /**
   * Disks and members that were made more than once. A Pod may be: the one that forms the cluster is made once more as
   * soon as it has, and one that was told of members who are no more is told anew.
   */
  get madeTwice(): readonly string[] {
    const disks = this.created.filter((name) => name.startsWith(CLAIMS.kind));
    const made = [...disks, ...this.etcd.changes.filter((what) => what.startsWith("add "))];
    return made.filter((name, index) => made.indexOf(name) !== index);
  }

  /** For the message of a failed test. */
  get picture(): string {
    return [
      `status: ${JSON.stringify(this.isGone ? "gone" : this.cluster.status, undefined, 1)}`,
      `Pods: ${JSON.stringify(this.kube.objects.all(PODS).map(({ metadata, ...pod }) => [metadata.name, metadata.labels, metadata.deletionTimestamp, (pod as { status?: unknown }).status]))}`,
      `claims: ${JSON.stringify(this.kube.objects.all(CLAIMS).map(({ metadata }) => [metadata.name, metadata.annotations]))}`,
      `changes of etcd: ${this.etcd.changes.join(", ")}`,
      `events: ${this.events
        .map(({ reason, message }) => `${reason}: ${message}`)
        .slice(-10)
        .join("\n  ")}`,
      `complaints: ${this.complaints.slice(-10).join("\n  ")}`,
    ].join("\n");
  }
}
