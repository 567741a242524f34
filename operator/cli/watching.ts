/**
 * The watches of the operator: which kinds, in which namespaces, and which cluster each change wakes. What they have
 * brought is what passes at rest look at.
 */
import { LABELS } from "../api/names.ts";
import {
  BUDGETS,
  CERTIFICATES,
  CLAIMS,
  CLUSTERS,
  CONFIG_MAPS,
  NODES,
  PODS,
  SERVICES,
  STORAGE_CLASSES,
} from "../cluster/kinds.ts";
import { clusterOf, clustersOnNode, isNews, isNodeNews } from "../cluster/watches.ts";
import type { Caches } from "../cluster/world.ts";
import { type Key, type Kube, KubeError, type KubeObject, type Resource } from "../runtime/kube.ts";
import { Reflector } from "../runtime/reflector.ts";
import type { ReflectorMetrics } from "../runtime/series.ts";
import { keyText, labelIndex, Store, type StoreChange } from "../runtime/store.ts";
import type { Time } from "../runtime/time.ts";

export interface WatchingOptions {
  readonly kube: Kube;
  readonly time: Time;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  /** A cluster is to be looked at. */
  readonly wake: (key: Key) => void;
  readonly failed: (what: string, error: unknown) => void;
  readonly metrics?: ReflectorMetrics;
}

interface Watch {
  readonly resource: Resource;
  /** "": all, or none at all for what lies in no namespace. */
  readonly namespace: string;
  readonly store: Store<KubeObject>;
  readonly reflector: Reflector<KubeObject>;
}

/** Found by the label that says whose it is. Claims without an owner have it, too. */
const OF_CLUSTERS: readonly Resource[] = [PODS, CLAIMS, SERVICES, CONFIG_MAPS, BUDGETS];
/** Watched only where they are there and may be read; a namespaced operator may see none. */
const OPTIONAL: readonly Resource[] = [CERTIFICATES];
const OF_NOBODY: readonly Resource[] = [NODES, STORAGE_CLASSES];

const BY_CLUSTER = "cluster";

export class Watching implements Caches {
  readonly #options: WatchingOptions;
  readonly #watches: Watch[] = [];

  constructor(options: WatchingOptions) {
    this.#options = options;
  }

  /** Begins all watches; resolves when every cache has once been filled, or it was stopped. */
  async start(): Promise<void> {
    const { namespaces } = this.#options;
    const places = namespaces.length === 0 ? [""] : namespaces;
    for (const resource of [CLUSTERS, ...OF_CLUSTERS]) for (const place of places) this.#watch(resource, place);
    for (const resource of OPTIONAL)
      for (const place of places) if (await this.#canRead(resource, place)) this.#watch(resource, place);
    for (const resource of OF_NOBODY) if (await this.#canRead(resource, "")) this.#watch(resource, "");
    await Promise.all(this.#watches.map(({ reflector }) => reflector.synced()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#watches.map(({ reflector }) => reflector.stop()));
  }

  get hasSynced(): boolean {
    return this.#watches.length > 0 && this.#watches.every(({ reflector }) => reflector.hasSynced);
  }

  /** All clusters that are known. */
  get clusters(): readonly KubeObject[] {
    return this.#of(CLUSTERS).flatMap(({ store }) => store.list());
  }

  ofCluster(resource: Resource, namespace: string, cluster: string): readonly KubeObject[] | undefined {
    const watch = this.#at(resource, namespace);
    return watch?.store.byIndex(BY_CLUSTER, keyText({ namespace, name: cluster }));
  }

  get(resource: Resource, key: Key): KubeObject | undefined {
    return this.#at(resource, key.namespace ?? "")?.store.get(key);
  }

  watches(resource: Resource): boolean {
    return this.#of(resource).length > 0;
  }

  #of(resource: Resource): readonly Watch[] {
    return this.#watches.filter((watch) => watch.resource === resource);
  }

  #at(resource: Resource, namespace: string): Watch | undefined {
    return this.#watches.find(
      (watch) => watch.resource === resource && (watch.namespace === "" || watch.namespace === namespace),
    );
  }

  #watch(resource: Resource, namespace: string): void {
    const { kube, time, failed, metrics } = this.#options;
    const store = new Store<KubeObject>({ [BY_CLUSTER]: labelIndex(LABELS.cluster) });
    const reflector = new Reflector<KubeObject>({
      kube,
      time,
      resource,
      store,
      ...(namespace === "" ? {} : { namespace }),
      ...(OF_CLUSTERS.includes(resource) || OPTIONAL.includes(resource) ? { labelSelector: LABELS.cluster } : {}),
      ...(metrics === undefined ? {} : { metrics }),
      changed: (change) => this.#changed(resource, change),
      failed,
    });
    this.#watches.push({ resource, namespace, store, reflector });
    reflector.start();
  }

  /** A kind that is not there, or that we may not see, is done without. Any other failure says nothing about it. */
  async #canRead(resource: Resource, namespace: string): Promise<boolean> {
    try {
      await this.#options.kube.list(resource, { limit: 1, ...(namespace === "" ? {} : { namespace }) });
      return true;
    } catch (error) {
      if (!(error instanceof KubeError) || (error.status !== 403 && error.status !== 404)) return true;
      this.#options.failed(`${resource.plural} are not watched`, error);
      return false;
    }
  }

  #changed(resource: Resource, change: StoreChange<KubeObject>): void {
    const before = change.type === "modified" ? change.before : undefined;
    const { object } = change;
    if (resource === CLUSTERS) {
      if (change.type === "deleted" || isNews(before, object)) this.#options.wake(keyOfObject(object));
    } else if (resource === NODES) {
      if (change.type !== "deleted" && !isNodeNews(before, object)) return;
      const pods = this.#of(PODS).flatMap(({ store }) => store.list());
      for (const key of clustersOnNode(object.metadata.name, pods)) this.#options.wake(key);
    } else if (resource !== STORAGE_CLASSES) {
      const key = clusterOf(object);
      if (key !== undefined) this.#options.wake(key);
    }
  }
}

function keyOfObject({ metadata: { namespace, name } }: KubeObject): Key {
  return namespace === undefined ? { name } : { namespace, name };
}
