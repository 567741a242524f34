/**
 * The operator, put together out of its rooms and running on the ports that it is given: watches wake clusters, workers
 * look at one cluster each, and only the holder of the Lease has workers. What is not here is the process: signals, files,
 * sockets.
 */
import { clusterBuilders } from "../cluster/builders.ts";
import { type PlanOf, Reconciler } from "../cluster/reconcile.ts";
import type { EventSink, World } from "../cluster/world.ts";
import type { EtcdAdmin } from "../etcd/etcd-admin.ts";
import { plan } from "../plan/plan.ts";
import type { OperatorDefaults } from "../resources/member.ts";
import { Controller } from "../runtime/controller.ts";
import { type Kube, KubeError } from "../runtime/kube.ts";
import { LeaderElection } from "../runtime/leader-election.ts";
import type { ControllerMetrics, LeaderMetrics, ReflectorMetrics } from "../runtime/series.ts";
import { keyOf, keyText } from "../runtime/store.ts";
import type { Time } from "../runtime/time.ts";
import { Watching } from "./watching.ts";

export interface OperatorOptions {
  readonly kube: Kube;
  readonly etcd: EtcdAdmin;
  readonly events: EventSink;
  readonly time: Time;
  readonly log: World["log"];
  readonly defaults: OperatorDefaults;
  readonly namespaces: readonly string[];
  readonly concurrency: number;
  /** Absent: this is the only operator, by somebody's word. */
  readonly election?: { readonly namespace: string; readonly name: string; readonly identity: string };
  readonly metrics?: {
    readonly controller: ControllerMetrics;
    readonly reflectors: ReflectorMetrics;
    readonly leader: LeaderMetrics;
  };
  /** The Lease was lost: the process must end, and never acts again. */
  readonly lost: (why: string) => void;
  /** Absent: the operator's own; tests plant mistakes in it. */
  readonly plan?: PlanOf;
}

/** Work that is under way when it is told to stop gets so long. */
const DRAIN_MS = 15_000;
/** One pass asks members and the API server a few times, each with a limit of its own. */
const PASS_LIMIT_MS = 120_000;

export class Operator {
  readonly #options: OperatorOptions;
  readonly #watching: Watching;
  readonly #controller: Controller;
  readonly #election: LeaderElection | undefined;
  #isStopped = false;

  constructor(options: OperatorOptions) {
    const { kube, time, namespaces, metrics } = options;
    this.#options = options;
    this.#watching = new Watching({
      kube,
      time,
      namespaces,
      wake: (key) => this.#controller.queue.add(keyText(key)),
      failed: (what, error) => options.log("warn", what, { error: textOf(error) }),
      ...(metrics === undefined ? {} : { metrics: metrics.reflectors }),
    });
    const reconciler = new Reconciler(this.#world(), clusterBuilders(options.defaults), options.plan ?? plan);
    this.#controller = new Controller({
      name: "etcdcluster",
      time,
      concurrency: options.concurrency,
      limitMs: PASS_LIMIT_MS,
      reconcile: async (key) => {
        const { againInMs } = await reconciler.reconcile(keyOf(key));
        return Number.isFinite(againInMs) ? { againInMs } : {};
      },
      failed: (key, error) => this.#failed(key, error),
      ...(metrics === undefined ? {} : { metrics: metrics.controller }),
    });
    this.#election = options.election === undefined ? undefined : this.#elected(options.election);
  }

  /** Every cache has been filled: whether it leads or stands by, it could act. */
  get isReady(): boolean {
    return this.#watching.hasSynced && !this.#isStopped;
  }

  get isLeader(): boolean {
    return this.#election?.isLeader ?? true;
  }

  /** How many clusters there are. */
  get clusterCount(): number {
    return this.#watching.clusters.length;
  }

  /** Resolves when it is ready; it acts as soon as it is, and leads. */
  async start(): Promise<void> {
    await this.#watching.start();
    if (this.#isStopped) return;
    if (this.#election === undefined) this.#controller.start();
    else this.#election.start();
  }

  /** Ends what is under way, gives the Lease back. Nothing is done after it has resolved. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const isIdle = await this.#controller.stop(DRAIN_MS);
    // Somebody is still at work: the Lease is better left to run out.
    if (isIdle) await this.#election?.stop();
    await this.#watching.stop();
  }

  #world(): World {
    const { kube, etcd, events, time, log } = this.#options;
    return {
      kube,
      etcd,
      events,
      log,
      caches: this.#watching,
      time,
      leaseLeftMs: () => {
        if (this.#isStopped) return 0;
        return this.#election === undefined ? Number.POSITIVE_INFINITY : this.#election.remainingMs();
      },
    };
  }

  #elected(election: NonNullable<OperatorOptions["election"]>): LeaderElection {
    const { kube, time, log, lost, metrics } = this.#options;
    const { namespace, name, identity } = election;
    return new LeaderElection({
      kube,
      time,
      key: { namespace, name },
      identity,
      won: () => {
        log("info", "this operator leads", { identity });
        this.#controller.start();
      },
      lost: (why) => {
        this.#isStopped = true;
        lost(why);
      },
      failed: (what, error) => log("warn", what, { error: textOf(error) }),
      ...(metrics === undefined ? {} : { metrics: metrics.leader }),
    });
  }

  #failed(key: string, error: unknown): void {
    const { log } = this.#options;
    const isExpected = error instanceof KubeError || (error as Error | undefined)?.name === "EtcdRefusal";
    const failures = this.#controller.queue.failures(key);
    if (isExpected) log("warn", "a pass did not come to its end", { cluster: key, failures, error: textOf(error) });
    else
      log("error", "a pass failed by a mistake of the operator's", { cluster: key, failures, error: stackOf(error) });
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
