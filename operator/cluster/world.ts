/** What a pass over a cluster may use of the world, and nothing else: there is no clock here but its own. */
import type { EtcdAdmin } from "../etcd/etcd-admin.ts";
import type { Key, Kube, KubeObject, Resource } from "../runtime/kube.ts";
import type { Time } from "../runtime/time.ts";

export interface World {
  readonly kube: Kube;
  readonly caches: Caches;
  readonly etcd: EtcdAdmin;
  readonly events: EventSink;
  readonly time: Time;
  /** For how long this process is sure to be the only one that acts, milliseconds; 0 or less: it is not. */
  leaseLeftMs(): number;
  log(level: "debug" | "info" | "warn" | "error", message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** What the watches have brought, which may be old. */
export interface Caches {
  /** All of a cluster, by its label. Nothing when this resource is not watched. */
  ofCluster(resource: Resource, namespace: string, cluster: string): readonly KubeObject[] | undefined;
  /** One object by name. Nothing also when this resource is not watched: ask `watches()`. */
  get(resource: Resource, key: Key): KubeObject | undefined;
  watches(resource: Resource): boolean;
}

/** Takes what people should hear; never fails, and bounds what it keeps. */
export interface EventSink {
  emit(about: KubeObject, event: ClusterEvent): void;
}

export interface ClusterEvent {
  readonly type: "Normal" | "Warning";
  /** UpperCamelCase. */
  readonly reason: string;
  readonly message: string;
  /** The member that it is about. */
  readonly member?: string;
}
