/**
 * The write-ahead log: what raft must not forget, in etcd's files. `save` puts a turn's entries and hard state into the
 * page cache with one write; they count only once `syncNow` or `sync` has returned. Order of calls:
 *
 *   create or open ─► save ─► syncNow | sync ─► save ...      one save may be unsynced at a time (see evidence.ts)
 *                     saveSnapshot ─► syncNow ─► release      what a release drops, the snapshot must stand for
 *                     prepareSpare                            whenever there is time
 *
 * After a failed write or sync nobody knows what is on disk (the kernel may have dropped what it could not write): every
 * later call throws, and the process must end. On the next start what is there is read and checked afresh.
 */
import { assert } from "../base/assert.ts";
import { WorldError } from "../base/error.ts";
import { besideFailpoint, failpoint } from "../base/failpoint.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";
import type { Entry, HardState } from "../proto/raftpb.ts";
import type { Snapshot } from "../proto/walpb.ts";
import { Batch } from "./batch.ts";
import { logExists, readLog } from "./read-log.ts";
import { cutRemains } from "./repair.ts";
import { type SegmentName, segmentName } from "./segment.ts";
import { Spare } from "./spare.ts";

/** etcd's. A file is closed once it has reached this size, so it may be longer by one save. */
const SEGMENT_BYTES = 64_000_000;

/** A file that was not zeroed ahead grows by this much more than it needs, so that not every sync must record its size. */
const GROW_BYTES = 256 * 1024;

const ZEROS = new Uint8Array(GROW_BYTES);

export interface WalOptions {
  /** Saves that may have been written and not synced when the process ended: of a member alone 1, the default. */
  readonly savesOut?: number;
  /** Size at which a new file is begun; etcd's 64,000,000 when absent. */
  readonly segmentBytes?: number | undefined;
}

export interface WalCreateOptions extends WalOptions {
  /** The first save of a new cluster: the log appears together with it or not at all. */
  readonly first?: { readonly hardState: HardState; readonly entries: readonly Entry[] };
}

export interface OpenedWal {
  readonly wal: Wal;
  /** As given to `create`: etcd's {1 NodeID, 2 ClusterID}. */
  readonly metadata: Uint8Array;
  /** All zero when none was saved. */
  readonly hardState: HardState;
  /** Where the log begins: the newest snapshot record that the hard state calls committed; {0, 0} at first. */
  readonly snapshot: Snapshot;
  /** What follows the snapshot, without a gap. Those above `hardState.commit` may yet be overwritten. */
  readonly entries: Entry[];
  /** What was cut off the end, for the log; undefined when nothing was. */
  readonly repaired: string | undefined;
}

/** What a log goes on from. */
interface Position {
  readonly segments: SegmentName[];
  readonly file: DiskFile;
  readonly end: number;
  readonly crc: number;
  readonly metadata: Uint8Array;
  readonly hardState: HardState | undefined;
  readonly lastIndex: number;
  readonly snapshotIndex: number;
}

export class Wal {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #segmentBytes: number;
  readonly #metadata: Uint8Array;
  readonly #spare: Spare;
  readonly #batch = new Batch();
  /** Oldest first; the last is `#file`. */
  readonly #segments: SegmentName[];
  #file: DiskFile;
  /** Where the next record goes. */
  #end: number;
  /** Of the file; what lies behind `#end` is zero. */
  #sizeBytes: number;
  #mayGrowAhead = true;
  #crc: number;
  #hardState: HardState | undefined;
  /** Of the entry or snapshot saved last. */
  #lastIndex: number;
  #snapshotIndex: number;
  #syncedSnapshotIndex: number;
  #syncing: Promise<void> | undefined;
  #failure: unknown;
  #closed = false;

  private constructor(disk: Disk, folder: string, options: WalOptions, position: Position) {
    this.#disk = disk;
    this.#folder = folder;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#spare = new Spare(disk, folder, this.#segmentBytes);
    this.#segments = position.segments;
    this.#file = position.file;
    this.#end = position.end;
    this.#sizeBytes = position.file.sizeBytes();
    this.#crc = position.crc;
    this.#metadata = position.metadata;
    this.#hardState = position.hardState;
    this.#lastIndex = position.lastIndex;
    this.#snapshotIndex = position.snapshotIndex;
    this.#syncedSnapshotIndex = position.snapshotIndex;
  }

  /** Whether there is a log in `folder`. What `create` left unfinished is none. */
  static exists(disk: Disk, folder: string): boolean {
    return logExists(disk, folder);
  }

  /**
   * Makes a new log, durable when this returns. Its first file gets its name only when it is complete, so a crash leaves
   * a log or none; the folder may exist (a mount point may be it) but hold no log. `metadata` must not be empty.
   */
  static create(disk: Disk, folder: string, metadata: Uint8Array, options: WalCreateOptions = {}): Wal {
    assert(metadata.length > 0, "a log has metadata");
    assert(!logExists(disk, folder), "there is no log yet");
    disk.makeFolder(folder);
    const first = segmentName(0, 0);
    const path = `${folder}/${first.name}`;
    const unfinished = `${path}.tmp`;
    if (disk.exists(unfinished)) disk.remove(unfinished);
    const batch = new Batch();
    batch.begin(0);
    batch.addCrc();
    batch.addMetadata(metadata);
    batch.addSnapshot({ index: 0, term: 0, confState: undefined });
    const { hardState, entries = [] } = options.first ?? {};
    for (const entry of entries) batch.addEntry(entry);
    if (hardState !== undefined) batch.addState(hardState);
    const made = disk.open(unfinished, { create: true });
    try {
      made.write(0, batch.bytes());
      made.syncNow();
    } finally {
      made.close();
    }
    disk.rename(unfinished, path);
    syncNames(disk, folder);
    return new Wal(disk, folder, options, {
      segments: [first],
      file: disk.open(path),
      end: batch.length,
      crc: batch.crc,
      metadata,
      hardState,
      lastIndex: entries.at(-1)?.index ?? 0,
      snapshotIndex: 0,
    });
  }

  /**
   * Reads the log in `folder` and makes it ready to go on. What a crash left unfinished at its end is cut off and the
   * file as it was kept as `….wal.broken`. Throws `CorruptLog` when anything else is wrong, and then changes nothing.
   */
  static open(disk: Disk, folder: string, options: WalOptions = {}): OpenedWal {
    const { metadata, hardState, snapshot, entries, segments, tail, lastSavedIndex } = readLog(
      disk,
      folder,
      options.savesOut,
    );
    const path = `${folder}/${(segments.at(-1) as SegmentName).name}`;
    const repaired = tail.remains === undefined ? undefined : cutRemains(disk, folder, path, tail.end, tail.remains);
    const wal = new Wal(disk, folder, options, {
      segments,
      file: disk.open(path),
      end: tail.end,
      crc: tail.crc,
      metadata,
      hardState: hardState.term === 0 ? undefined : hardState,
      lastIndex: lastSavedIndex,
      snapshotIndex: snapshot.index,
    });
    // What was read, and the names it was read under, may be in the page cache only (when the process was killed): from
    // here on it counts, so it must be durable.
    syncNames(disk, folder);
    wal.syncNow();
    return { wal, metadata, hardState, snapshot, entries, repaired };
  }

  /** Why a spare file could not be made, for the log; the log itself goes on. */
  get spareTrouble(): unknown {
    return this.#spare.trouble;
  }

  /** The commit index of the hard state that was saved last: whatever is saved from now on lies behind it. */
  get committedIndex(): number {
    return this.#hardState?.commit ?? 0;
  }

  /** Files that the log consists of. */
  get segmentCount(): number {
    return this.#segments.length;
  }

  /**
   * Appends entries and then the hard state with one write; returns its bytes. Begins a new file when this one is full,
   * with everything synced. Neither, or an all-zero hard state, writes nothing. The entries must follow one another; the
   * first may overwrite saved ones.
   */
  save(hardState: HardState | undefined, entries: readonly Entry[]): number {
    const state = hardState === undefined || hardState.term === 0 ? undefined : hardState;
    if (state === undefined && entries.length === 0) return 0;
    this.#check(state, entries);
    return this.#orFail(() => {
      this.#batch.begin(this.#crc);
      for (const entry of entries) this.#batch.addEntry(entry);
      if (state !== undefined) {
        this.#batch.addState(state);
        this.#hardState = state;
      }
      this.#lastIndex = entries.at(-1)?.index ?? this.#lastIndex;
      const bytes = this.#append();
      if (this.#end >= this.#segmentBytes) this.#cut();
      return bytes;
    });
  }

  /** Notes that everything up to `mark.index` is in a snapshot. Counts once synced. */
  saveSnapshot(mark: Snapshot): void {
    assert(mark.confState !== undefined && mark.term > 0 && mark.index > 0, "a snapshot knows its term and its voters");
    this.#checkUsable();
    this.#orFail(() => {
      this.#batch.begin(this.#crc);
      this.#batch.addSnapshot(mark);
      this.#append();
      this.#snapshotIndex = Math.max(this.#snapshotIndex, mark.index);
      this.#lastIndex = Math.max(this.#lastIndex, mark.index);
    });
  }

  /** Makes what was saved durable, holding the caller. */
  syncNow(): void {
    this.#checkUsable();
    failpoint?.("walBeforeSync");
    this.#orFail(() => this.#file.syncNow());
    failpoint?.("walAfterSync");
    this.#syncedSnapshotIndex = this.#snapshotIndex;
  }

  /** Makes what has been saved until now durable beside the loop. One at a time. */
  async sync(): Promise<void> {
    this.#checkUsable();
    assert(this.#syncing === undefined, "one sync at a time");
    const snapshotIndex = this.#snapshotIndex;
    try {
      this.#syncing = besideFailpoint === undefined ? this.#file.sync() : syncBetweenFailpoints(this.#file);
      await this.#syncing;
    } catch (error) {
      this.#failure ??= error;
      throw error;
    } finally {
      this.#syncing = undefined;
    }
    this.#syncedSnapshotIndex = Math.max(this.#syncedSnapshotIndex, snapshotIndex);
  }

  /**
   * Drops the files that end before `index`, which a synced snapshot must cover. One becomes the next spare, the others
   * are removed.
   */
  release(index: number): void {
    this.#checkUsable();
    assert(index <= this.#syncedSnapshotIndex, "only what a synced snapshot stands for is released");
    // A file's successor is named after the first index that may be in it: below that, the file is not needed.
    const kept = this.#segments.findIndex((_, at) => (this.#segments[at + 1]?.firstIndex ?? Infinity) > index);
    if (kept <= 0) return;
    this.#orFail(() => {
      for (const { name } of this.#segments.splice(0, kept)) {
        const path = `${this.#folder}/${name}`;
        if (this.#spare.wanted) this.#spare.recycle(path);
        else this.#disk.remove(path);
      }
      this.#disk.syncFolder(this.#folder);
    });
  }

  /**
   * Does a slice (1 MB) of the work on the next file; true when there is more to do now. A new file is made only when
   * the present one is half full: until then a released one may come free.
   */
  prepareSpare(): boolean {
    this.#checkUsable();
    return this.#spare.prepare(this.#end > this.#segmentBytes / 2);
  }

  /** Syncs and closes. After a failure only closes. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (this.#failure === undefined) this.#file.syncNow();
    } finally {
      this.#closeWhenSynced(this.#file);
      this.#spare.close();
    }
  }

  /** Writes the batch at the end, and where the file had to grow, zeros behind it. */
  #append(): number {
    const bytes = this.#batch.bytes();
    this.#file.write(this.#end, bytes);
    this.#end += bytes.length;
    this.#crc = this.#batch.crc;
    if (this.#end > this.#sizeBytes) this.#grow();
    return bytes.length;
  }

  #grow(): void {
    this.#sizeBytes = this.#end;
    const length = Math.min(GROW_BYTES, this.#segmentBytes - this.#end);
    if (length <= 0 || !this.#mayGrowAhead) return;
    try {
      this.#file.write(this.#end, length === GROW_BYTES ? ZEROS : ZEROS.subarray(0, length));
      this.#sizeBytes += length;
    } catch {
      this.#mayGrowAhead = false; // a full disk, most likely; what was saved has its place
    }
  }

  /**
   * Begins the next file as etcd does: the full one is cut to its length and synced; the new one gets the checksum so
   * far, the metadata and the hard state, is synced and only then named, so that a named file always has its beginning.
   */
  #cut(): void {
    this.#file.truncate(this.#end);
    this.#file.syncNow();
    const { sequence } = this.#segments.at(-1) as SegmentName;
    const next = segmentName(sequence + 1, this.#lastIndex + 1);
    const path = `${this.#folder}/${next.name}`;
    const { file, sizeBytes } = this.#spare.take();
    this.#batch.begin(this.#crc);
    this.#batch.addCrc();
    this.#batch.addMetadata(this.#metadata);
    if (this.#hardState !== undefined) this.#batch.addState(this.#hardState);
    file.write(0, this.#batch.bytes());
    file.syncNow();
    file.close();
    this.#disk.rename(this.#spare.path, path);
    this.#disk.syncFolder(this.#folder);
    this.#closeWhenSynced(this.#file);
    this.#file = this.#disk.open(path);
    this.#segments.push(next);
    this.#end = this.#batch.length;
    this.#sizeBytes = Math.max(sizeBytes, this.#end);
    this.#mayGrowAhead = true;
    this.#crc = this.#batch.crc;
    this.#syncedSnapshotIndex = this.#snapshotIndex;
  }

  #check(state: HardState | undefined, entries: readonly Entry[]): void {
    this.#checkUsable();
    let previous: Entry | undefined;
    for (const entry of entries) {
      assert(entry.term > 0 && entry.index > 0, "an entry has a term and an index");
      assert(previous === undefined || entry.index === previous.index + 1, "entries follow one another");
      previous = entry;
    }
    assert((entries[0]?.index ?? 0) <= this.#lastIndex + 1, "entries follow those saved before, or overwrite some");
    assert(state === undefined || state.term >= (this.#hardState?.term ?? 0), "the term never goes back");
  }

  #checkUsable(): void {
    if (this.#failure !== undefined)
      throw new WorldError(`use the write-ahead log in "${this.#folder}" after it had failed`, this.#failure);
    assert(!this.#closed, "the log is open");
  }

  #orFail<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      this.#failure ??= error;
      throw error;
    }
  }

  /** A sync that is running must not find its file closed. */
  #closeWhenSynced(file: DiskFile): void {
    if (this.#syncing === undefined) file.close();
    else
      void this.#syncing.then(
        () => file.close(),
        () => file.close(),
      );
  }
}

/** A sync of the log while failpoints are armed. */
async function syncBetweenFailpoints(file: DiskFile): Promise<void> {
  await besideFailpoint?.("walBeforeSync");
  await file.sync();
  await besideFailpoint?.("walAfterSync");
}

/** Makes the names in a log's folder durable, and those of the folder and of the one above (`wal` in `member`). */
function syncNames(disk: Disk, folder: string): void {
  const parent = parentOf(folder);
  disk.syncFolder(parentOf(parent));
  disk.syncFolder(parent);
  disk.syncFolder(folder);
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}
