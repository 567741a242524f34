/**
 * Watchers that need history, and whose turn it is: streams by turns, and within a stream its watchers by turns. A stream
 * with a hundred thousand watches behind gets no more turns than one with a single watch.
 */
import type { WatchStream } from "./stream.ts";
import type { Watcher } from "./watcher.ts";

/** Watchers looked at for one slice: of each stream, and in all. */
const LOOK_A_STREAM_MIN = 64;
const LOOK_MAX = 2048;

export class BehindQueue {
  /** Both in the order of their turns. */
  readonly #streams = new Map<WatchStream, Set<Watcher>>();
  #size = 0;

  /** Watchers. */
  get size(): number {
    return this.#size;
  }

  sizeOf(stream: WatchStream): number {
    return this.#streams.get(stream)?.size ?? 0;
  }

  /** As the last of its stream. */
  add(watcher: Watcher): void {
    const watchers = this.#streams.get(watcher.stream);
    if (watchers === undefined) this.#streams.set(watcher.stream, new Set([watcher]));
    else watchers.add(watcher);
    this.#size++;
  }

  /** One that is here. */
  delete(watcher: Watcher): void {
    const watchers = this.#streams.get(watcher.stream);
    if (watchers?.delete(watcher) !== true) return;
    this.#size--;
    if (watchers.size === 0) this.#streams.delete(watcher.stream);
  }

  /** The first of the stream whose turn it is, then others to share its slice. They may be deleted meanwhile. */
  *candidates(): Generator<Watcher, void, void> {
    const perStream = Math.max(LOOK_A_STREAM_MIN, Math.floor(LOOK_MAX / Math.max(1, this.#streams.size)));
    let looked = 0;
    for (const watchers of this.#streams.values()) {
      let ofStream = 0;
      for (const watcher of watchers) {
        if (ofStream++ >= perStream) break;
        if (looked++ >= LOOK_MAX) return;
        yield watcher;
      }
    }
  }

  /** The stream has had its turn. */
  turnTaken(stream: WatchStream): void {
    const watchers = this.#streams.get(stream);
    if (watchers === undefined) return;
    this.#streams.delete(stream);
    this.#streams.set(stream, watchers);
  }
}
