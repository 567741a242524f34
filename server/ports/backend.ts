/**
 * The store of record: ordered buckets of bytes. Writes go to a batch that is readable at once and durable only when
 * `commit` has resolved; a crash goes back to the last commit, never to the middle of one. Bytes handed in are kept
 * and must not be changed; bytes handed out may be kept. A record whose checksum does not match is never handed out:
 * reading it throws `CorruptRecord`, which ends the process.
 */
import { WorldError } from "../base/error.ts";
import type { Bucket } from "./buckets.ts";

/**
 * Is given a record whose memory is used again once it has returned: the value are the bytes of `record` from `from` up to
 * `to`. Nothing follows when it answers false.
 */
export type LentVisitor = (key: Uint8Array, record: Uint8Array, from: number, to: number) => boolean | undefined;

export interface Backend {
  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined;
  /**
   * Visits `from <= key < to` in order (`to` undefined: to the end of the bucket), batch included, until `visit`
   * answers false. No write may happen meanwhile.
   */
  scan(
    bucket: Bucket,
    from: Uint8Array,
    to: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean | undefined,
  ): void;
  /** The same for the `key` bucket, where keys and values are only lent. `visit` reads nothing from the store. */
  scanLent(bucket: "key", from: Uint8Array, to: Uint8Array | undefined, visit: LentVisitor): void;
  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void;
  /** Nothing happens when the key is not there. */
  delete(bucket: Bucket, key: Uint8Array): void;
  /**
   * Records of the bucket as the store itself keeps count of them; undefined while anything is not durable yet. A scan
   * that finds another number has met damage that no checksum shows.
   */
  recordCount(bucket: Bucket): number | undefined;
  /** Puts and deletes in the batch since the last `commit` was called. */
  pendingOperations(): number;
  /** About what those take in memory. */
  pendingBytes(): number;
  /**
   * Makes everything written so far durable in one transaction. Resolves when it is synced; commits resolve in order.
   * Rejects with `WorldError` when the disk refused: the process must then stop.
   */
  commit(): Promise<void>;
  /** Bytes of the file: etcd's dbSize. */
  sizeBytes(): number;
  /** Bytes of the file that hold data: etcd's dbSizeInUse. Includes an estimate of the batch. */
  sizeInUseBytes(): number;
  /** Gives free space back to the file system, in slices, without stopping reads and writes. */
  defragment(): Promise<void>;
  /**
   * Begins an empty store beside this one, to be filled and to take its place; this one goes on meanwhile. One at a time.
   * What a crash leaves of it is removed by the next start. Rejects with `WorldError` when it cannot be made.
   */
  beginReplacement(): Promise<Replacement>;
  /**
   * What the last commit holds, for as long as the view is open: later writes do not show in it. Pages that it needs are
   * not used again meanwhile, so the file grows with what is written: close it soon.
   */
  openReadView(): ReadView;
  /** Read views that pin pages now, for the metrics. */
  openReadViews(): number;
  /** Commits nothing; waits for a running commit. */
  close(): Promise<void>;
}

/** What reading a store takes, whoever writes it. */
export type BackendReader = Pick<Backend, "get" | "scan" | "scanLent" | "recordCount">;

/**
 * A store that is to take the place of another. It is read between commits, when everything put is durable:
 *
 *     put ... commit ... put ... commit ─► prepare ─► takePlace      at any point before: discard
 */
export interface Replacement extends BackendReader {
  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void;
  /** Puts since the last `commit` was called. */
  pendingOperations(): number;
  /** About what those take in memory: commit in time. */
  pendingBytes(): number;
  /** Makes what was put durable here; one at a time. Rejects with `WorldError`, and is then to be discarded. */
  commit(): Promise<void>;
  /** From here on the other store commits nothing more, but for what is under way; resolves when that is durable. */
  prepare(): Promise<void>;
  /**
   * Takes the place: all reads are of this store from here on, and a crash brings this one back. What the other had not
   * committed is gone, and who waited for such a commit is answered. Holds the caller for a sync. Throws `WorldError`: which
   * of the two a crash would bring back is then not known, and the process must stop.
   */
  takePlace(): void;
  /** As if it had not been begun. Nothing after `takePlace`. */
  discard(): Promise<void>;
}

/** The store as one commit left it. */
export interface ReadView {
  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined;
  /** Visits the records above `after` (undefined: all) in order until `visit` answers false. */
  scanAbove(
    bucket: Bucket,
    after: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean | undefined,
  ): void;
  /** The same without the values' bytes, which are neither copied nor checked. */
  scanSizesAbove(
    bucket: Bucket,
    after: Uint8Array | undefined,
    visit: (key: Uint8Array, valueBytes: number) => boolean | undefined,
  ): void;
  /** Lets the pages go. Twice is once; nothing may be read afterwards. */
  close(): void;
}

/** A record on disk that is not what was written. Names bucket and key; never served. */
export class CorruptRecord extends Error {
  override readonly name = "CorruptRecord";
}

/**
 * A commit found no room below the configured maximum. Nothing of it was written and nothing is lost: its operations
 * stay readable and are tried again, in order, by the next commit. What deletes as many records of the `key` bucket as it
 * puts there always passes: compaction, and what the server itself keeps account of.
 */
export class BackendFull extends WorldError {}
