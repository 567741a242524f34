/**
 * One pass over one cluster: look, plan, write down what was learnt, do one thing, tell of it. Nothing in it waits for
 * the world to change: it says when to look again. What a plan decided is never done later or twice; the next pass
 * decides anew.
 */
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import { EtcdRefusal } from "../etcd/etcd-admin.ts";
import type { Action, Happening, Plan } from "../plan/action.ts";
import type { Builders } from "../plan/builders.ts";
import { refusableKey } from "../plan/refused.ts";
import { isConflict, type Key, KubeError, type KubeObject } from "../runtime/kube.ts";
import { type StatusOutcome, StatusWriter } from "../runtime/status-writer.ts";
import { act } from "./act.ts";
import type { Acted } from "./acted.ts";
import { CLUSTERS } from "./kinds.ts";
import { type Observed, Observer } from "./observe.ts";
import { Refusals } from "./refusals.ts";
import type { World } from "./world.ts";

/** After something was done its effect is looked at so soon. */
const SOON_MS = 200;
/** After a refusal the reason has mostly gone in a few seconds. */
const REFUSED_MS = 3000;

/** Sizes and indexes of a cluster that is written to are shown so late: one write each time, for each cluster. */
const VOLATILE_PAUSE_MS = 120_000;

/** Fields of the status that move all the time, and would wake the next pass each time that they are written. */
const VOLATILE = ["raftIndex", "appliedIndex", "dbSize", "dbSizeInUse"];

type EtcdClusterObject = EtcdCluster & KubeObject;

export type PlanOf = (observation: Observed["observation"], builders: Builders) => Plan;

export interface Pass {
  /** When to look again if nothing happens before, milliseconds. */
  readonly againInMs: number;
  /** What was done; "none" when nothing had to be, "gone" when there is no such cluster. */
  readonly action: Action["kind"] | "gone";
  readonly refused?: string;
}

export class Reconciler {
  readonly #world: World;
  readonly #builders: Builders;
  readonly #planOf: PlanOf;
  readonly #observer: Observer;
  readonly #refusals = new Refusals();
  /** Where nothing is done after it: what does not matter much may wait. */
  readonly #statusAtRest: StatusWriter;
  /** Where something is done after it: what was learnt must be written down before. */
  readonly #statusBefore: StatusWriter;
  /** By "namespace/name": its uid. An object that is gone is known by its key alone. */
  readonly #uids = new Map<string, string>();

  constructor(world: World, builders: Builders, planOf: PlanOf) {
    this.#world = world;
    this.#builders = builders;
    this.#planOf = planOf;
    this.#observer = new Observer(world, builders);
    const writing = { kube: world.kube, time: world.time, resource: CLUSTERS, volatile: VOLATILE };
    this.#statusAtRest = new StatusWriter({ ...writing, volatilePauseMs: VOLATILE_PAUSE_MS });
    this.#statusBefore = new StatusWriter({ ...writing, pauseMs: 0, volatilePauseMs: 0 });
  }

  /** Rejects when something could not be read or its end is unknown: the caller comes back, later each time. */
  async reconcile(key: Key): Promise<Pass> {
    const rest = await this.#lookAtRest(key);
    if (rest !== undefined) return rest;
    const cluster = await this.#world.kube.get<EtcdClusterObject>(CLUSTERS, key);
    if (cluster === undefined) return this.#forget(key);
    this.#remember(key, cluster.metadata.uid);
    const observed = await this.#observer.observe(cluster, true);
    const plan = this.#plan(observed);
    this.#tell(cluster, observed.problems.map(certificateProblem));
    if (plan.action.kind === "none") return this.#rest(cluster, plan);
    const outcome = await this.#statusBefore.write(cluster, plan.status);
    const written = outcome.kind === "written" ? outcome.object : cluster;
    return this.#do(written, observed, plan);
  }

  /** Nothing is to be done. What people are told is told once it is written down, or each pass would tell it anew. */
  async #rest(cluster: EtcdClusterObject, { status, events, againInMs }: Plan): Promise<Pass> {
    const outcome: StatusOutcome<EtcdClusterObject> = await this.#statusAtRest.write(cluster, status);
    if (outcome.kind === "later") return { againInMs: Math.min(againInMs, outcome.againInMs), action: "none" };
    this.#tell(cluster, events);
    return { againInMs, action: "none" };
  }

  /**
   * At rest the caches are enough: many clusters that want nothing must not weigh on the API server. Nothing when the
   * cluster is not known to be at rest, or something is to be done, which is decided by what is true now.
   */
  async #lookAtRest(key: Key): Promise<Pass | undefined> {
    const cluster = this.#world.caches.get(CLUSTERS, key) as EtcdClusterObject | undefined;
    if (cluster?.status?.initialized !== true || cluster.status.operation !== undefined) return undefined;
    this.#remember(key, cluster.metadata.uid);
    const observed = await this.#observer.observe(cluster, false);
    const plan = this.#plan(observed);
    if (plan.action.kind !== "none") return undefined;
    try {
      const pass = await this.#rest(cluster, plan);
      this.#tell(cluster, observed.problems.map(certificateProblem));
      return pass;
    } catch (error) {
      // The cache is behind: what the status is made from must be read.
      if (isConflict(error)) return undefined;
      throw error;
    }
  }

  #plan({ observation }: Observed): Plan {
    const refusals = this.#refusals.of(observation.cluster.metadata.uid);
    return this.#planOf(refusals === undefined ? observation : { ...observation, refusals }, this.#builders);
  }

  /** What people are told of what went well is told when it has; of what is wrong, in any case. */
  async #do(cluster: EtcdClusterObject, observed: Observed, { action, events, againInMs }: Plan): Promise<Pass> {
    const { namespace, name } = cluster.metadata;
    const fields = { cluster: `${namespace}/${name}`, ...loggable(action) };
    let acted: Acted;
    try {
      acted = await act(
        { world: this.#world, cluster, endpoints: observed.endpoints, certificates: observed.certificates },
        action,
      );
    } catch (error) {
      this.#tell(cluster, events.filter(isWarning));
      this.#failed(cluster, action, error);
      throw error;
    }
    const key = refusableKey(action);
    if (key !== undefined) this.#refusals.taken(cluster.metadata.uid, key);
    this.#tell(cluster, acted.result === "done" ? events : events.filter(isWarning));
    if (acted.result === "done") {
      this.#world.log("info", "acted", fields);
      return { againInMs: Math.min(againInMs, SOON_MS), action: action.kind };
    }
    this.#world.log("warn", "an action was refused", { ...fields, why: acted.why });
    this.#tell(cluster, [refusedEvent(action, acted.why)]);
    return { againInMs: REFUSED_MS, action: action.kind, refused: acted.why };
  }

  /** A conflict is no failure: somebody was faster, and is looked at again. */
  #failed(cluster: EtcdClusterObject, action: Action, error: unknown): void {
    if (isConflict(error)) return;
    const key = refusableKey(action);
    if (key !== undefined) this.#refusals.failed(cluster.metadata.uid, key, error);
    if (error instanceof KubeError || error instanceof EtcdRefusal)
      this.#tell(cluster, [{ ...refusedEvent(action, error.message), reason: "ActionFailed" }]);
  }

  #tell(cluster: EtcdClusterObject, events: readonly Happening[]): void {
    for (const event of events) this.#world.events.emit(cluster, event);
  }

  #remember({ namespace, name }: Key, uid: string): void {
    const key = `${namespace}/${name}`;
    const before = this.#uids.get(key);
    if (before !== undefined && before !== uid) this.#drop(before);
    this.#uids.set(key, uid);
  }

  #forget({ namespace, name }: Key): Pass {
    const key = `${namespace}/${name}`;
    const uid = this.#uids.get(key);
    if (uid !== undefined) this.#drop(uid);
    this.#uids.delete(key);
    return { againInMs: Number.POSITIVE_INFINITY, action: "gone" };
  }

  #drop(uid: string): void {
    this.#refusals.forget(uid);
    this.#observer.forget(uid);
  }
}

function certificateProblem(message: string): Happening {
  return { type: "Warning", reason: "CertificateProblem", message };
}

function isWarning({ type }: Happening): boolean {
  return type === "Warning";
}

function refusedEvent(action: Action, why: string): Happening {
  const member = "member" in action ? action.member : undefined;
  const message = `${action.kind} did not happen: ${why}`;
  return { type: "Warning", reason: "ActionRefused", message, ...(member === undefined ? {} : { member }) };
}

/** Names and ids of an action, without whole objects. */
function loggable(action: Action): Record<string, unknown> {
  const { kind, ...rest } = action;
  const texts = Object.entries(rest).filter(([, value]) => typeof value !== "object");
  const object = "object" in action ? { object: `${action.object.kind}/${action.object.metadata.name}` } : {};
  return { action: kind, ...Object.fromEntries(texts), ...object };
}
