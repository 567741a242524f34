/**
 * From records to a log: what the entries, the hard state and the snapshot are once all records have been read in order.
 *
 * - An entry whose index is taken overwrites that one and all after it (section 5.3 of the Raft paper).
 * - The snapshot to start from is the newest whose index the last hard state calls committed. One that is newer was
 *   written and its commit was not; it does not count.
 * - Entries up to the snapshot are dropped as soon as it is known to count, so that reading a long log needs no more
 *   memory than what is kept of it. Commit never goes back, so the choice is the one that the last hard state makes.
 */
import { equalBytes } from "../base/bytes.ts";
import type { Entry, HardState } from "../proto/raftpb.ts";
import { RecordType, type Snapshot } from "../proto/walpb.ts";
import { readEntry, readSnapshot, readState } from "./payload.ts";

export interface Replayed {
  readonly metadata: Uint8Array;
  /** All zero when none was saved. */
  readonly hardState: HardState;
  readonly snapshot: Snapshot;
  /** What follows the snapshot, without a gap. */
  readonly entries: Entry[];
}

export class Replay {
  #metadata: Uint8Array | undefined;
  #hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  #snapshot: Snapshot | undefined;
  /** Marks above the commit index: they wait for a hard state. */
  #waiting: Snapshot[] = [];
  #entries: Entry[] = [];
  #lastSavedIndex = 0;

  get hardState(): HardState {
    return this.#hardState;
  }

  /** The index of the entry or snapshot saved last: what a new file's name goes on from. */
  get lastSavedIndex(): number {
    return this.#lastSavedIndex;
  }

  /** The last index that the log has so far. */
  get lastIndex(): number {
    return this.#entries.at(-1)?.index ?? this.#snapshot?.index ?? 0;
  }

  /** Takes the next record in; answers what is wrong with it, or undefined. */
  record(type: number, data: Uint8Array | undefined): string | undefined {
    switch (type) {
      case RecordType.CRC:
        return undefined;
      case RecordType.METADATA:
        return this.#takeMetadata(data as Uint8Array);
      case RecordType.ENTRY:
        return this.#takeEntry(readEntry(data as Uint8Array));
      case RecordType.STATE:
        return this.#takeState(readState(data as Uint8Array));
      case RecordType.SNAPSHOT:
        return this.#takeSnapshot(readSnapshot(data as Uint8Array));
      default:
        return `there is no record of type ${type}`;
    }
  }

  /** The log, or a sentence that says why it is none. */
  finish(): Replayed | string {
    const { commit } = this.#hardState;
    if (this.#metadata === undefined) return "the log has no metadata";
    if (this.#snapshot === undefined) return `no snapshot record at or before the committed index ${commit} is there`;
    if (commit < this.#snapshot.index) return `the committed index goes back from ${this.#snapshot.index} to ${commit}`;
    const first = this.#entries[0]?.index ?? this.#snapshot.index + 1;
    if (first !== this.#snapshot.index + 1)
      return `after the snapshot of index ${this.#snapshot.index} the first entry is ${first}: those between are missing`;
    if (commit > this.lastIndex)
      return `the hard state says that entry ${commit} is committed, but the last entry is ${this.lastIndex}`;
    return {
      metadata: this.#metadata,
      hardState: this.#hardState,
      snapshot: this.#snapshot,
      entries: this.#entries,
    };
  }

  #takeMetadata(metadata: Uint8Array): string | undefined {
    if (this.#metadata !== undefined && !equalBytes(this.#metadata, metadata))
      return "the metadata of this file is of another member or cluster than that of the files before";
    this.#metadata = metadata;
    return undefined;
  }

  #takeEntry(entry: Entry | undefined): string | undefined {
    if (entry === undefined) return "an entry record does not hold an entry";
    this.#lastSavedIndex = entry.index;
    if (this.#snapshot !== undefined && entry.index <= this.#snapshot.index) return undefined;
    const first = this.#entries[0]?.index ?? entry.index;
    const kept = entry.index - first;
    // Below what is kept, or beyond it: then only a snapshot can stand before this entry, and finish() looks for it.
    if (kept < 0 || kept > this.#entries.length) this.#entries = [];
    else this.#entries.length = kept;
    this.#entries.push(entry);
    return undefined;
  }

  #takeState(state: HardState | undefined): string | undefined {
    if (state === undefined) return "a hard state record does not hold a hard state";
    if (state.term < this.#hardState.term)
      return `the term goes back from ${this.#hardState.term} to ${state.term} in a hard state`;
    this.#hardState = state;
    this.#settleSnapshots();
    return undefined;
  }

  #takeSnapshot(mark: Snapshot | undefined): string | undefined {
    if (mark === undefined) return "a snapshot record does not hold a snapshot";
    this.#lastSavedIndex = Math.max(this.#lastSavedIndex, mark.index);
    this.#waiting.push(mark);
    this.#settleSnapshots();
    return undefined;
  }

  #settleSnapshots(): void {
    for (const mark of this.#waiting)
      if (mark.index <= this.#hardState.commit && mark.index >= (this.#snapshot?.index ?? 0)) this.#startFrom(mark);
    this.#waiting = this.#waiting.filter(({ index }) => index > this.#hardState.commit);
  }

  #startFrom(mark: Snapshot): void {
    this.#snapshot = mark;
    const after = this.#entries.findIndex(({ index }) => index > mark.index);
    const rest = after < 0 ? [] : this.#entries.slice(after);
    // Entries of an older term than the snapshot's are those that it replaced (a snapshot that came from the leader).
    this.#entries = (rest[0]?.term ?? mark.term) < mark.term ? [] : rest;
  }
}
