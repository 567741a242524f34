/**
 * What happens to objects in a fake Kubernetes by itself: Pods get a node and run what their flags say on a fake etcd,
 * claims are bound, budgets are counted. It looks at everything a few times a second of virtual time.
 *
 *   const kubelet = new FakeKubelet(fake, etcd, time);
 *   kubelet.start();
 *   kubelet.addNode("node-1");
 *   kubelet.failNode("node-1");          // its members are silent, and nothing that was asked of it happens any more
 *   kubelet.refuse = (pod) => "ImagePullBackOff" | undefined;
 *
 * Pods get addresses of 10.0.0.0/8, or where their members really listen of what `network` says.
 */
import { isDeepStrictEqual } from "node:util";
import { PORTS } from "../../operator/api/names.ts";
import { BUDGETS, CLAIMS, NODES, PODS } from "../../operator/cluster/kinds.ts";
import type { KubeObject } from "../../operator/runtime/kube.ts";
import { type Time, timestamp } from "../../operator/runtime/time.ts";
import type { FakeEtcd } from "./fake-etcd.ts";
import type { FakeKube } from "./fake-kube.ts";
import { matchesLabels } from "./fake-selectors.ts";

const TICK_MS = 500;
/** After a container has ended. */
const RESTART_MS = 5000;
/** After a node has fallen silent. */
const EVICTED_AFTER_MS = 300_000;

interface PodJson extends KubeObject {
  readonly spec: {
    readonly nodeName?: string;
    readonly containers: readonly { readonly name: string; readonly image: string; readonly args: readonly string[] }[];
    readonly volumes?: readonly {
      readonly name: string;
      readonly persistentVolumeClaim?: { readonly claimName: string };
    }[];
  };
  readonly status?: { readonly phase?: string; readonly podIP?: string };
}

interface BudgetJson extends KubeObject {
  readonly spec: {
    readonly minAvailable: number;
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
  };
  readonly status?: unknown;
}

/** What runs, or does not, for one Pod. */
interface Running {
  readonly host: string;
  restarts: number;
  exitCode: number | undefined;
  restartAt: number;
  readySince: number | undefined;
}

export class FakeKubelet {
  readonly #kube: FakeKube;
  readonly #etcd: FakeEtcd;
  readonly #time: Time;
  readonly #running = new Map<string, Running>();
  readonly #failedNodes = new Set<string>();
  readonly #network: string;
  #addresses = 0;
  #isStopped = false;
  /** Why a Pod's container does not start, as a waiting container's reason. */
  refuse: (pod: KubeObject) => string | undefined = () => undefined;

  /** `network`: the first of an address's four numbers, or the first two: "127.31". */
  constructor(kube: FakeKube, etcd: FakeEtcd, time: Time, network = "10") {
    this.#kube = kube;
    this.#etcd = etcd;
    this.#time = time;
    this.#network = network;
  }

  start(): void {
    const tick = () => {
      if (this.#isStopped) return;
      this.sync();
      this.#time.after(TICK_MS, tick);
    };
    tick();
  }

  stop(): void {
    this.#isStopped = true;
  }

  addNode(name: string, zone = name): void {
    this.#kube.objects.create(NODES, {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name, labels: { "topology.kubernetes.io/zone": zone } },
    });
    this.#setNode(name, "True");
  }

  /** The machine is dead: its members are silent, its Pods stay as they are, and the API server learns of it. */
  failNode(name: string): void {
    this.#failedNodes.add(name);
    this.#setNode(name, "Unknown");
    for (const pod of this.#pods()) {
      const running = this.#running.get(pod.metadata.uid ?? "");
      if (pod.spec.nodeName !== name || running === undefined) continue;
      this.#etcd.silence(running.host, true);
      running.readySince = undefined;
      this.#tell(pod, running);
      // Nobody tolerates it for longer; the Pod then stays terminating, as its kubelet does not answer.
      this.#time.after(EVICTED_AFTER_MS, () => {
        if (this.#kube.objects.get(PODS, keyOf(pod))?.metadata.uid === pod.metadata.uid)
          this.#kube.objects.delete(PODS, keyOf(pod), {});
      });
    }
  }

  /** The address of a Pod that runs. */
  hostOf(pod: string): string | undefined {
    const found = this.#pods().find(({ metadata }) => metadata.name === pod);
    return this.#running.get(found?.metadata.uid ?? "")?.host;
  }

  /** One look at everything. */
  sync(): void {
    this.#bindClaims();
    const pods = this.#pods();
    this.#endGone(pods);
    for (const pod of pods) this.#syncPod(pod);
    const left = this.#pods();
    for (const pod of left) this.#tellReady(pod);
    this.#countBudgets(left);
  }

  #pods(): readonly PodJson[] {
    return this.#kube.objects.all(PODS) as readonly PodJson[];
  }

  #endGone(pods: readonly PodJson[]): void {
    const uids = new Set(pods.map(({ metadata }) => metadata.uid));
    for (const [uid, { host }] of this.#running) {
      if (uids.has(uid)) continue;
      this.#etcd.stop(host);
      this.#running.delete(uid);
    }
  }

  #syncPod(pod: PodJson): void {
    const { nodeName } = pod.spec;
    if (nodeName !== undefined && this.#failedNodes.has(nodeName)) return;
    if (pod.metadata.deletionTimestamp !== undefined) this.#end(pod);
    else if (nodeName === undefined) this.#schedule(pod);
    else this.#turn(pod);
  }

  #turn(pod: PodJson): void {
    const reason = this.refuse(pod);
    const running = this.#running.get(pod.metadata.uid ?? "");
    if (running === undefined) {
      if (reason === undefined) this.#startContainer(pod);
      else this.#tell(pod, undefined, reason);
      return;
    }
    if (running.exitCode === undefined && !this.#etcd.isRunning(running.host)) this.#ended(pod, running, 1);
    if (running.exitCode !== undefined && this.#time.now() >= running.restartAt) this.#restart(pod, running);
  }

  #schedule(pod: PodJson): void {
    const claim = claimOf(pod);
    if (claim !== undefined && this.#kube.objects.get(CLAIMS, { ...keyOf(pod), name: claim }) === undefined) return;
    const taken = this.#pods().map(({ spec }) => spec.nodeName);
    const free = this.#kube.objects
      .all(NODES)
      .map(({ metadata }) => metadata.name)
      .filter((name) => !this.#failedNodes.has(name))
      .sort((left, right) => count(taken, left) - count(taken, right));
    const [nodeName] = free;
    if (nodeName === undefined) return;
    this.#kube.change(PODS, keyOf(pod), (object) => ({
      ...object,
      spec: { ...(object as PodJson).spec, nodeName },
      status: {
        phase: "Pending",
        conditions: [{ type: "PodScheduled", status: "True", lastTransitionTime: this.#now() }],
      },
    }));
  }

  #startContainer(pod: PodJson): void {
    const host = addressIn(this.#network, ++this.#addresses);
    const running: Running = { host, restarts: 0, exitCode: undefined, restartAt: 0, readySince: undefined };
    this.#running.set(pod.metadata.uid ?? "", running);
    this.#restart(pod, running);
  }

  #restart(pod: PodJson, running: Running): void {
    if (running.exitCode !== undefined) running.restarts++;
    running.exitCode = undefined;
    const started = this.#etcd.start({ host: running.host, disk: this.#diskOf(pod), ...startOf(pod) });
    if (started.isRunning) this.#tell(pod, running);
    else this.#ended(pod, running, started.exitCode);
  }

  /** A claim that was made anew under an old name is another disk. */
  #diskOf(pod: PodJson): string {
    const name = claimOf(pod);
    if (name === undefined) return `Pod ${pod.metadata.uid}`;
    return `claim ${this.#kube.objects.get(CLAIMS, { ...keyOf(pod), name })?.metadata.uid}`;
  }

  #ended(pod: PodJson, running: Running, exitCode: number): void {
    running.exitCode = exitCode;
    running.readySince = undefined;
    running.restartAt = this.#time.now() + RESTART_MS;
    this.#tell(pod, running);
  }

  /** Between the signal and the end a tick passes. */
  #end(pod: PodJson): void {
    const running = this.#running.get(pod.metadata.uid ?? "");
    if (running !== undefined) this.#etcd.stop(running.host);
    this.#running.delete(pod.metadata.uid ?? "");
    this.#kube.objects.finish(PODS, keyOf(pod));
  }

  #tellReady(pod: PodJson): void {
    const running = this.#running.get(pod.metadata.uid ?? "");
    if (running === undefined || running.exitCode !== undefined) return;
    if (pod.spec.nodeName !== undefined && this.#failedNodes.has(pod.spec.nodeName)) return;
    const isReady = this.#etcd.isReady(running.host);
    if (isReady === (running.readySince !== undefined)) return;
    running.readySince = isReady ? this.#time.now() : undefined;
    this.#tell(pod, running);
  }

  #tell(pod: PodJson, running: Running | undefined, waiting?: string): void {
    const isRunning = running !== undefined && running.exitCode === undefined;
    const readyAt = running?.readySince === undefined ? this.#now() : timestamp(running.readySince);
    const status = {
      phase: running === undefined ? "Pending" : "Running",
      ...(running === undefined ? {} : { podIP: running.host }),
      conditions: [
        { type: "PodScheduled", status: "True", lastTransitionTime: pod.metadata.creationTimestamp },
        { type: "Ready", status: running?.readySince === undefined ? "False" : "True", lastTransitionTime: readyAt },
      ],
      containerStatuses: [
        {
          name: pod.spec.containers[0]?.name,
          restartCount: running?.restarts ?? 0,
          state: isRunning
            ? { running: { startedAt: this.#now() } }
            : { waiting: { reason: waiting ?? "CrashLoopBackOff", message: "" } },
          lastState:
            running?.exitCode === undefined ? {} : { terminated: { exitCode: running.exitCode, reason: "Error" } },
        },
      ],
    };
    this.#kube.objects.patch(PODS, keyOf(pod), { status }, { subresource: "status" });
  }

  #bindClaims(): void {
    for (const claim of this.#kube.objects.all(CLAIMS)) {
      const { spec, status } = claim as KubeObject & {
        spec: { resources: { requests: { storage: string } } };
        status?: { phase?: string; capacity?: { storage?: string } };
      };
      const { storage } = spec.resources.requests;
      if (status?.phase === "Bound" && status.capacity?.storage === storage) continue;
      const bound = { status: { phase: "Bound", capacity: { storage } } };
      this.#kube.objects.patch(CLAIMS, keyOf(claim), bound, { subresource: "status" });
    }
  }

  #countBudgets(pods: readonly PodJson[]): void {
    for (const object of this.#kube.objects.all(BUDGETS)) {
      const { spec, metadata, status: before } = object as BudgetJson;
      const selector = Object.entries(spec.selector.matchLabels).map(([key, value]) => `${key}=${value}`);
      const healthy = pods.filter(
        (pod) =>
          pod.metadata.namespace === metadata.namespace &&
          matchesLabels(selector.join(), pod.metadata.labels) &&
          this.#running.get(pod.metadata.uid ?? "")?.readySince !== undefined,
      );
      const status = {
        observedGeneration: metadata.generation,
        currentHealthy: healthy.length,
        disruptionsAllowed: Math.max(0, healthy.length - spec.minAvailable),
      };
      if (isDeepStrictEqual(before, status)) continue;
      this.#kube.objects.patch(BUDGETS, keyOf(object), { status }, { subresource: "status" });
    }
  }

  #setNode(name: string, ready: string): void {
    const status = { conditions: [{ type: "Ready", status: ready, lastTransitionTime: this.#now() }] };
    this.#kube.objects.patch(NODES, { name }, { status }, { subresource: "status" });
  }

  #now(): string {
    return timestamp(this.#time.now());
  }
}

/** What the flags of the member's container say. */
function startOf(pod: PodJson) {
  const [container] = pod.spec.containers;
  const flags = new Map(
    (container?.args ?? []).map((text) => /^--([^=]+)=(.*)$/s.exec(text)?.slice(1) as [string, string]),
  );
  const flag = (name: string): string => {
    const value = flags.get(name);
    if (value === undefined) throw new Error(`Pod "${pod.metadata.name}" has no --${name}`);
    return value;
  };
  const initial = flag("initial-cluster")
    .split(",")
    .map((text) => text.split("=") as [string, string]);
  if (new URL(flag("advertise-client-urls")).port !== String(PORTS.client))
    throw new Error("an unexpected client port");
  return {
    name: flag("name"),
    peerUrl: flag("initial-advertise-peer-urls"),
    initialCluster: new Map(initial),
    state: flag("initial-cluster-state") as "new" | "existing",
    token: flag("initial-cluster-token"),
    expectsData: flag("expect-data") === "true",
  };
}

/** The `count`th address of a network of one or two numbers. */
function addressIn(network: string, count: number): string {
  const [second, third, fourth] = [Math.floor(count / 65_536), Math.floor(count / 256) % 256, count % 256];
  return network.includes(".") ? `${network}.${third}.${fourth}` : `${network}.${second}.${third}.${fourth}`;
}

function claimOf({ spec }: PodJson): string | undefined {
  return spec.volumes?.find(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined)?.persistentVolumeClaim
    ?.claimName;
}

function keyOf({ metadata: { namespace, name } }: KubeObject) {
  return namespace === undefined ? { name } : { namespace, name };
}

function count(names: readonly (string | undefined)[], name: string): number {
  return names.filter((one) => one === name).length;
}
