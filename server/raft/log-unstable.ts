/**
 * The tail of the log that is not known to be on disk: entries, and at times a received snapshot before them.
 *
 *             offset            inProgress
 *               |                   |
 *     ... on disk ][ being written ][ not yet handed out ]
 *
 * Writes are handed out in order and end in order, and several may be out at once. A new leader may replace entries
 * while they are being written; what an older write makes durable then ends before the place of the replacement, even
 * if the same entries come back later: a write still to come will pass over the disk there.
 */
import { assert } from "../base/assert.ts";
import type { Entry, Snapshot } from "../proto/raftpb.ts";

export class UnstableLog {
  /** Index of the first unstable entry; all before it are on disk. */
  offset: number;
  /** The first entry not yet handed out by `takeEntries`. */
  #inProgress: number;
  #entries: Entry[] = [];
  #snapshot: Snapshot | undefined;
  #snapshotInProgress = false;
  /** For each write that is out, oldest first: the last index that is on disk for good when it ends. */
  #writes: number[] = [];

  constructor(offset: number) {
    this.offset = offset;
    this.#inProgress = offset;
  }

  /** A received snapshot that is not yet on disk. */
  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** Index of the snapshot not yet on disk; undefined when there is none. */
  get snapshotIndex(): number | undefined {
    return this.#snapshot?.metadata?.index;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** Last index, if anything unstable says it. */
  lastIndex(): number | undefined {
    if (this.#entries.length > 0) return this.offset + this.#entries.length - 1;
    return this.snapshotIndex;
  }

  /** Term of the entry at `index`, if it is in here. */
  term(index: number): number | undefined {
    if (index >= this.offset) return this.#entries[index - this.offset]?.term;
    return index === this.snapshotIndex ? this.#snapshot?.metadata?.term : undefined;
  }

  entry(index: number): Entry | undefined {
    return index >= this.offset ? this.#entries[index - this.offset] : undefined;
  }

  /** Entries `low <= index < high`, which are all in here. */
  slice(low: number, high: number): Entry[] {
    assert(low >= this.offset && high <= this.offset + this.#entries.length, "unstable entries are read within bounds");
    return this.#entries.slice(low - this.offset, high - this.offset);
  }

  /** One entry of our own, behind the last. */
  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** Entries of a leader: from the first of them on they replace what was there. */
  replaceFrom(entries: readonly Entry[]): void {
    const from = (entries[0] as Entry).index;
    if (from <= this.offset) {
      // The disk has entries that are no longer ours: the tail begins earlier now.
      this.offset = from;
      this.#entries.length = 0;
    } else {
      assert(from <= this.offset + this.#entries.length, "entries join the log without a gap");
      this.#entries.length = from - this.offset;
    }
    this.#inProgress = Math.min(this.#inProgress, from);
    this.#lowerWrites(from - 1);
    for (const entry of entries) this.#entries.push(entry);
  }

  get hasEntriesToWrite(): boolean {
    return this.#inProgress < this.offset + this.#entries.length;
  }

  /** Begins a write: the entries to append to the disk, maybe none. Each is handed out once unless it is replaced. */
  beginWrite(): Entry[] {
    const entries = this.#entries.slice(this.#inProgress - this.offset);
    this.#inProgress += entries.length;
    this.#writes.push(this.#inProgress - 1);
    return entries;
  }

  /** The oldest write is on disk: the entries that are stable now leave this tail. */
  endWrite(): Entry[] {
    const index = this.#writes.shift();
    assert(index !== undefined, "a write that ends was begun");
    return this.#stableTo(index);
  }

  get hasSnapshotToTake(): boolean {
    return this.#snapshot !== undefined && !this.#snapshotInProgress;
  }

  takeSnapshot(): Snapshot | undefined {
    if (this.#snapshotInProgress) return undefined;
    this.#snapshotInProgress = this.#snapshot !== undefined;
    return this.#snapshot;
  }

  /** The snapshot at `index` is on disk. */
  snapshotStable(index: number): void {
    if (this.snapshotIndex !== index) return;
    this.#snapshot = undefined;
    this.#snapshotInProgress = false;
  }

  /** A received snapshot takes the place of everything. */
  restore(snapshot: Snapshot, index: number): void {
    this.offset = index + 1;
    this.#inProgress = this.offset;
    this.#entries = [];
    this.#snapshot = snapshot;
    this.#snapshotInProgress = false;
    this.#lowerWrites(0);
  }

  #stableTo(index: number): Entry[] {
    const count = index + 1 - this.offset;
    if (count <= 0) return [];
    assert(count <= this.#entries.length && index < this.#inProgress, "only entries handed out become stable");
    const all = count === this.#entries.length;
    const stable = all ? this.#entries : this.#entries.slice(0, count);
    this.#entries = all ? [] : this.#entries.slice(count);
    this.offset = index + 1;
    return stable;
  }

  #lowerWrites(index: number): void {
    for (let at = 0; at < this.#writes.length; at++) {
      if ((this.#writes[at] as number) > index) this.#writes[at] = index;
    }
  }
}
