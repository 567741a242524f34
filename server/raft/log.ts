/**
 * The log as raft sees it: entries on disk (`LogStorage`) and those not yet (`UnstableLog`) as one.
 *
 *     compacted | on disk                     | unstable
 *     ----------+-----------------------------+--------------
 *               first      applied  applying  stable      last
 *
 * Invariants: applied <= applying <= min(committed, stable); committed <= last. What is committed is never replaced.
 * `committed` may run ahead of `stable` on a follower with a slow disk; nothing is applied that our own disk does not
 * hold.
 */
import { assert } from "../base/assert.ts";
import { type Entry, EntryType, type Snapshot } from "../proto/raftpb.ts";
import { entrySize, type LogStorage } from "./log-storage.ts";
import { UnstableLog } from "./log-unstable.ts";

export interface LogPosition {
  readonly index: number;
  /** Term of the entry there; 0 when the log is empty or no longer knows it. */
  readonly term: number;
}

export class Log {
  readonly storage: LogStorage;
  readonly unstable: UnstableLog;
  /** The highest index known to be on the disks of a quorum. */
  committed: number;
  /** The highest index handed out to be applied. */
  applying: number;
  /** The highest index that was applied. */
  applied: number;

  /** Bytes handed out to be applied and not yet reported back: at this bound nothing more is handed out. */
  readonly #applyingBytesMax: number;
  #applyingBytes = 0;
  /** Batches handed out: last index and bytes, oldest first. Bounded by the bytes. */
  #batches: { readonly index: number; readonly bytes: number }[] = [];

  /** `applied` proves that so much is committed, whatever the hard state on disk still says. */
  constructor(storage: LogStorage, start: { applied: number; applyingBytesMax: number }) {
    this.storage = storage;
    this.unstable = new UnstableLog(storage.lastIndex() + 1);
    this.#applyingBytesMax = start.applyingBytesMax;
    this.applied = Math.max(start.applied, storage.firstIndex() - 1);
    this.applying = this.applied;
    this.committed = Math.max(storage.hardState.commit, this.applied);
    assert(
      this.committed <= storage.lastIndex(),
      `the log ends at ${storage.lastIndex()} but ${this.committed} was committed: entries were lost`,
    );
  }

  firstIndex(): number {
    const snapshotIndex = this.unstable.snapshotIndex;
    return snapshotIndex === undefined ? this.storage.firstIndex() : snapshotIndex + 1;
  }

  lastIndex(): number {
    return this.unstable.lastIndex() ?? this.storage.lastIndex();
  }

  lastTerm(): number {
    return this.term(this.lastIndex()) ?? 0;
  }

  /** The last index on our own disk. */
  get stableIndex(): number {
    return this.unstable.offset - 1;
  }

  /** Term of the entry at `index`, or of the last one compacted; undefined when we do not have it. */
  term(index: number): number | undefined {
    const term = this.unstable.term(index);
    if (term !== undefined) return term;
    // A received snapshot has replaced what storage still shows; entries from `offset` on are unstable or nowhere.
    if (index >= this.unstable.offset || index < this.firstIndex() - 1) return undefined;
    return this.storage.term(index);
  }

  /** The entry at `index`; undefined when it is compacted or not there. */
  entry(index: number): Entry | undefined {
    if (index >= this.unstable.offset) return this.unstable.entry(index);
    return index < this.firstIndex() ? undefined : this.storage.entry(index);
  }

  matches(index: number, term: number): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends at `last` holds at least what ours may have committed (section 5.4.1). */
  isUpToDate(last: LogPosition): boolean {
    const ourTerm = this.lastTerm();
    return last.term > ourTerm || (last.term === ourTerm && last.index >= this.lastIndex());
  }

  /** One entry of our own term behind the last. */
  push(entry: Entry): void {
    this.unstable.push(entry);
  }

  /**
   * Entries of a leader that follow `previous` (section 5.3). False: refused, our log does not hold `previous`. Else
   * what conflicts is replaced, and what we have already is left alone: an old message must not cut off newer entries.
   */
  appendFollowing(previous: LogPosition, entries: readonly Entry[]): boolean {
    if (!this.matches(previous.index, previous.term)) return false;
    let at = 0;
    while (at < entries.length) {
      const entry = entries[at] as Entry;
      if (!this.matches(entry.index, entry.term)) break;
      at++;
    }
    if (at === entries.length) return true;
    const from = previous.index + 1 + at;
    assert(from > this.committed, `entry ${from} of the leader contradicts what is committed up to ${this.committed}`);
    this.unstable.replaceFrom(at === 0 ? entries : entries.slice(at));
    return true;
  }

  /**
   * The last index at or before `index` at which our log may meet one whose term there is `term`: the first from the
   * end whose term is not higher. Its term is 0 when we no longer have it.
   */
  lastIndexUpToTerm(index: number, term: number): LogPosition {
    for (let at = index; at > 0; at--) {
      const ours = this.term(at);
      if (ours === undefined) return { index: at, term: 0 };
      if (ours <= term) return { index: at, term: ours };
    }
    return { index: 0, term: 0 };
  }

  /** Raises the commit index; it never falls. Whether it rose. */
  commitTo(index: number): boolean {
    if (index <= this.committed) return false;
    assert(
      index <= this.lastIndex(),
      `${index} is committed but our log ends at ${this.lastIndex()}: it lost what it had acknowledged`,
    );
    this.committed = index;
    return true;
  }

  /** Entries from `low` to the end, as many as `bytesMax` allows, at least one; undefined when they are compacted. */
  entriesFrom(low: number, bytesMax: number): Entry[] | undefined {
    const high = this.lastIndex() + 1;
    if (low < this.firstIndex()) return undefined;
    return low >= high ? [] : this.#slice(low, high, bytesMax);
  }

  /** A received snapshot is known to be on the way to disk and not yet there. */
  get hasPendingSnapshot(): boolean {
    return this.unstable.snapshot !== undefined;
  }

  get hasEntriesToApply(): boolean {
    return (
      this.applying < Math.min(this.committed, this.stableIndex) &&
      this.#applyingBytes < this.#applyingBytesMax &&
      !this.hasPendingSnapshot
    );
  }

  /** Committed entries that are on our disk and their bytes; each is handed out once, in bounded batches. */
  takeEntriesToApply(): { readonly entries: readonly Entry[]; readonly bytes: number } {
    const low = this.applying + 1;
    const high = Math.min(this.committed, this.stableIndex) + 1;
    const entries = this.#slice(low, high, this.#applyingBytesMax - this.#applyingBytes);
    let bytes = 0;
    for (const entry of entries) bytes += entrySize(entry);
    this.applying = low + entries.length - 1;
    this.#applyingBytes += bytes;
    this.#batches.push({ index: this.applying, bytes });
    return { entries, bytes };
  }

  /** Everything up to and with `index` was applied. An index that a snapshot has overtaken says nothing new. */
  appliedTo(index: number): void {
    if (index <= this.applied) return;
    assert(index <= this.applying, `${index} was applied, only ${this.applying} was handed out`);
    this.applied = index;
    while (this.#batches.length > 0 && (this.#batches[0] as { index: number }).index <= index) {
      this.#applyingBytes -= (this.#batches.shift() as { bytes: number }).bytes;
    }
  }

  /** Whether an entry that changes the configuration is committed and not yet applied. */
  hasUnappliedConfChange(): boolean {
    for (let index = this.applied + 1; index <= this.committed; index++) {
      const type = this.entry(index)?.type;
      if (type === EntryType.CONF_CHANGE || type === EntryType.CONF_CHANGE_V2) return true;
    }
    return false;
  }

  /** The oldest write of `unstable` is on disk. */
  endWrite(): void {
    this.storage.append(this.unstable.endWrite());
  }

  /** A received snapshot and its state are on disk: it counts as applied. */
  snapshotStable(snapshot: Snapshot, index: number): void {
    this.storage.applySnapshot(snapshot);
    this.unstable.snapshotStable(index);
    if (index <= this.applied) return;
    this.applied = index;
    this.applying = Math.max(this.applying, index);
    this.#batches = [];
    this.#applyingBytes = 0;
  }

  /** A received snapshot takes the place of the log. */
  restore(snapshot: Snapshot, index: number): void {
    assert(index > this.committed, "a snapshot never takes back what is committed");
    this.committed = index;
    this.unstable.restore(snapshot, index);
  }

  #slice(low: number, high: number, bytesMax: number): Entry[] {
    const offset = this.unstable.offset;
    if (low >= offset) return limitBytes(this.unstable.slice(low, high), bytesMax);
    const stable = this.storage.entries(low, Math.min(high, offset), bytesMax);
    if (high <= offset || low + stable.length < offset) return stable;
    let left = bytesMax;
    for (const entry of stable) left -= entrySize(entry);
    if (left <= 0) return stable;
    const rest = limitBytes(this.unstable.slice(offset, high), left);
    // The first of the rest is let through even when it is too large; here others stand before it.
    if (rest.length === 1 && entrySize(rest[0] as Entry) > left) return stable;
    return stable.concat(rest);
  }
}

/** The longest front part within `bytesMax`, at least one entry. Shortens the array it is given. */
function limitBytes(entries: Entry[], bytesMax: number): Entry[] {
  let bytes = 0;
  for (let count = 0; count < entries.length; count++) {
    bytes += entrySize(entries[count] as Entry);
    if (bytes > bytesMax && count > 0) {
      entries.length = count;
      break;
    }
  }
  return entries;
}
