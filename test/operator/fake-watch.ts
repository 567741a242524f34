/** One watch of the fake API server: what it has to tell, and how it ends. */
import type { KubeObject, Resource, WatchEvent, WatchOptions } from "../../operator/runtime/kube.ts";
import { KubeError } from "../../operator/runtime/kube.ts";
import type { Time, Timer } from "../../operator/runtime/time.ts";
import type { Fault } from "./fake-faults.ts";
import { type Change, type FakeObjects, isSame, isShown } from "./fake-objects.ts";

type Event = WatchEvent<KubeObject>;

/** Bookmarks come about as often as the real API server's. */
const BOOKMARK_EVERY_MS = 60_000;

/** What a watch that nobody reads may hold; beyond it the server ends it, as the real one does. */
const MAX_WAITING = 10_000;

export interface FakeWatchOptions extends WatchOptions {
  readonly revision: number;
  readonly time: Time;
  readonly fault: Fault | undefined;
}

export class FakeWatch {
  readonly #resource: Resource;
  readonly #options: FakeWatchOptions;
  readonly #waiting: Event[] = [];
  readonly #closers: (() => void)[] = [];
  #wake: (() => void) | undefined;
  #end: "open" | "ended" | KubeError = "open";
  #told = 0;
  #bookmarkTimer: Timer | undefined;

  constructor(objects: FakeObjects, resource: Resource, options: FakeWatchOptions) {
    this.#resource = resource;
    this.#options = options;
    if (options.signal.aborted) this.#end = "ended";
    this.#meetFault();
    for (const change of objects.since(options.revision)) this.#hear(change);
    this.#closers.push(objects.subscribe((change) => this.#hear(change)));
    const limit = options.time.after(options.timeoutSeconds * 1000, () => {
      this.bookmark(objects.revision);
      this.#finish("ended");
    });
    const aborted = () => this.#finish("ended", true);
    options.signal.addEventListener("abort", aborted, { once: true });
    this.#closers.push(
      () => limit.cancel(),
      () => this.#bookmarkTimer?.cancel(),
      () => options.signal.removeEventListener("abort", aborted),
    );
    this.#bookmarkLater(objects);
  }

  bookmark(revision: number): void {
    this.#tell({ type: "BOOKMARK", resourceVersion: String(revision) });
  }

  async *events(): AsyncGenerator<Event> {
    for (;;) {
      for (let event = this.#waiting.shift(); event !== undefined; event = this.#waiting.shift()) {
        if (this.#options.signal.aborted) return;
        yield event;
      }
      if (this.#end === "ended") return;
      if (this.#end !== "open") throw this.#end;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    for (const close of this.#closers.splice(0)) close();
  }

  #hear({ resource, type, object, before }: Change): void {
    if (!isSame(resource, this.#resource)) return;
    const was = before !== undefined && isShown(before, this.#options);
    const is = type !== "DELETED" && isShown(object, this.#options);
    // What no longer fits the selector is deleted, for who looks through it.
    if (is) this.#tell({ type: was ? "MODIFIED" : "ADDED", object });
    else if (was) this.#tell({ type: "DELETED", object: gone(object, before) });
  }

  #tell(event: Event): void {
    const { fault } = this.#options;
    if (this.#end !== "open" || (fault?.kind === "silent" && this.#told >= fault.afterEvents)) return;
    this.#waiting.push(event);
    this.#told++;
    this.#meetFault();
    if (this.#waiting.length > MAX_WAITING) this.#finish("ended");
    this.#wake?.();
  }

  #meetFault(): void {
    const { fault } = this.#options;
    if (fault === undefined || !("afterEvents" in fault) || this.#told < fault.afterEvents) return;
    if (fault.kind === "drop") this.#finish(new KubeError("the connection of the watch broke"));
    if (fault.kind === "gone") this.#finish(new KubeError("too old resource version", 410, "Expired"));
    if (fault.kind === "end") this.#finish("ended");
  }

  #finish(end: "ended" | KubeError, isForced = false): void {
    // A half-open watch does not end by itself.
    const { fault } = this.#options;
    if (this.#end !== "open" || (!isForced && fault?.kind === "silent")) return;
    this.#end = end;
    this.#wake?.();
  }

  #bookmarkLater(objects: FakeObjects): void {
    this.#bookmarkTimer = this.#options.time.after(BOOKMARK_EVERY_MS, () => {
      this.bookmark(objects.revision);
      this.#bookmarkLater(objects);
    });
  }
}

/** The last state that was shown, at the version of its end. */
function gone(object: KubeObject, before: KubeObject): KubeObject {
  const { resourceVersion = "" } = object.metadata;
  return { ...before, metadata: { ...before.metadata, resourceVersion } };
}
