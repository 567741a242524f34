/**
 * Who cares about this key. Watches of one key stand in a Map, watches of a range in an interval tree; watches of the
 * same range (a thousand clients watching one prefix) share one node, and with it everything computed for it.
 */
import { assert } from "../base/assert.ts";
import type { ByteString } from "../base/bytes.ts";
import { IntervalTree } from "./interval-tree.ts";
import type { SharedEvent } from "./shared-event.ts";
import type { Watcher } from "./watcher.ts";

/** All watchers of one key or range in a group. */
export interface RangeNode {
  readonly start: ByteString;
  readonly end: ByteString | undefined;
  /** In no order; each knows its slot. */
  readonly watchers: Watcher[];
  /** The hub's scratch: the events of the revisions at hand that fall into the range. */
  matched: SharedEvent[];
  /** The live queue's: how many of its jobs are of this node, and the one that remembers no events. */
  jobs: number;
  forgetful: { at: number } | undefined;
}

/** Most nodes wait for a change, and there may be a hundred thousand. Never written to. */
export const NO_EVENTS: SharedEvent[] = [];

export class WatcherGroup {
  readonly #keys = new Map<ByteString, RangeNode>();
  readonly #ranges = new IntervalTree<RangeNode>();
  #size = 0;

  /** Watchers. */
  get size(): number {
    return this.#size;
  }

  /** Different keys and ranges. */
  get nodes(): number {
    return this.#keys.size + this.#ranges.size;
  }

  /** A watcher is in one group at most. */
  add(watcher: Watcher): void {
    assert(watcher.node === undefined, "a watcher is in one group at most");
    const node = this.#nodeFor(watcher.start, watcher.end);
    watcher.node = node;
    watcher.slot = node.watchers.length;
    node.watchers.push(watcher);
    this.#size++;
  }

  /**
   * The last watcher of its node takes its place: whoever removes while walking through `watchers` walks backwards.
   */
  remove(watcher: Watcher): void {
    const node = watcher.node;
    assert(node?.watchers[watcher.slot] === watcher, "only a watcher of this group is removed");
    const last = node.watchers.pop() as Watcher;
    if (last !== watcher) {
      node.watchers[watcher.slot] = last;
      last.slot = watcher.slot;
    }
    watcher.node = undefined;
    this.#size--;
    if (node.watchers.length > 0) return;
    if (node.end === undefined) this.#keys.delete(node.start);
    else this.#ranges.delete(node.start, node.end);
  }

  /** Adds every node whose keys include `key` to `into`. */
  collect(key: ByteString, into: RangeNode[]): void {
    const exact = this.#keys.get(key);
    if (exact !== undefined) into.push(exact);
    if (this.#ranges.size > 0) this.#ranges.collect(key, into);
  }

  #nodeFor(start: ByteString, end: ByteString | undefined): RangeNode {
    const found = end === undefined ? this.#keys.get(start) : this.#ranges.get(start, end);
    if (found !== undefined) return found;
    const node: RangeNode = { start, end, watchers: [], matched: NO_EVENTS, jobs: 0, forgetful: undefined };
    if (end === undefined) this.#keys.set(start, node);
    else this.#ranges.add(start, end, node);
    return node;
  }
}
