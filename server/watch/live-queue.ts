/**
 * Changes that so many watchers wait for that they are given them in slices: a hundred thousand messages at once would
 * hold up everything else. The watchers stay synced meanwhile; each gets its revisions in order, for it stands in one node
 * and the jobs of a node are done one after another.
 *
 *      node   [ w0 w1 w2 | w3 w4 ]      backwards: right of the mark they have got it
 *                       at ^
 *
 * Watchers come and go between two slices: a new one stands at the end and wants later revisions, and when one leaves the
 * last takes its place, maybe one that was served. `nextRevision` tells who has got what.
 *
 * A node with too many jobs gets one more that remembers no events: whoever it meets falls behind and reads history.
 */
import { type EventList, type SharedEvent, selectEvents } from "./shared-event.ts";
import { SHAPES, type Watcher } from "./watcher.ts";
import type { RangeNode } from "./watcher-group.ts";

/** Revisions that one node waits for, from which on they are not remembered any more. */
export const LIVE_JOBS_MAX = 64;

interface Job {
  readonly node: RangeNode;
  readonly revisions: Revisions;
  /** Undefined: whoever is met falls behind. */
  readonly matched: readonly SharedEvent[] | undefined;
  readonly lists: (EventList | undefined)[];
  /** The next watcher of the node. */
  at: number;
}

/** The first and the last. */
export interface Revisions {
  readonly from: number;
  readonly to: number;
}

/** What is done to a watcher that is met. */
export interface Receiver {
  /** The events of revisions `from` to `revision`. */
  give(watcher: Watcher, list: EventList, from: number, revision: number): void;
  /** It is to read history from there on. */
  fallBehind(watcher: Watcher, fromRevision: number): void;
}

export class LiveQueue {
  #jobs: Job[] = [];
  #first = 0;

  get size(): number {
    return this.#jobs.length - this.#first;
  }

  add(node: RangeNode, matched: readonly SharedEvent[], revisions: Revisions): void {
    const at = node.watchers.length - 1;
    const lists = new Array<EventList | undefined>(SHAPES).fill(undefined);
    if (node.forgetful !== undefined) {
      node.forgetful.at = at; // those who have come since are met as well
      return;
    }
    node.jobs++;
    const forgets = node.jobs > LIVE_JOBS_MAX;
    const job: Job = { node, revisions, matched: forgets ? undefined : matched, lists, at };
    if (forgets) node.forgetful = job;
    this.#jobs.push(job);
  }

  /** Serves up to `count` watchers; how many it met. `current`: the last revision published. */
  serve(count: number, current: number, receiver: Receiver): number {
    let met = 0;
    while (met < count && this.#first < this.#jobs.length) {
      const job = this.#jobs[this.#first] as Job;
      met += this.#serveJob(job, count - met, current, receiver);
      if (job.at >= 0) break;
      job.node.jobs--;
      if (job.node.forgetful === job) job.node.forgetful = undefined;
      this.#first++;
    }
    if (this.#first === this.#jobs.length) {
      this.#jobs = [];
      this.#first = 0;
    }
    return met;
  }

  #serveJob(job: Job, count: number, current: number, receiver: Receiver): number {
    const { watchers } = job.node;
    const { from, to } = job.revisions;
    let met = 0;
    for (job.at = Math.min(job.at, watchers.length - 1); job.at >= 0 && met < count; job.at--) {
      const watcher = watchers[job.at] as Watcher;
      met++;
      if (job.matched === undefined) {
        if (watcher.nextRevision <= current) receiver.fallBehind(watcher, Math.max(watcher.nextRevision, from));
        continue;
      }
      if (to < watcher.nextRevision) continue;
      const list = listFor(watcher, job.lists, job.matched, from);
      const next = Math.max(watcher.nextRevision, from);
      watcher.nextRevision = to + 1;
      if (list.events.length > 0) receiver.give(watcher, list, next, to);
    }
    return Math.max(met, 1);
  }
}

/** What the watcher wants of `matched`, which begins at revision `from`: shared by `lists`, unless it starts in between. */
export function listFor(
  watcher: Watcher,
  lists: (EventList | undefined)[],
  matched: readonly SharedEvent[],
  from: number,
): EventList {
  if (watcher.nextRevision > from) return selectEvents(matched, watcher.shape, watcher.nextRevision);
  lists[watcher.shape] ??= selectEvents(matched, watcher.shape, 0);
  return lists[watcher.shape] as EventList;
}
