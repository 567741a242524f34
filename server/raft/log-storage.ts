/**
 * The entries that are on disk, kept in memory since the last compaction, with the hard state and the snapshot that
 * stand before them. `RawNode.persisted` fills it; the conductor makes it at start from what the write-ahead log gave
 * back, notes snapshots in it and compacts it.
 *
 *     snapshot.index                lastIndex
 *          |                            |
 *     [ compacted ][ entries ...        ]      compacted <= snapshot.index
 */
import { assert } from "../base/assert.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import type { ConfState, Entry, HardState, Snapshot, SnapshotMetadata } from "../proto/raftpb.ts";
import { emptyConfState } from "./conf-change.ts";
import { NONE } from "./message.ts";

/** Bytes of an entry on the wire beyond its data, at most: type, term, index, lengths. */
const ENTRY_OVERHEAD_BYTES = 24;

/** What an entry counts for where messages and batches are bounded: an upper bound of its encoded size. */
export function entrySize(entry: Entry): number {
  return entry.data.length + ENTRY_OVERHEAD_BYTES;
}

export interface LogStorageStart {
  /** As last saved; none: a log never used. */
  readonly hardState?: HardState | undefined;
  /** The newest snapshot: where `entries` begin, and the configuration there. */
  readonly snapshot?: SnapshotMetadata | undefined;
  /** What follows the snapshot, without a gap. */
  readonly entries?: readonly Entry[] | undefined;
}

export class LogStorage {
  #hardState: HardState;
  #snapshot: Snapshot;
  #compactedIndex: number;
  #compactedTerm: number;
  /** Entry i stands at `#entries[#head + i - #compactedIndex - 1]`; what is before `#head` waits to be dropped. */
  #entries: (Entry | undefined)[] = [];
  #head = 0;
  #bytes = 0;

  constructor(start: LogStorageStart = {}) {
    this.#hardState = start.hardState ?? { term: 0, vote: NONE, commit: 0 };
    const metadata = start.snapshot ?? { index: 0, term: 0, confState: undefined };
    this.#snapshot = { data: EMPTY_BYTES, metadata };
    this.#compactedIndex = metadata.index;
    this.#compactedTerm = metadata.term;
    this.append(start.entries ?? []);
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  setHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  /** The configuration as of the snapshot. */
  get confState(): ConfState {
    return this.#snapshot.metadata?.confState ?? emptyConfState();
  }

  /** The newest snapshot noted; its index is 0 when there is none. What a follower too far behind is sent. */
  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  get snapshotIndex(): number {
    return this.#snapshot.metadata?.index ?? 0;
  }

  /** What the entries held take, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The first entry from which on all take at most `bytesMax`; one above the last when the last alone takes more. */
  firstIndexWithin(bytesMax: number): number {
    let bytes = 0;
    let at = this.#entries.length;
    while (at > this.#head) {
      bytes += entrySize(this.#entries[at - 1] as Entry);
      if (bytes > bytesMax) break;
      at--;
    }
    return this.firstIndex() + at - this.#head;
  }

  /** Index of the first entry still held; one above the last when there is none. */
  firstIndex(): number {
    return this.#compactedIndex + 1;
  }

  /** Index of the last entry; that of the snapshot when there is none. */
  lastIndex(): number {
    return this.#compactedIndex + this.#entries.length - this.#head;
  }

  /** Term of an entry, or of the last one compacted; undefined outside of that. */
  term(index: number): number | undefined {
    if (index === this.#compactedIndex) return this.#compactedTerm;
    return this.entry(index)?.term;
  }

  /** The entry at `index`; undefined when it is compacted or not there. */
  entry(index: number): Entry | undefined {
    return index <= this.#compactedIndex ? undefined : this.#entries[this.#head + index - this.#compactedIndex - 1];
  }

  /**
   * Entries `low <= index < high`, as many from the front as `bytesMax` allows but at least one. The range is not empty
   * and lies within first and last index.
   */
  entries(low: number, high: number, bytesMax: number): Entry[] {
    assert(low >= this.firstIndex() && low < high && high <= this.lastIndex() + 1, "entries are read within the log");
    const shift = this.#head - this.#compactedIndex - 1;
    let bytes = 0;
    let end = low;
    while (end < high) {
      bytes += entrySize(this.#entries[shift + end] as Entry);
      if (bytes > bytesMax && end > low) break;
      end++;
    }
    return this.#entries.slice(shift + low, shift + end) as Entry[];
  }

  /**
   * Adds entries that are on disk now. They join the log without a gap; from the first of them on they replace what was
   * there. What was compacted already is passed over.
   */
  append(entries: readonly Entry[]): void {
    let skip = 0;
    while (skip < entries.length && (entries[skip] as Entry).index <= this.#compactedIndex) skip++;
    if (skip === entries.length) return;
    const first = (entries[skip] as Entry).index;
    assert(first <= this.lastIndex() + 1, "entries join the log without a gap");
    const end = this.#head + first - this.#compactedIndex - 1;
    // Setting a length is slow even when it changes nothing.
    if (end !== this.#entries.length) {
      this.#bytes -= this.#bytesBetween(end, this.#entries.length);
      this.#entries.length = end;
    }
    for (let at = skip; at < entries.length; at++) {
      const entry = entries[at] as Entry;
      assert(entry.index === first + at - skip, "entries follow one another");
      this.#entries.push(entry);
      this.#bytes += entrySize(entry);
    }
  }

  /** Notes that a snapshot at `index` (already applied) can be sent; the log stays as it is until it is compacted. */
  createSnapshot(index: number, confState: ConfState, data: Uint8Array = EMPTY_BYTES): Snapshot {
    const term = this.term(index);
    assert(term !== undefined, "a snapshot is taken within the log");
    assert(index >= this.snapshotIndex, "a snapshot is not older than the one before");
    this.#snapshot = { data, metadata: { index, term, confState } };
    return this.#snapshot;
  }

  /** Drops the entries up to and with `index`, behind which a snapshot stands. An older index changes nothing. */
  compact(index: number): void {
    if (index <= this.#compactedIndex) return;
    assert(index <= this.snapshotIndex, "only what a snapshot covers is compacted");
    const term = this.term(index);
    assert(term !== undefined, "the log is compacted within its bounds");
    const drop = index - this.#compactedIndex;
    this.#bytes -= this.#bytesBetween(this.#head, this.#head + drop);
    this.#entries.fill(undefined, this.#head, this.#head + drop);
    this.#head += drop;
    this.#compactedIndex = index;
    this.#compactedTerm = term;
    // Moving the rest is worth it once it is the smaller part: constant time an entry.
    if (this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }

  /** A received snapshot is on disk: it replaces the whole log. One older than what we have is passed over. */
  applySnapshot(snapshot: Snapshot): void {
    const metadata = snapshot.metadata;
    assert(metadata !== undefined, "a snapshot says what it is of");
    if (metadata.index <= this.snapshotIndex) return;
    this.#snapshot = snapshot;
    this.#compactedIndex = metadata.index;
    this.#compactedTerm = metadata.term;
    this.#entries = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  /** Of the entries at places `from` to `to` - 1. */
  #bytesBetween(from: number, to: number): number {
    let bytes = 0;
    for (let at = from; at < to; at++) bytes += entrySize(this.#entries[at] as Entry);
    return bytes;
  }
}
