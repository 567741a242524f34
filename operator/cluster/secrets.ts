/**
 * The Secrets and ConfigMaps that a cluster's certificates and trust come from. They are read by name, never listed or
 * watched: an operator has no business with the others. What was read is kept for a while, except where a pass must act.
 */
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import type { Key, KubeObject, Resource } from "../runtime/kube.ts";
import type { SecretJson } from "./facts/secret.ts";
import { CONFIG_MAPS, SECRETS } from "./kinds.ts";
import type { World } from "./world.ts";

/** Rotated files come into effect that much later at most; the kubelet alone takes about a minute. */
const KEPT_MS = 45_000;

/** Objects that are kept at once; beyond it the oldest are let go of. */
const MAX_KEPT = 4096;

export interface MapJson extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

interface Kept {
  readonly readAt: number;
  readonly object: KubeObject | undefined;
}

export class SecretReader {
  readonly #world: Pick<World, "kube" | "time">;
  /** In the order of reading. */
  readonly #kept = new Map<string, Kept>();

  constructor(world: Pick<World, "kube" | "time">) {
    this.#world = world;
  }

  /** The Secrets of these names that are there, by name. `isLive`: as they are now. */
  async secrets(
    { metadata }: EtcdCluster,
    names: readonly string[],
    isLive: boolean,
  ): Promise<ReadonlyMap<string, SecretJson>> {
    return this.#all<SecretJson>(SECRETS, metadata.namespace, names, isLive);
  }

  async maps(
    { metadata }: EtcdCluster,
    names: readonly string[],
    isLive: boolean,
  ): Promise<ReadonlyMap<string, MapJson>> {
    return this.#all<MapJson>(CONFIG_MAPS, metadata.namespace, names, isLive);
  }

  async #all<T extends KubeObject>(
    resource: Resource,
    namespace: string,
    names: readonly string[],
    isLive: boolean,
  ): Promise<ReadonlyMap<string, T>> {
    const found = await Promise.all(
      [...new Set(names)].map(async (name) => [name, await this.#one(resource, { namespace, name }, isLive)] as const),
    );
    return new Map(found.flatMap(([name, object]) => (object === undefined ? [] : [[name, object as T]])));
  }

  async #one(resource: Resource, key: Key, isLive: boolean): Promise<KubeObject | undefined> {
    const id = `${resource.kind}/${key.namespace}/${key.name}`;
    const kept = this.#kept.get(id);
    const now = this.#world.time.monotonic();
    if (!isLive && kept !== undefined && now - kept.readAt < KEPT_MS) return kept.object;
    const object = await this.#world.kube.get(resource, key);
    this.#kept.delete(id);
    this.#kept.set(id, { readAt: now, object });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MAX_KEPT) break;
      this.#kept.delete(oldest);
    }
    return object;
  }
}
