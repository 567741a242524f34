/**
 * All watches of one client stream, and what it still has to be sent. Requests go in by method, messages come out by
 * `next`; the service in between adds the header and knows the wire.
 *
 * There is no bound on watches per stream, as in etcd: one costs a few hundred bytes here and is counted in the hub's
 * `stats`; the bounds are on what waits to be sent.
 */
import { assert } from "../base/assert.ts";
import type { WatchCreateRequest } from "../proto/etcdserverpb.ts";
import { type Delivery, Outbox, type Parcel } from "./outbox.ts";
import { answerParcel, progressParcel } from "./shared-event.ts";
import { INVALID_WATCH_ID, rangeOf, Watcher } from "./watcher.ts";

/** etcd's texts. */
const EMPTY_RANGE = "mvcc: watcher range is empty";
const DUPLICATE_ID = "mvcc: duplicate watch ID provided on the WatchStream";
const COMPACTED = "etcdserver: mvcc: required revision has been compacted";
/** Ours: a larger number would come back changed. */
const ID_OUT_OF_RANGE = "mvcc: watch ID is out of range";

/** What a stream asks of its hub. */
export interface StreamHost {
  /** Up to which the hub has published. */
  revision(): number;
  /** Puts a new watcher in its place; a compacted one gets its end at once. */
  enroll(watcher: Watcher): void;
  /** Takes a watcher out, whatever its state. */
  dismiss(watcher: Watcher): void;
  /** There is room again for watchers that stalled on this stream. */
  resume(stream: WatchStream): void;
  /** Some synced watchers wait for changes up to `revision`. */
  delivering(): boolean;
  /** Something waits on a stream where nothing did. */
  wake(stream: WatchStream): void;
  /** Calls the streams woken since the last time. */
  callWoken(): void;
  sent(events: number): void;
  closed(stream: WatchStream): void;
}

export class WatchStream {
  readonly #host: StreamHost;
  readonly #onWritable: () => void;
  readonly #outbox = new Outbox();
  readonly #watchers = new Map<number, Watcher>();
  /** Watchers that need history and wait for room here. The hub's to fill. */
  readonly stalled = new Set<Watcher>();
  /** Watchers of this stream that are behind or stalled. The hub's to count. */
  unsynced = 0;
  #nextId = 0;
  /** No watcher starts later: a progress notice need not look at each of them. */
  #latestStart = 0;
  #awake = false;
  #open = true;

  /** Through `WatchHub.openStream`. */
  constructor(host: StreamHost, onWritable: () => void) {
    this.#host = host;
    this.#onWritable = onWritable;
  }

  // --- the client's requests ---

  /**
   * Answers "created", with events to follow, or "created" and "canceled" at once with the reason. Whether the client
   * may read these keys was checked before (see `reject`). Throws TooManyRequests when far too many answers wait
   * because the caller read on though `full`: it ends the stream.
   */
  create(request: WatchCreateRequest): void {
    if (!this.#open) return;
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) {
      this.reject(refusal);
      return;
    }
    const range = rangeOf(request);
    assert(range !== undefined, "an empty range was refused");
    const id = request.watchId === 0 ? this.#unusedId() : request.watchId;
    const current = this.#host.revision();
    const nextRevision = request.startRevision === 0 ? current + 1 : request.startRevision;
    this.#outbox.answer(answerParcel({ watchId: id, created: true }, current));
    const watcher = new Watcher(this, id, range, request, nextRevision);
    this.#watchers.set(id, watcher);
    this.#latestStart = Math.max(this.#latestStart, request.startRevision);
    this.#host.enroll(watcher);
    this.#announce();
  }

  /** Refuses a watch before it exists, for example for want of permission: id -1, created and canceled. */
  reject(reason: string): void {
    this.#answer({ watchId: INVALID_WATCH_ID, created: true, canceled: true, cancelReason: reason });
  }

  /** Ends a watch and answers so, behind the events that wait already. An unknown id gets no answer. */
  cancel(watchId: number): void {
    const watcher = this.#open ? this.#watchers.get(watchId) : undefined;
    if (watcher === undefined) return;
    this.#watchers.delete(watchId);
    this.#host.dismiss(watcher);
    this.#answer({ watchId, canceled: true });
  }

  /**
   * One notice for all watches (id -1): nothing up to its revision is missing. It is left out when any of them is not
   * synced or starts later, when there is none, or when there is no room: the client asks again. It stands behind all
   * events that wait, and so never runs ahead of them.
   */
  requestProgress(): void {
    if (!this.#open || this.#watchers.size === 0 || this.unsynced > 0 || this.#host.delivering()) return;
    const revision = this.#host.revision();
    if (this.#latestStart > revision && this.#startsLaterThan(revision)) return;
    if (this.#outbox.offer(progressParcel(INVALID_WATCH_ID, revision))) this.#announce();
  }

  // --- the sender's side ---

  /** The next message to send; undefined when nothing waits: then `onWritable` is called for the next one. */
  next(): Delivery | undefined {
    const delivery = this.#outbox.next();
    if (this.stalled.size > 0) this.#host.resume(this);
    if (delivery === undefined) {
      this.#awake = false;
      return undefined;
    }
    if (delivery.response.events.length > 0) this.#host.sent(delivery.response.events.length);
    return delivery;
  }

  /** Messages waiting, fragments of one counted as one. */
  get waiting(): number {
    return this.#outbox.waiting;
  }

  /** Events waiting. */
  get pendingEvents(): number {
    return this.#outbox.events;
  }

  /** Bytes of events waiting; other streams may hold the same bytes. */
  get pendingBytes(): number {
    return this.#outbox.bytes;
  }

  /** Whether watchers that stalled may catch up. */
  get settled(): boolean {
    return this.#outbox.settled;
  }

  /** The client asks faster than it reads: read no further requests of this stream until it is false again. */
  get full(): boolean {
    return this.#outbox.full;
  }

  /** Watches, for the hub. */
  watchers(): Iterable<Watcher> {
    return this.#watchers.values();
  }

  /** Watches. */
  get size(): number {
    return this.#watchers.size;
  }

  /** The client is gone: all watches end, nothing more is sent. May be called twice. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#outbox.clear();
    this.#host.closed(this); // lets the watchers go, many of them in slices
  }

  // --- the hub's side ---

  /** Takes events or progress for the stream, if there is room. Calls nobody; see `StreamHost.callWoken`. */
  offer(parcel: Parcel): boolean {
    if (!this.#open) return true; // for nobody
    if (!this.#outbox.offer(parcel)) return false;
    this.#wake();
    return true;
  }

  /** The watch asked for revisions that are gone. Header revision 0, created=false, no reason: etcd's form. */
  endCompacted(watcher: Watcher, compactRevision: number): void {
    this.#watchers.delete(watcher.id);
    if (!this.#open) return;
    this.#outbox.answer(answerParcel({ watchId: watcher.id, canceled: true, compactRevision }, 0));
    this.#wake();
  }

  /** Whether an end that the client did not ask for may be queued: it can wait for better times. */
  get hasAnswerRoom(): boolean {
    return !this.#outbox.full;
  }

  /** By the hub, after its own work is done: whoever is called here may call back in. */
  callWritable(): void {
    if (this.#open) this.#onWritable();
  }

  // --- inside ---

  #refusalOf(request: WatchCreateRequest): string | undefined {
    if (request.startRevision < 0) return COMPACTED;
    if (rangeOf(request) === undefined) return EMPTY_RANGE;
    if (Math.abs(request.watchId) >= Number.MAX_SAFE_INTEGER) return ID_OUT_OF_RANGE;
    if (request.watchId !== 0 && this.#watchers.has(request.watchId)) return DUPLICATE_ID;
    return undefined;
  }

  #unusedId(): number {
    while (this.#watchers.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  #startsLaterThan(revision: number): boolean {
    for (const watcher of this.#watchers.values()) if (watcher.startRevision > revision) return true;
    return false;
  }

  #answer(fields: Parameters<typeof answerParcel>[0]): void {
    if (!this.#open) return;
    this.#outbox.answer(answerParcel(fields, this.#host.revision()));
    this.#announce();
  }

  #announce(): void {
    this.#wake();
    this.#host.callWoken();
  }

  #wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    this.#host.wake(this);
  }
}
