/**
 * A second file that is filled beside the one in use and then takes its name: the state of another member. The way of a
 * defragmentation, with other records and nothing to catch up with:
 *
 *   kvorum.mdb ────────── read and written ────────────┐ closed
 *        kvorum.mdb.compact ◄── records ── commits ────┴─ rename ─ sync folder ─► kvorum.mdb
 *
 * A crash before the rename leaves the old file, after it the new one; what is left over the next start removes.
 */
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { assert } from "../base/assert.ts";
import { WorldError } from "../base/error.ts";
import type { LentVisitor, Replacement } from "../ports/backend.ts";
import type { Bucket } from "../ports/buckets.ts";
import type { Batch } from "./batch.ts";
import { copyPath, removeCopy, renameCopy, renameCopyLock, syncFolder } from "./data-dir.ts";
import { LmdbFile, type LmdbFileOptions } from "./lmdb-file.ts";

/** What it needs of the store whose place it takes. */
export interface ReplacedStore {
  emptyBatch(): Batch;
  /** No commit begins from here on; resolves when none is under way. */
  hold(): Promise<void>;
  /** Reads and writes this file from here on; answers the one before. */
  take(file: LmdbFile): LmdbFile;
  /** It has taken the place, or was given up. */
  ended(): void;
}

export class LmdbReplacement implements Replacement {
  readonly #path: string;
  readonly #file: LmdbFile;
  readonly #store: ReplacedStore;
  #batch: Batch;
  #writing: Promise<void> | undefined;
  /** On the old file: its blocks are given back with the last one, which takes long, so it is ours and closed in the pool. */
  #old: FileHandle | undefined;
  #isOver = false;

  private constructor(path: string, file: LmdbFile, store: ReplacedStore) {
    this.#path = path;
    this.#file = file;
    this.#store = store;
    this.#batch = store.emptyBatch();
  }

  /** Throws `WorldError` when there can be no second file. */
  static begin(path: string, options: LmdbFileOptions, store: ReplacedStore): LmdbReplacement {
    removeCopy(path);
    return new LmdbReplacement(path, LmdbFile.open(copyPath(path), options), store);
  }

  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    assert(!this.#isOver, "a replacement that is over is not written");
    this.#batch.put(bucket, key, value);
  }

  pendingOperations(): number {
    return this.#batch.operations;
  }

  pendingBytes(): number {
    return this.#batch.putBytes;
  }

  async commit(): Promise<void> {
    assert(!this.#isOver && this.#writing === undefined, "one commit of a replacement at a time");
    const batch = this.#batch;
    this.#batch = this.#store.emptyBatch();
    this.#writing = this.#file.write(batch);
    try {
      await this.#writing;
    } catch (error) {
      throw new WorldError(`write to "${copyPath(this.#path)}"`, error);
    } finally {
      this.#writing = undefined;
    }
    batch.release();
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    this.#mayRead();
    return this.#file.get(bucket, key);
  }

  scan(
    bucket: Bucket,
    from: Uint8Array,
    to: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean | undefined,
  ): void {
    this.#mayRead();
    for (const { key, value } of this.#file.scan(bucket, from, to)) if (visit(key, value) === false) return;
  }

  scanLent(bucket: "key", from: Uint8Array, to: Uint8Array | undefined, visit: LentVisitor): void {
    this.#mayRead();
    this.#file.visit(bucket, from, to, visit);
  }

  recordCount(bucket: Bucket): number | undefined {
    this.#mayRead();
    return this.#file.recordCount(bucket);
  }

  async prepare(): Promise<void> {
    assert(!this.#isOver && this.pendingOperations() === 0, "what takes the place is durable");
    this.#old = await open(this.#path, "r");
    await this.#store.hold();
  }

  takePlace(): void {
    assert(!this.#isOver && this.#old !== undefined, "a replacement is prepared before it takes the place");
    const old = this.#old;
    try {
      renameCopy(this.#path);
      renameCopyLock(this.#path);
      syncFolder(dirname(this.#path));
    } catch (error) {
      throw new WorldError(`replace the store "${this.#path}"`, error);
    }
    this.#isOver = true;
    const before = this.#store.take(this.#file);
    this.#store.ended();
    void before
      .close()
      .then(() => old.close())
      .catch(() => undefined);
  }

  #mayRead(): void {
    const isDurable = this.#writing === undefined && this.pendingOperations() === 0;
    assert(!this.#isOver && isDurable, "a replacement is read between its commits");
  }

  async discard(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#writing?.catch(() => undefined);
    await this.#old?.close();
    await this.#file.close();
    try {
      removeCopy(this.#path);
    } catch {
      // The next start tries again.
    }
    this.#store.ended();
  }
}
