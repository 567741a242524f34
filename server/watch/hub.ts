/**
 * The one publisher of changes. Apply hands over each revision once, in order, and says when it has finished a run of
 * them; every watcher that cares then gets those of the run in one response, or, if its stream has no room, is noted as
 * behind and reads history later. Apply is never made to wait.
 *
 *   create ---- start above current ------------------------------------.
 *     |                                                                 v
 *     '---- start in the past ----> behind --- catchUp(): level ---> synced --- note(), deliver() ---> outbox
 *                                   ^    |                              |
 *           stream drained (next()) |    | no room     no room          |
 *                                   '--- stalled <----------------------'
 *
 *   behind, and its revision was compacted: canceled with the compact revision, and gone.
 *
 * A watcher is given everything up to the hub's own revision, the last one published, never the store's: so it does not
 * matter how many revisions apply has finished before it publishes them.
 *
 * Reading history costs what it brings: one slice is read once for all watchers (up to 512) that stand inside it, and
 * those of one range share the result. Watchers whose stream has no room are not looked at.
 */
import { assert } from "../base/assert.ts";
import type { Change } from "../mvcc/event.ts";
import { BehindQueue } from "./behind-queue.ts";
import { LiveQueue, listFor, type Receiver } from "./live-queue.ts";
import type { Parcel } from "./outbox.ts";
import { type EventList, type PreviousValues, progressParcel, SharedEvent, selectEvents } from "./shared-event.ts";
import { type StreamHost, WatchStream } from "./stream.ts";
import { SHAPES, type Watcher } from "./watcher.ts";
import { NO_EVENTS, type RangeNode, WatcherGroup } from "./watcher-group.ts";

/** Watchers that share one read of history: etcd's. */
export const CATCH_UP_WATCHERS = 512;

/** Revisions in one catch-up response, and in one read of history, at most: etcd's. */
export const CATCH_UP_REVISIONS = 1000;

/** Watchers given a change in the call that publishes it; where there are more, they have theirs in slices. */
export const LIVE_AT_ONCE = 1024;

/**
 * What is gathered between two deliveries, unless one revision alone has more: a message stays far below the 4 MiB that
 * many clients take, also with the previous values in it.
 */
export const GATHERED_REVISIONS = 256;
export const GATHERED_BYTES = 512 * 1024;

/** Watchers of a closed stream let go at once, and of a stream resumed when it has room: so many more parcels fit. */
const DISMISSED_AT_ONCE = 1024;
const RESUMED_AT_ONCE = 64;

/**
 * A slice ends early once it has brought this many bytes; looked at every so many revisions. So large values, also
 * when they come after small ones, take at most SLICE_BYTES + 32 requests of the largest size (1.5 MiB) at once.
 */
const SLICE_BYTES = 2 * 1024 * 1024;
const READ_REVISIONS = 32;

/** What a slice gives to its watchers in all: each is sent a message of its own, though they share the events. */
const DELIVERED_BYTES = 512 * 1024;

/** What the hub asks of the store. */
export interface WatchHistory extends PreviousValues {
  readonly currentRevision: number;
  /** Revisions below it are gone; -1: none is. */
  readonly compactRevision: number;
  /** The changes of `fromRevision` to `toRevision`, both included, whole revisions in order, `limitRevisions` at most. */
  events(fromRevision: number, toRevision: number, limitRevisions: number): Change[];
}

export interface WatchStats {
  readonly streams: number;
  readonly watchers: number;
  /** Behind or stalled. */
  readonly slowWatchers: number;
  /** Events in outboxes. */
  readonly pendingEvents: number;
  /** Their bytes, counted for each stream though streams share them. */
  readonly pendingBytes: number;
  /** Events taken out by senders since the start. */
  readonly sentEvents: number;
}

export class WatchHub {
  readonly #history: WatchHistory;
  readonly #maxResponseBytes: number;
  readonly #onBehind: () => void;
  readonly #liveAtOnce: number;
  /** `onBehind` was called, and `catchUp` has not said since that nothing is left. */
  #behindKnown = false;
  readonly #streams = new Set<WatchStream>();
  readonly #synced = new WatcherGroup();
  readonly #behind = new BehindQueue();
  readonly #live = new LiveQueue();
  /** Of closed streams, to be let go. */
  #leaving: Iterator<Watcher>[] = [];
  readonly #notified = new Set<Watcher>();
  /** The last revision published. */
  #revision: number;
  #stalled = 0;
  #sentEvents = 0;
  #woken: WatchStream[] = [];
  #calling = false;
  /** Noted and not delivered: the nodes that match, the first of the revisions, and how much they are. */
  readonly #touched: RangeNode[] = [];
  #notedFrom = 0;
  #notedChanges = 0;
  #notedBytes = 0;
  /** Kept between calls: for nodes that match a change, and for event lists by shape. */
  readonly #matches: RangeNode[] = [];
  readonly #lists: (EventList | undefined)[] = new Array<EventList | undefined>(SHAPES).fill(undefined);

  /**
   * `maxResponseBytes`: from this size on a response is cut for watchers that asked for fragments (etcd:
   * max-request-bytes + 512 KiB). `onBehind`: a watcher has fallen behind, so `catchUp` has something to do; called
   * once until that answers false, maybe from within the work of the hub, and so only to note it. `liveAtOnce`:
   * LIVE_AT_ONCE when left out. `history` is restored
   * already, else `restored` is called when it is.
   */
  constructor(
    history: WatchHistory,
    options: { readonly maxResponseBytes: number; readonly onBehind?: () => void; readonly liveAtOnce?: number },
  ) {
    this.#history = history;
    this.#maxResponseBytes = options.maxResponseBytes;
    this.#onBehind = options.onBehind ?? (() => undefined);
    this.#liveAtOnce = options.liveAtOnce ?? LIVE_AT_ONCE;
    this.#revision = history.currentRevision;
  }

  /**
   * A client's stream. `onWritable` is called when something waits, once until `next` has answered undefined; not from
   * within the work of the hub, so it may call anything here. It does not throw.
   */
  openStream(options: { readonly onWritable: () => void }): WatchStream {
    const stream = new WatchStream(this.#host, options.onWritable);
    this.#streams.add(stream);
    return stream;
  }

  /** Whether `catchUp` has something to do now. */
  get behind(): boolean {
    return this.#behind.size > 0 || this.delivering || this.#leaving.length > 0;
  }

  /** Whether watchers that are synced still wait for a change: that is urgent. */
  get delivering(): boolean {
    return this.#live.size > 0;
  }

  /** `note` and `deliver`. */
  publish(revision: number, changes: readonly Change[]): void {
    this.note(revision, changes);
    this.deliver();
  }

  /**
   * One revision was applied: exactly one above the last. Its changes are in order, and at least one. Watchers have it
   * when `deliver` is called, at the latest; before anything else is asked of the hub, and before history is compacted.
   */
  note(revision: number, changes: readonly Change[]): void {
    assert(
      revision === this.#revision + 1,
      `publish revision ${revision} after ${this.#revision}: revisions come one by one, or restored() tells of the jump`,
    );
    if (this.#synced.size === 0) {
      this.#revision = revision;
      return;
    }
    let bytes = 0;
    for (const { kv } of changes) bytes += kv.length;
    const isFull = this.#notedBytes + bytes > GATHERED_BYTES || revision - this.#notedFrom >= GATHERED_REVISIONS;
    if (isFull) this.deliver();
    this.#revision = revision;
    if (this.#touched.length === 0) this.#notedFrom = revision;
    for (const change of changes) {
      assert(change.revision.main === revision, "changes belong to the revision they are published with");
      this.#match(this.#synced, change, this.#touched);
    }
    this.#notedChanges += changes.length;
    this.#notedBytes += bytes;
  }

  /** Gives to the watchers what was noted: several revisions in one response. */
  deliver(): void {
    let atOnce = this.#liveAtOnce;
    for (const node of this.#touched) {
      atOnce -= node.watchers.length;
      if (atOnce < 0 || node.jobs > 0) this.#deliverLater(node);
      else this.#deliverLive(node);
      // With one change every range it falls into has the same list.
      if (this.#notedChanges > 1) this.#lists.fill(undefined);
    }
    this.#lists.fill(undefined);
    this.#touched.length = 0;
    this.#notedChanges = 0;
    this.#notedBytes = 0;
    this.#callWoken();
  }

  /**
   * The store was replaced by a snapshot, or restored after the hub was made: revisions came without being published.
   * Synced watchers read what they missed from history; none sees an old revision again.
   */
  restored(): void {
    this.deliver();
    while (this.#live.size > 0) this.#live.serve(LIVE_AT_ONCE, this.#revision, this.#receiver);
    const before = this.#revision;
    const current = this.#history.currentRevision;
    assert(current >= before, `restored at revision ${current}, below ${before} that was published`);
    this.#revision = current;
    for (const watcher of this.#allWatchers()) {
      if (watcher.state !== "synced") continue;
      watcher.nextRevision = Math.max(watcher.nextRevision, before + 1);
      if (watcher.nextRevision > current) continue;
      this.#synced.remove(watcher);
      this.#fallBehind(watcher);
    }
  }

  /**
   * One slice of what is not done at once: changes for many synced watchers first, then history for those behind, about
   * `budget` revisions or watchers in all. True: there is more to do now. Called soon after `onBehind`.
   */
  catchUp(budget: number): boolean {
    this.deliver();
    this.#behindKnown = true;
    let left = budget - this.#live.serve(budget, this.#revision, this.#receiver);
    while (left > 0 && this.#behind.size > 0) left -= this.#catchUpSlice(Math.min(left, CATCH_UP_REVISIONS));
    if (left > 0) this.#letGo(DISMISSED_AT_ONCE);
    this.#callWoken();
    this.#behindKnown = this.behind;
    return this.#behindKnown;
  }

  /**
   * The progress interval passed: a notice for each watch that asked for them, had no event since the last tick, is
   * synced and has started. The caller brings the interval and its jitter.
   */
  progressTick(): void {
    this.deliver();
    for (const watcher of this.#notified) {
      const waits = watcher.node !== undefined && watcher.node.jobs > 0; // for events that are not given yet
      if (watcher.idle && !waits && watcher.state === "synced" && watcher.startRevision <= this.#revision) {
        watcher.stream.offer(progressParcel(watcher.id, this.#revision)); // no room: the next tick tries again
      }
      watcher.idle = true;
    }
    this.#callWoken();
  }

  /** Walks over all streams: for metrics, not for every request. */
  stats(): WatchStats {
    let watchers = 0;
    let pendingEvents = 0;
    let pendingBytes = 0;
    for (const stream of this.#streams) {
      watchers += stream.size;
      pendingEvents += stream.pendingEvents;
      pendingBytes += stream.pendingBytes;
    }
    return {
      streams: this.#streams.size,
      watchers,
      slowWatchers: this.#behind.size + this.#stalled,
      pendingEvents,
      pendingBytes,
      sentEvents: this.#sentEvents,
    };
  }

  // --- live ---

  /** Notes `change` at every node of `group` whose keys include its key. */
  #match(group: WatcherGroup, change: Change, touched: RangeNode[]): void {
    const matches = this.#matches;
    group.collect(change.key, matches);
    if (matches.length === 0) return;
    const event = new SharedEvent(change, this.#history);
    for (const node of matches) {
      if (node.matched.length === 0) {
        touched.push(node);
        node.matched = [event];
      } else node.matched.push(event);
    }
    matches.length = 0;
  }

  #deliverLive(node: RangeNode): void {
    const { matched, watchers } = node;
    node.matched = NO_EVENTS;
    const lists = this.#lists;
    const from = this.#notedFrom;
    const revision = this.#revision;
    // Backwards: a watcher that falls behind leaves, and the last one takes its slot.
    for (let at = watchers.length - 1; at >= 0; at--) {
      const watcher = watchers[at] as Watcher;
      if (revision < watcher.nextRevision) continue; // asked for a later start
      const list = listFor(watcher, lists, matched, from);
      if (list.events.length > 0) this.#give(watcher, list, Math.max(watcher.nextRevision, from), revision);
    }
  }

  #deliverLater(node: RangeNode): void {
    this.#live.add(node, node.matched, { from: this.#notedFrom, to: this.#revision });
    node.matched = NO_EVENTS;
    this.#announceWork();
  }

  /** The events from revision `from` on; the response says that it goes up to `revision`. */
  #give(watcher: Watcher, list: EventList, from: number, revision: number): void {
    if (watcher.stream.offer(list.parcelFor(watcher, revision, this.#maxResponseBytes))) {
      watcher.idle = false;
      return;
    }
    this.#synced.remove(watcher);
    watcher.nextRevision = from;
    watcher.stream.unsynced++;
    this.#stall(watcher);
  }

  readonly #receiver: Receiver = {
    give: (watcher, list, from, revision) => this.#give(watcher, list, from, revision),
    fallBehind: (watcher, fromRevision) => {
      this.#synced.remove(watcher);
      watcher.nextRevision = fromRevision;
      this.#fallBehind(watcher);
    },
  };

  // --- catching up ---

  /** Gives up to `revisions` of history to those whose turn it is; the revisions read. */
  #catchUpSlice(revisions: number): number {
    const { from, to: limit, watchers } = this.#chooseSlice(revisions);
    if (watchers.length === 0) return 0;
    const group = new WatcherGroup();
    for (const watcher of watchers) group.add(watcher);
    const touched: RangeNode[] = [];
    const to = this.#readSlice(from, limit, (change) => this.#match(group, change, touched));
    const lists = new Map<RangeNode, Map<number, EventList>>();
    for (const node of touched) lists.set(node, new Map<number, EventList>());
    let bytes = 0;
    for (const watcher of watchers) {
      if (bytes > DELIVERED_BYTES)
        watcher.node = undefined; // its turn comes again: its place is kept
      else bytes += this.#deliverHistory(watcher, lists, from, to);
    }
    const { stream } = watchers[0] as Watcher;
    this.#behind.turnTaken(stream);
    for (const watcher of watchers) this.#resumeSome(watcher.stream);
    return bytes > DELIVERED_BYTES ? Number.POSITIVE_INFINITY : Math.max(to - from + 1, watchers.length);
  }

  /** Reads whole revisions from `from` on; the last one read: `limit`, or earlier when they were large. */
  #readSlice(from: number, limit: number, take: (change: Change) => void): number {
    let bytes = 0;
    let next = from;
    while (next <= limit && bytes < SLICE_BYTES) {
      const last = Math.min(limit, next + READ_REVISIONS - 1);
      for (const change of this.#history.events(next, last, last - next + 1)) {
        bytes += change.kv.length;
        take(change);
      }
      next = last + 1;
    }
    return next - 1;
  }

  /**
   * The watcher whose turn it is, with all others that stand inside the slice that starts where it stands. By turns and
   * not by lowest revision: one that starts far back must not hold up those that are nearly level. Compacted ones met
   * on the way are canceled.
   */
  #chooseSlice(revisions: number): { from: number; to: number; watchers: Watcher[] } {
    const watchers: Watcher[] = [];
    let from = 0;
    let to = 0;
    for (const watcher of this.#behind.candidates()) {
      if (watcher.nextRevision < this.#history.compactRevision) {
        this.#endCompacted(watcher);
        continue;
      }
      if (watchers.length === 0) {
        from = watcher.nextRevision;
        to = Math.min(this.#revision, from + revisions - 1);
      } else if (watcher.nextRevision < from || watcher.nextRevision > to) continue;
      watchers.push(watcher);
      if (watchers.length === CATCH_UP_WATCHERS) break;
    }
    return { from, to, watchers };
  }

  /** Answers the bytes that it was given. */
  #deliverHistory(watcher: Watcher, lists: Map<RangeNode, Map<number, EventList>>, from: number, to: number): number {
    const parcel = watcher.nextRevision > to ? undefined : this.#historyParcel(watcher, lists, from);
    watcher.node = undefined; // the group lived for this slice only
    this.#behind.delete(watcher);
    if (parcel !== undefined) {
      if (!watcher.stream.offer(parcel)) {
        this.#stall(watcher);
        return 0;
      }
      watcher.idle = false;
    }
    watcher.nextRevision = Math.max(watcher.nextRevision, to + 1);
    if (to < this.#revision) {
      this.#behind.add(watcher); // at the end: others have their turn
    } else {
      watcher.stream.unsynced--;
      this.#becomeSynced(watcher);
    }
    return parcel?.bytes ?? 0;
  }

  #historyParcel(watcher: Watcher, lists: Map<RangeNode, Map<number, EventList>>, from: number): Parcel | undefined {
    const node = watcher.node as RangeNode;
    const byStart = lists.get(node);
    if (byStart === undefined) return undefined;
    const key = (watcher.nextRevision - from) * SHAPES + watcher.shape;
    let list = byStart.get(key);
    if (list === undefined) {
      list = selectEvents(node.matched, watcher.shape, watcher.nextRevision);
      byStart.set(key, list);
    }
    return list.events.length === 0 ? undefined : list.parcelFor(watcher, this.#revision, this.#maxResponseBytes);
  }

  #endCompacted(watcher: Watcher): void {
    if (!watcher.stream.hasAnswerRoom) {
      this.#behind.delete(watcher);
      this.#stall(watcher);
      return;
    }
    this.#dismiss(watcher);
    watcher.stream.endCompacted(watcher, this.#history.compactRevision);
  }

  // --- states ---

  #enroll(watcher: Watcher): void {
    if (watcher.progressNotify) this.#notified.add(watcher);
    if (watcher.nextRevision > this.#revision) this.#becomeSynced(watcher);
    else {
      this.#fallBehind(watcher);
      if (watcher.nextRevision < this.#history.compactRevision) this.#endCompacted(watcher);
    }
  }

  #becomeSynced(watcher: Watcher): void {
    watcher.state = "synced";
    this.#synced.add(watcher);
  }

  #fallBehind(watcher: Watcher): void {
    watcher.state = "behind";
    watcher.stream.unsynced++;
    this.#queue(watcher);
  }

  #queue(watcher: Watcher): void {
    this.#behind.add(watcher);
    this.#announceWork();
  }

  #announceWork(): void {
    if (this.#behindKnown) return;
    this.#behindKnown = true;
    this.#onBehind();
  }

  /** Its stream has no room: it waits there until it has. */
  #stall(watcher: Watcher): void {
    watcher.state = "stalled";
    watcher.stream.stalled.add(watcher);
    this.#stalled++;
  }

  /** As many as there is room for: a hundred thousand would only find out one by one that there is none. */
  #resumeSome(stream: WatchStream): void {
    if (stream.stalled.size === 0 || !stream.settled) return;
    let room = RESUMED_AT_ONCE - this.#behind.sizeOf(stream);
    for (const watcher of stream.stalled) {
      if (room-- <= 0) return;
      this.#unstall(watcher);
      watcher.state = "behind";
      this.#queue(watcher);
    }
  }

  #unstall(watcher: Watcher): void {
    watcher.stream.stalled.delete(watcher);
    this.#stalled--;
  }

  #dismiss(watcher: Watcher): void {
    this.#notified.delete(watcher);
    switch (watcher.state) {
      case "synced":
        this.#synced.remove(watcher);
        break;
      case "behind":
        this.#behind.delete(watcher);
        watcher.stream.unsynced--;
        break;
      case "stalled":
        this.#unstall(watcher);
        watcher.stream.unsynced--;
        break;
      case "gone":
        assert(false, "a watcher is dismissed once");
    }
    watcher.state = "gone";
  }

  /** Up to `count` watchers of streams that were closed. */
  #letGo(count: number): void {
    for (let left = count; left > 0 && this.#leaving.length > 0; left--) {
      const next = (this.#leaving[0] as Iterator<Watcher>).next();
      if (next.done === true) this.#leaving.shift();
      else if (next.value.state !== "gone") this.#dismiss(next.value);
    }
  }

  *#allWatchers(): Iterable<Watcher> {
    for (const stream of this.#streams) yield* stream.watchers();
  }

  // --- streams ---

  readonly #host: StreamHost = {
    revision: () => this.#revision,
    enroll: (watcher) => this.#enroll(watcher),
    dismiss: (watcher) => this.#dismiss(watcher),
    resume: (stream) => this.#resumeSome(stream),
    delivering: () => this.delivering || this.#touched.length > 0,
    wake: (stream) => {
      this.#woken.push(stream);
    },
    callWoken: () => this.#callWoken(),
    sent: (events) => {
      this.#sentEvents += events;
    },
    closed: (stream) => {
      this.#streams.delete(stream);
      this.#leaving.push(stream.watchers()[Symbol.iterator]());
      this.#letGo(DISMISSED_AT_ONCE);
      if (this.#leaving.length > 0) this.#announceWork();
    },
  };

  /** Streams are called when the hub's own state is whole again, for they call back in. */
  #callWoken(): void {
    if (this.#calling) return; // the call further up goes on with those added here
    this.#calling = true;
    for (let at = 0; at < this.#woken.length; at++) (this.#woken[at] as WatchStream).callWritable();
    this.#woken = [];
    this.#calling = false;
  }
}
