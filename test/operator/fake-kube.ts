/**
 * An API server in memory, as the port that the operator sees. How to use it:
 *
 *   const time = new VirtualTime();
 *   const fake = new FakeKube({ time });
 *   await fake.create(PODS, pod);                       // the port, `Kube`: what the operator does; may meet faults
 *   fake.objects.create(PODS, pod);                     // the same at once and without faults: what others do
 *   fake.objects.patch(PODS, key, { status: { phase: "Running" } }, { subresource: "status" });
 *   fake.change(PODS, key, (pod) => ({ ...pod, spec: ... , status: ... }));   // spec and status together
 *   fake.objects.delete(PODS, key, {});                 // a Pod that has a node terminates until ...
 *   fake.objects.finish(PODS, key);                     // ... the kubelet is done
 *   fake.objects.collectGarbage();                      // what nobody owns any more goes
 *   fake.objects.terminateNamespace("default");         // creations are refused there
 *   fake.objects.all(PODS); fake.objects.get(PODS, key) // look
 *   fake.objects.compact(); fake.bookmark();            // old versions are 410; watches hear of the present one
 *   fake.faults.once(...), .always(...), .byChance(...) // see fake-faults.ts
 *   fake.before = (call) => { if (...) throw new Crash() };  // before each call of the port, `after` after it
 *   fake.calls                                          // the last 1000 calls of the port
 *
 * Objects that come out are frozen: who changes what it was given fails. Without `time` the API server has a virtual
 * time of its own that stands still, and calls take none. Over HTTP: fake-kube-server.ts.
 *
 * It does: resourceVersions, generations, uids, preconditions, finalizers, graceful end of Pods that have a node, status
 * subresources, server-side apply, merge patch, label and field selectors, pages, old versions, watches with bookmarks and
 * time limits. It does not: schemas and defaults, admission, controllers (nothing removes a claim's protection; objects
 * are collected when you say so), kinds of their own: any `Resource` is there.
 */
import type {
  ApplyOptions,
  DeleteOptions,
  Key,
  Kube,
  KubeObject,
  ListOptions,
  Page,
  PatchOptions,
  Resource,
  WatchEvent,
  WatchOptions,
} from "../../operator/runtime/kube.ts";
import { KubeError } from "../../operator/runtime/kube.ts";
import { pause, type Time } from "../../operator/runtime/time.ts";
import { type Call, type Fault, Faults } from "./fake-faults.ts";
import { FakeObjects } from "./fake-objects.ts";
import { FakeWatch } from "./fake-watch.ts";
import { VirtualTime } from "./virtual-time.ts";

const MAX_CALLS = 1000;

/** After so long a call without an answer is given up, as the real client does. */
const CALL_LIMIT_MS = 30_000;

export class FakeKube implements Kube {
  readonly objects: FakeObjects;
  readonly faults = new Faults();
  /** The last calls of the port, oldest first. */
  readonly calls: Call[] = [];
  /** Called before each call of the port is looked at; what it throws comes out of the call, and nothing is done. */
  before: ((call: Call) => void) | undefined;
  /** Called after a call was carried out and before it is answered; what it throws comes out of the call. */
  after: ((call: Call) => void) | undefined;
  /** How long each call takes. */
  latencyMs = 0;
  /** The manager of what is created and patched through the port. */
  manager = "kvorum-operator";
  readonly #time: Time;
  readonly #watches = new Set<FakeWatch>();

  constructor({ time = new VirtualTime() }: { readonly time?: Time } = {}) {
    this.#time = time;
    this.objects = new FakeObjects(time);
  }

  /** Watches that are open. */
  get openWatches(): number {
    return this.#watches.size;
  }

  /** Tells all watches the present version. */
  bookmark(): void {
    for (const watch of this.#watches) watch.bookmark(this.objects.revision);
  }

  /** Replaces an object by what `change` makes of it, spec and status together: for all that others do. */
  change(resource: Resource, key: Key, change: (object: KubeObject) => object): KubeObject {
    const object = this.objects.get(resource, key);
    if (object === undefined) throw new Error(`there is no ${resource.plural} "${key.name}" to change`);
    const next = change(object) as KubeObject;
    this.objects.replace(resource, next, { manager: "others" });
    // Without its last finalizer it is gone.
    return this.objects.get(resource, key) === undefined ? next : this.#setStatus(resource, next);
  }

  get<T extends KubeObject>(resource: Resource, key: Key): Promise<T | undefined> {
    return this.#call({ verb: "get", resource, key }, () => this.objects.get(resource, key) as T | undefined);
  }

  list<T extends KubeObject>(resource: Resource, options: ListOptions): Promise<Page<T>> {
    return this.#call({ verb: "list", resource, key: scope(options) }, (fault) => {
      const age = fault?.kind === "stale" ? fault.changes : 0;
      const revision = Math.max(this.objects.oldest, this.objects.revision - age);
      return this.objects.list(resource, options, revision) as Page<T>;
    });
  }

  async *watch<T extends KubeObject>(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const call: Call = { verb: "watch", resource, key: scope(options) };
    let fault: Fault | undefined;
    const revision = await this.#call(call, (met) => {
      fault = met;
      return Number(options.resourceVersion);
    });
    const watch = new FakeWatch(this.objects, resource, { ...options, revision, time: this.#time, fault });
    this.#watches.add(watch);
    try {
      for await (const event of watch.events()) yield event as WatchEvent<T>;
    } finally {
      watch.close();
      this.#watches.delete(watch);
    }
  }

  create<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
    const writing = { manager: this.manager };
    return this.#call(
      { verb: "create", resource, key: object.metadata },
      () => this.objects.create(resource, object, writing) as T,
    );
  }

  apply<T extends KubeObject>(resource: Resource, object: T, options: ApplyOptions): Promise<T> {
    const { fieldManager: manager, force = false, subresource } = options;
    return this.#call(
      { verb: "apply", resource, key: object.metadata, subresource },
      () => this.objects.apply(resource, object, force, { manager, subresource }) as T,
    );
  }

  patch<T extends KubeObject>(resource: Resource, key: Key, patch: object, options: PatchOptions = {}): Promise<T> {
    const writing = { ...options, manager: this.manager };
    return this.#call(
      { verb: "patch", resource, key, subresource: options.subresource },
      () => this.objects.patch(resource, key, patch, writing) as T,
    );
  }

  delete(resource: Resource, key: Key, options: DeleteOptions): Promise<void> {
    return this.#call({ verb: "delete", resource, key }, () => {
      this.objects.delete(resource, key, options);
    });
  }

  async #call<T>(call: Call, act: (fault: Fault | undefined) => T): Promise<T> {
    this.calls.push(call);
    if (this.calls.length > MAX_CALLS) this.calls.shift();
    this.before?.(call);
    const fault = this.faults.meet(call);
    if (this.latencyMs > 0) await pause(this.#time, this.latencyMs);
    if (fault?.kind === "refuse") throw refusal(call, fault);
    if (fault?.kind === "lost") return this.#lost(fault, () => act(fault));
    const answer = act(fault);
    this.after?.(call);
    if (fault?.kind === "slow") await pause(this.#time, fault.ms);
    return answer;
  }

  async #lost(fault: Extract<Fault, { kind: "lost" }>, act: () => unknown): Promise<never> {
    try {
      if (fault.isDone) act();
    } catch {
      // Refused, and nobody hears that either.
    }
    await pause(this.#time, fault.afterMs ?? CALL_LIMIT_MS);
    throw new KubeError("no answer within the time limit: it may or may not have been carried out");
  }

  #setStatus(resource: Resource, object: KubeObject): KubeObject {
    try {
      return this.objects.replace(resource, object, { manager: "others", subresource: "status" });
    } catch (error) {
      // A kind without a status of its own.
      if (error instanceof KubeError && error.status === 404) return object;
      throw error;
    }
  }
}

function scope({ namespace }: { readonly namespace?: string | undefined }): Partial<Key> {
  return namespace === undefined ? {} : { namespace };
}

function refusal(call: Call, { status, reason = "", retryAfterMs }: Extract<Fault, { kind: "refuse" }>): KubeError {
  const text = `${call.verb} of ${call.resource.plural} "${call.key.name ?? ""}": ${status} ${reason} (a fault)`;
  return new KubeError(text, status, reason, retryAfterMs);
}
