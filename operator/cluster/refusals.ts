/**
 * What the API server would not take of a cluster's objects, kept from pass to pass in memory, so that it can be said in a
 * condition and other work goes on. Lost with the process: then it is tried once more, and refused once more.
 */
import { KubeError } from "../runtime/kube.ts";

/** Kept of one cluster; of more the oldest are forgotten, and tried again. */
const MAX_KEPT = 32;
const MAX_MESSAGE = 512;

/** Not of the world's, but of this object's making: 404 is a kind that is not there. */
const REFUSING: readonly number[] = [400, 403, 404, 413, 422];

export class Refusals {
  /** By the cluster's uid, then by "Kind/name". */
  readonly #byCluster = new Map<string, Map<string, string>>();

  /** Of one cluster; nothing where nothing was refused. */
  of(uid: string): ReadonlyMap<string, string> | undefined {
    return this.#byCluster.get(uid);
  }

  /** Keeps it if it is a refusal of this very object; anything else says nothing about it. */
  failed(uid: string, key: string, error: unknown): void {
    if (!(error instanceof KubeError) || error.status === undefined || !REFUSING.includes(error.status)) return;
    const kept = new Map(this.#byCluster.get(uid));
    kept.delete(key);
    kept.set(key, error.message.slice(0, MAX_MESSAGE));
    for (const oldest of kept.keys()) {
      if (kept.size <= MAX_KEPT) break;
      kept.delete(oldest);
    }
    this.#byCluster.set(uid, kept);
  }

  /** It was taken. */
  taken(uid: string, key: string): void {
    const kept = new Map(this.#byCluster.get(uid));
    if (!kept.delete(key)) return;
    if (kept.size === 0) this.#byCluster.delete(uid);
    else this.#byCluster.set(uid, kept);
  }

  /** The cluster is gone. */
  forget(uid: string): void {
    this.#byCluster.delete(uid);
  }
}
