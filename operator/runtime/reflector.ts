/**
 * Keeps a store equal to what the API server has of one kind: lists it in pages, watches from there, and does not stop
 * for any error: only `stop()` ends it.
 *
 *   list ──► store ──► watch from its version ──► events ──► store, handler
 *    ▲  ▲                 │ ended, lost, silent: watch again from the last version heard, after a pause if it failed
 *    │  └─ once an hour   │
 *    └────────────────────┘ 410: the version is forgotten
 */
import { BackOff } from "./back-off.ts";
import {
  isGone,
  type Kube,
  KubeError,
  type KubeObject,
  type ListOptions,
  type ObjectMeta,
  type Page,
  type Resource,
} from "./kube.ts";
import { NO_REFLECTOR_METRICS, type ReflectorMetrics } from "./series.ts";
import type { Store, StoreChange } from "./store.ts";
import { pause, type Time } from "./time.ts";

export interface ReflectorOptions<T extends KubeObject> {
  readonly kube: Kube;
  readonly time: Time;
  readonly resource: Resource;
  /** One namespace; absent: all. */
  readonly namespace?: string;
  /** For list and watch alike. */
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly store: Store<T>;
  /**
   * Told of each change after the store has it. It may only note what is to be done, and not wait; what it throws goes
   * to `failed` and stops nothing.
   */
  readonly changed: (change: StoreChange<T>) => void;
  /** Told of every error that was met. Must not throw; if it does, that is ignored. */
  readonly failed?: (what: string, error: unknown) => void;
  readonly metrics?: ReflectorMetrics;
}

const PAGE = 500;
const SHORTEST_WATCH_SECONDS = 300;
const LONGEST_WATCH_SECONDS = 600;

/** Beyond the time after which the server ends a watch. */
const SLACK_MS = 35_000;

/** A watch that ended sooner and said nothing has not worked; nor has one that said something, after several such. */
const TOO_SHORT_MS = 1000;
const SHORT_WATCHES = 3;

/** A missed event, for whatever reason, is mended after so long at the latest. */
const RELIST_MS = 3_600_000;

/** After so many failures in a row the version is no longer trusted. */
const FAILURES_TO_LIST = 5;

const BACK_OFF = { firstMs: 800, longestMs: 30_000, jitter: 0.25 };

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #metrics: ReflectorMetrics;
  readonly #backOff: BackOff;
  readonly #stopping = new AbortController();
  readonly #waiting: (() => void)[] = [];
  #isStarted = false;
  #resourceVersion = "";
  #hasSynced = false;
  #heardAt: number;
  #listedAt = 0;
  /** In a row. */
  #shortWatches = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#metrics = options.metrics ?? NO_REFLECTOR_METRICS;
    this.#backOff = new BackOff(options.time, BACK_OFF);
    this.#heardAt = options.time.monotonic();
    this.#metrics.watched(
      options.resource.plural,
      () => this.ageMs,
      () => options.store.size,
    );
  }

  /** The store has once been equal to what a list said. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Milliseconds since the API server last said anything about this kind; a quiet watch says so once a minute. */
  get ageMs(): number {
    return this.#options.time.monotonic() - this.#heardAt;
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    // It ends with `stop`, and never by failing.
    void this.#run();
  }

  /** Resolves when it has synced, or was stopped before that. */
  synced(): Promise<void> {
    if (this.#hasSynced || this.#stopping.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Ends it: from now on no handler is called any more, and the store stays as it is. */
  stop(): void {
    this.#stopping.abort();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        if (this.#mustList()) await this.#list();
        if (!this.#isStopped) await this.#watch();
      } catch (error) {
        if (this.#isStopped) return;
        await this.#recover(error);
      }
    }
  }

  #mustList(): boolean {
    return this.#resourceVersion === "" || this.#options.time.monotonic() - this.#listedAt >= RELIST_MS;
  }

  async #recover(error: unknown): Promise<void> {
    const { time, resource } = this.#options;
    // A version that the server does not know yet, after it was restored, is refused in other words for ever.
    if (isGone(error) || this.#backOff.failures >= FAILURES_TO_LIST) this.#resourceVersion = "";
    this.#report(`${resource.plural} are watched again`, error);
    this.#metrics.restarted(resource.plural, isGone(error) ? "gone" : "lost");
    const retryAfterMs = error instanceof KubeError ? error.retryAfterMs : undefined;
    await pause(time, this.#backOff.failed(retryAfterMs), this.#stopping.signal);
  }

  async #list(): Promise<void> {
    const { time, resource, store } = this.#options;
    const { items, resourceVersion } = await this.#allPages();
    if (this.#isStopped) return;
    this.#metrics.listed(resource.plural);
    this.#resourceVersion = resourceVersion;
    this.#heardAt = time.monotonic();
    this.#listedAt = this.#heardAt;
    for (const change of store.replace(items)) this.#tell(change);
    this.#hasSynced = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #allPages(): Promise<Page<T>> {
    const { kube, resource } = this.#options;
    const items: T[] = [];
    let continueToken: string | undefined;
    do {
      const token = continueToken === undefined ? {} : { continueToken };
      let page: Page<T>;
      try {
        page = await kube.list<T>(resource, { ...this.#scope(), limit: PAGE, ...token });
      } catch (error) {
        // So many changes while we turned the pages that the first one is forgotten: all at once, then.
        if (continueToken === undefined || !isGone(error)) throw error;
        return await kube.list<T>(resource, this.#scope());
      }
      items.push(...page.items);
      if (page.continueToken === undefined) return { items, resourceVersion: page.resourceVersion };
      continueToken = page.continueToken;
    } while (!this.#isStopped);
    return { items, resourceVersion: "" };
  }

  /** Until the server ends it; fails when it was lost, silent for too long, or never worked. */
  async #watch(): Promise<void> {
    const { kube, time, resource } = this.#options;
    const startedAt = time.monotonic();
    const span = LONGEST_WATCH_SECONDS - SHORTEST_WATCH_SECONDS;
    const timeoutSeconds = SHORTEST_WATCH_SECONDS + Math.floor(span * time.random());
    const silence = new Silence(time, timeoutSeconds * 1000 + SLACK_MS, this.#stopping.signal);
    const { signal } = silence;
    let events = 0;
    try {
      const from = { resourceVersion: this.#resourceVersion, timeoutSeconds, signal };
      for await (const event of silence.watched(kube.watch<T>(resource, { ...this.#scope(), ...from }))) {
        if (this.#isStopped) return;
        events++;
        this.#heardAt = time.monotonic();
        this.#backOff.succeeded();
        if (event.type === "BOOKMARK") this.#resourceVersion = event.resourceVersion;
        else this.#take(event.type, event.object);
      }
    } finally {
      silence.end();
    }
    if (this.#isStopped) return;
    if (silence.isBroken) throw new KubeError(`the watch of ${resource.plural} was silent for too long`);
    this.#shortWatches = time.monotonic() - startedAt < TOO_SHORT_MS ? this.#shortWatches + 1 : 0;
    if (this.#shortWatches > (events === 0 ? 0 : SHORT_WATCHES))
      throw new KubeError(`the watch of ${resource.plural} ended at once`);
    this.#heardAt = time.monotonic();
    this.#backOff.succeeded();
  }

  #take(type: "ADDED" | "MODIFIED" | "DELETED", object: T): void {
    const { store } = this.#options;
    const { name, resourceVersion }: Partial<ObjectMeta> = object?.metadata ?? {};
    if (!name || !resourceVersion)
      throw new KubeError(`an event ${type} came without the name or version of its object`);
    const changes = type === "DELETED" ? store.remove(object.metadata, object) : store.put(object);
    this.#resourceVersion = resourceVersion;
    for (const change of changes) this.#tell(change);
  }

  #tell(change: StoreChange<T>): void {
    try {
      this.#options.changed(change);
    } catch (error) {
      this.#report("a handler of changes failed", error);
    }
  }

  #report(what: string, error: unknown): void {
    try {
      this.#options.failed?.(what, error);
    } catch {
      // Who cannot even be told of errors must not become one.
    }
  }

  #scope(): Pick<ListOptions, "namespace" | "labelSelector" | "fieldSelector"> {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
  }
}

/** Breaks off a watch of which nothing comes any more, whatever it is that it hangs in. */
class Silence {
  readonly #time: Time;
  readonly #limitMs: number;
  readonly #abort = new AbortController();
  readonly #stopping: AbortSignal;
  readonly #stopped = () => this.#cut();
  #wake: (() => void) | undefined;
  #timer: { cancel(): void };
  isBroken = false;

  constructor(time: Time, limitMs: number, stopping: AbortSignal) {
    this.#time = time;
    this.#limitMs = limitMs;
    this.#stopping = stopping;
    this.#timer = this.#begin();
    stopping.addEventListener("abort", this.#stopped, { once: true });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The events until they end; also when the stream does not heed its signal. */
  async *watched<E>(events: AsyncIterable<E>): AsyncGenerator<E> {
    const iterator = events[Symbol.asyncIterator]();
    try {
      while (!this.signal.aborted) {
        const next = await new Promise<IteratorResult<E> | undefined>((resolve, reject) => {
          this.#wake = () => resolve(undefined);
          iterator.next().then(resolve, reject);
        });
        if (next === undefined || next.done) return;
        this.#timer.cancel();
        this.#timer = this.#begin();
        yield next.value;
      }
    } finally {
      // Not waited for: what hangs would hang us.
      iterator.return?.()?.then(undefined, () => undefined);
    }
  }

  end(): void {
    this.#timer.cancel();
    this.#stopping.removeEventListener("abort", this.#stopped);
    this.#abort.abort();
  }

  #begin(): { cancel(): void } {
    return this.#time.after(this.#limitMs, () => {
      this.isBroken = true;
      this.#cut();
    });
  }

  #cut(): void {
    this.#abort.abort();
    this.#wake?.();
  }
}
