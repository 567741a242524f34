/**
 * A Kubernetes that is fake and runs in real time: API server over HTTP, nodes, Pods whose members answer over gRPC on
 * addresses of this machine. Everything but the operator, which is a process of its own.
 */
import type { EtcdCluster } from "../../../operator/api/etcd-cluster.ts";
import { exampleCluster, exampleSpec } from "../../../operator/api/example.ts";
import {
  BUDGETS,
  CERTIFICATES,
  CLAIMS,
  CLUSTERS,
  CONFIG_MAPS,
  NAMESPACES,
  NODES,
  PODS,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
  STORAGE_CLASSES,
} from "../../../operator/cluster/kinds.ts";
import { EVENTS } from "../../../operator/runtime/events.ts";
import type { KubeObject, Resource } from "../../../operator/runtime/kube.ts";
import { LEASES, type Lease } from "../../../operator/runtime/leader-election.ts";
import { SYSTEM_TIME } from "../../../operator/runtime/system-time.ts";
import { FakeEtcd } from "../fake-etcd.ts";
import { FakeKube } from "../fake-kube.ts";
import { type FakeKubeServer, serveFakeKube } from "../fake-kube-server.ts";
import { FakeKubelet } from "../fake-kubelet.ts";
import { Members } from "./members.ts";

const RESOURCES: readonly Resource[] = [
  BUDGETS,
  CERTIFICATES,
  CLAIMS,
  CLUSTERS,
  CONFIG_MAPS,
  EVENTS,
  LEASES,
  NAMESPACES,
  NODES,
  PODS,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
  STORAGE_CLASSES,
];

export const LEASE = { namespace: "kvorum-system", name: "kvorum-operator" };
const NODE_COUNT = 9;

export interface FakePlaceOptions {
  /** Entries a second that clients add to the log of each cluster. */
  readonly writesPerSecond?: () => number;
}

export class FakePlace {
  readonly kube: FakeKube;
  readonly etcd: FakeEtcd;
  readonly members: Members;
  readonly server: FakeKubeServer;
  readonly #kubelet: FakeKubelet;
  /** When a cluster was first seen Ready, by namespace; milliseconds of `performance.now()`. */
  readonly readyAt = new Map<string, number>();

  static async open(options: FakePlaceOptions = {}): Promise<FakePlace> {
    const kube = new FakeKube({ time: SYSTEM_TIME });
    return new FakePlace(kube, await serveFakeKube(kube, RESOURCES), options);
  }

  private constructor(kube: FakeKube, server: FakeKubeServer, { writesPerSecond = () => 0 }: FakePlaceOptions) {
    this.kube = kube;
    this.server = server;
    const written = counted(writesPerSecond);
    this.etcd = new FakeEtcd({ now: () => Date.now(), written });
    this.members = new Members(this.etcd);
    this.#kubelet = new FakeKubelet(kube, this.etcd, SYSTEM_TIME, network());
    for (let node = 0; node < NODE_COUNT; node++) this.#kubelet.addNode(`node-${node}`, `zone-${node % 3}`);
    this.kube.objects.subscribe(({ type, resource, object }) => {
      if (resource.plural === CLUSTERS.plural) this.#look(object as unknown as EtcdCluster);
      if (resource.plural !== PODS.plural) return;
      const address = (object as KubeObject & { status?: { podIP?: string } }).status?.podIP;
      if (address === undefined) return;
      if (type === "DELETED") this.members.close(address);
      else void this.members.open(address);
    });
    this.#kubelet.start();
  }

  /** One cluster of three members for each namespace. */
  create(namespace: string, name = "main"): void {
    const { metadata: _metadata, status, ...rest } = exampleCluster({ spec: exampleSpec() });
    this.kube.objects.create(CLUSTERS, { ...rest, metadata: { namespace, name } } as unknown as KubeObject);
    this.kube.objects.patch(CLUSTERS, { namespace, name }, { status }, { subresource: "status" });
  }

  /** Who holds the Lease; nothing when nobody does. */
  get holder(): string | undefined {
    return (this.kube.objects.get(LEASES, LEASE) as Lease | undefined)?.spec?.holderIdentity || undefined;
  }

  count(resource: Resource): number {
    return this.kube.objects.all(resource).length;
  }

  deletePod(namespace: string, name: string): void {
    this.kube.objects.delete(PODS, { namespace, name }, {});
  }

  /** uid of a Pod that is ready; nothing otherwise. */
  readyPod(namespace: string, name: string): string | undefined {
    const pod = this.kube.objects.get(PODS, { namespace, name }) as
      | (KubeObject & { status?: { conditions?: readonly { type: string; status: string }[] } })
      | undefined;
    const isReady = pod?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
    return isReady ? pod?.metadata.uid : undefined;
  }

  async close(): Promise<void> {
    this.#kubelet.stop();
    this.members.closeAll();
    await this.server.close();
  }

  #look({ metadata: { namespace }, status }: EtcdCluster): void {
    const isReady = status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true;
    if (!isReady) this.readyAt.delete(namespace);
    else if (!this.readyAt.has(namespace)) this.readyAt.set(namespace, performance.now());
  }
}

/** One of many, so that two runs at once do not meet. */
function network(): string {
  return `127.${16 + Math.floor(Math.random() * 200)}`;
}

/** How many entries there are by now, at a rate that may change. */
function counted(perSecond: () => number): () => number {
  let [at, sum] = [performance.now(), 0];
  return () => {
    const now = performance.now();
    sum += ((now - at) / 1000) * perSecond();
    at = now;
    return Math.floor(sum);
  };
}
