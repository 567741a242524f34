/**
 * A process that ends at a call: what it had asked for may have been done, and it hears nothing of it. Calls of one that
 * is dead are never made and never answered.
 */
import type { EtcdAdmin } from "../../operator/etcd/etcd-admin.ts";
import type { Kube, KubeObject, Resource, WatchEvent, WatchOptions } from "../../operator/runtime/kube.ts";

/** Calls that change something. */
const CHANGING = new Set([
  "create",
  "apply",
  "patch",
  "delete",
  "addLearner",
  "promote",
  "remove",
  "moveLeader",
  "defragment",
  "disarm",
]);

export class Life {
  /** Calls so far, of those that are counted. */
  calls = 0;
  readonly #endsAfter: number;
  readonly #counts: "changes" | "all";
  readonly #end = new AbortController();

  /** Ends after so many calls, Infinity: never by itself. "changes": calls that only look are not counted. */
  constructor(endsAfter = Number.POSITIVE_INFINITY, counts: "changes" | "all" = "changes") {
    this.#endsAfter = endsAfter;
    this.#counts = counts;
    if (endsAfter === 0) this.end();
  }

  get isOver(): boolean {
    return this.#end.signal.aborted;
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  end(): void {
    this.#end.abort();
  }

  /** A call of this life. */
  async live<T>(method: string, call: () => Promise<T>): Promise<T> {
    if (this.isOver) return never();
    if (this.#counts === "all" || CHANGING.has(method)) this.calls++;
    const isLast = this.calls >= this.#endsAfter;
    try {
      return await call();
    } finally {
      if (isLast) this.end();
      if (this.isOver) await never();
    }
  }
}

/** `port` as the process of this life uses it. */
export function mortalEtcd(port: EtcdAdmin, life: Life): EtcdAdmin {
  return mortal(port, life);
}

export function mortalKube(port: Kube, life: Life): Kube {
  const calls = mortal(port, life);
  return new Proxy(calls, {
    get(target, name, receiver) {
      if (name === "watch")
        return (resource: Resource, options: WatchOptions) => watched(port, life, resource, options);
      return Reflect.get(target, name, receiver);
    },
  });
}

function mortal<T extends object>(port: T, life: Life): T {
  return new Proxy(port, {
    get(target, name) {
      const method = Reflect.get(target, name, target);
      if (typeof method !== "function") return method;
      return (...parts: unknown[]) => life.live(String(name), () => Reflect.apply(method, target, parts));
    },
  });
}

async function* watched(
  port: Kube,
  life: Life,
  resource: Resource,
  options: WatchOptions,
): AsyncGenerator<WatchEvent<KubeObject>> {
  if (life.isOver) await never();
  const signal = AbortSignal.any([options.signal, life.signal]);
  for await (const event of port.watch(resource, { ...options, signal })) {
    if (life.isOver) await never();
    yield event;
  }
  if (life.isOver) await never();
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
