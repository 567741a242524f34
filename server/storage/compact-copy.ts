/**
 * Giving space back while the store goes on serving. Records are copied to a second file in the order of their keys, so
 * that its pages are full; what is committed meanwhile is written there too, and then the copy takes the file's name.
 *
 *   kvorum.mdb ──── read and written all the time ──────────────────────┐ closed
 *        └─ records, in slices ─► kvorum.mdb.compact ── last changes ───┴─ rename ─ sync folder ─► kvorum.mdb
 *                  (changes are noted)              └─── no commit begins in here ───┘
 *
 * No view is held: each slice reads what is committed then. A key that changes after the copy began is among the changes
 * noted, whatever the slice has seen of it, and the changes have the last word. LMDB's own compacting copy is not used:
 * it drops free pages but keeps half-empty ones (measured: 4.1 MB where records of 0.6 MB were left; this makes 0.7).
 *
 * A crash before the rename leaves the old file and a leftover that the next start removes; after it, the new one, which
 * by then holds the same and is synced. No commit is answered between the rename and the folder's sync.
 */
import { promises } from "node:fs";
import { dirname } from "node:path";
import { EMPTY_BYTES } from "../base/bytes.ts";
import { type FailpointName, failpoint } from "../base/failpoint.ts";
import { BUCKETS } from "../ports/buckets.ts";
import type { Batch } from "./batch.ts";
import { copyPath, removeCopy, renameCopy, renameCopyLock, syncPath } from "./data-dir.ts";
import { LmdbFile, type LmdbFileOptions } from "./lmdb-file.ts";

/** Records read and handed over in one turn: about 1.5 ms. */
const SLICE_OPERATIONS = 500;
/** Changes keep coming while changes are written: after so many rounds the rest is written with commits held. */
const ROUNDS = 8;
/** More than this committed while one copy was made: it gives up, rather than let memory grow. */
const CHANGES_MAX_BYTES = 256 * 2 ** 20;

export class CompactCopy {
  readonly #path: string;
  #changes: Batch;
  #overrun = false;
  #file: LmdbFile | undefined;
  #inPlace = false;

  /** `changes`: an empty batch. */
  constructor(path: string, changes: Batch) {
    this.#path = path;
    this.#changes = changes;
  }

  /** A batch is about to be written to the old file. */
  note(batch: Batch): void {
    if (this.#changes.putBytes + batch.putBytes > CHANGES_MAX_BYTES) this.#overrun = true;
    if (!this.#overrun) this.#changes.absorb(batch);
  }

  /** Makes the second file and copies all records to it. */
  async make(file: LmdbFile, options: LmdbFileOptions): Promise<LmdbFile> {
    removeCopy(this.#path);
    refuseAt("defragOpenFileError");
    const copy = LmdbFile.open(copyPath(this.#path), options);
    this.#file = copy;
    refuseAt("defragdbFail");
    for (const bucket of BUCKETS) {
      for (let after = EMPTY_BYTES; ; ) {
        const rows = file.storedAfter(bucket, after, SLICE_OPERATIONS);
        const last = rows.at(-1);
        if (last === undefined) break;
        await copy.writeStored(bucket, rows);
        after = last.key;
      }
    }
    return copy;
  }

  /** Writes most of the changes to the copy while more may come. */
  async catchUp(emptyBatch: () => Batch): Promise<void> {
    for (let round = 0; round < ROUNDS && this.#changes.operations > SLICE_OPERATIONS; round++) {
      await this.catchUpFully(emptyBatch);
    }
  }

  /** Writes all changes noted so far to the copy. */
  async catchUpFully(emptyBatch: () => Batch): Promise<void> {
    if (this.#overrun)
      throw new Error(`more than ${CHANGES_MAX_BYTES} bytes were committed meanwhile: try again later`);
    const changes = this.#changes;
    this.#changes = emptyBatch();
    for (let done = 0; done < changes.operations; done += SLICE_OPERATIONS) {
      await (this.#file as LmdbFile).write(changes, done, SLICE_OPERATIONS);
    }
    changes.release();
  }

  /**
   * Gives the copy the file's name, durably. `taken` is called as soon as the name has changed; `closeOld` closes the old
   * file. Its blocks are given back with the last descriptor on it, which takes long for a large one: that descriptor is
   * ours, and closed in the pool. Once `inPlace`, a failure leaves open which file a crash would bring back.
   */
  async takePlace(taken: () => void, closeOld: () => Promise<void>): Promise<void> {
    const old = await promises.open(this.#path, "r");
    try {
      renameCopy(this.#path);
      this.#inPlace = true;
      taken();
      renameCopyLock(this.#path);
      await syncPath(dirname(this.#path));
      await closeOld();
    } finally {
      void old.close().catch(() => undefined);
    }
  }

  /** Whether the copy has the file's name. */
  get inPlace(): boolean {
    return this.#inPlace;
  }

  /** After a failure before that: as if nothing had been done. What cannot be removed now is at the next start. */
  async discard(): Promise<void> {
    await this.#file?.close();
    try {
      removeCopy(this.#path);
    } catch {
      // The failure itself says more.
    }
  }
}

/** Throws what is asked for there. */
function refuseAt(name: FailpointName): void {
  const refusal = failpoint?.(name);
  if (refusal !== undefined) throw new Error(refusal);
}
