/**
 * The multi-version store: every change has a revision, and what was can be read until it is compacted away. Purely in
 * the caller's hands: it never waits, and nothing is durable before the caller commits the backend.
 *
 *   start      new Store(backend); run restore() to its end; then everything else
 *   a change   beginWrite(), its puts and deletes, end(): one at a time, and within one turn, but for `deleteSteps`
 *   compaction scheduleCompaction(), then step() now and then until it says true
 */
import { assert } from "../base/assert.ts";
import { type ByteString, EMPTY_BYTES, fromByteString } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { failpoint } from "../base/failpoint.ts";
import type { Backend } from "../ports/backend.ts";
import { Compaction } from "./compaction.ts";
import type { Contents } from "./contents.ts";
import type { Change } from "./event.ts";
import { changeOf } from "./event.ts";
import { type HashSteps, hashBackendSteps, hashKv, type KeyspaceHash } from "./hash.ts";
import type { Version } from "./key-index.ts";
import { Keyspace } from "./keyspace.ts";
import { type RangeOptions, type RangeResult, readRange } from "./read.ts";
import { readContents } from "./restore.ts";
import { type Revision, readRevision } from "./revision.ts";
import { RevisionOrder } from "./revision-order.ts";
import { keyRange } from "./tree-index.ts";
import { WriteTxn } from "./write-txn.ts";

export interface StoreOptions {
  /** For the newest values kept in memory. Default 128 MiB. */
  readonly valueCacheBytes?: number;
}

const DEFAULT_VALUE_CACHE_BYTES = 128 * 2 ** 20;

export class Store {
  readonly #space: Keyspace;
  #restored = false;
  #writing = false;

  constructor(backend: Backend, options: StoreOptions = {}) {
    this.#space = new Keyspace(backend, options.valueCacheBytes ?? DEFAULT_VALUE_CACHE_BYTES);
  }

  /**
   * Reads the whole backend. Yields the records read so far after every slice of some milliseconds. A compaction that was
   * interrupted is then `pendingCompaction`. Throws `CorruptRecord`. `hashSeed`: any 32 bits, see `KeyTable`.
   */
  *restore(hashSeed = 0): Generator<number, void, void> {
    this.adopt(yield* readContents(this.#space.backend, hashSeed));
  }

  /** The backend holds other records from now on, and these are their contents: at once, instead of what was read before. */
  adopt(contents: Contents): void {
    assert(!this.#writing, "no change is under way when the contents are exchanged");
    this.#space.adopt(contents);
    this.#restored = true;
  }

  /** Of the last change; 1 in an empty store. */
  get currentRevision(): number {
    return this.#space.currentRevision;
  }

  /** Reads below it are refused; -1 when nothing was ever compacted. */
  get compactRevision(): number {
    return this.#space.compactRevision;
  }

  /** The compaction that is not finished, if any: the first of them. */
  get pendingCompaction(): Compaction | undefined {
    return this.#space.compactions[0];
  }

  /** Keys that exist now. */
  get liveKeys(): number {
    return this.#space.index.alive;
  }

  /** Keys in the index: deleted ones too, until a compaction meets them. */
  get indexKeys(): number {
    return this.#space.index.size;
  }

  /** About what index and cached values take of the memory. Older versions of keys are not counted. */
  get memoryBytes(): number {
    return this.#space.index.bytes + this.#space.values.bytes;
  }

  /** The living keys that have a lease, once after `restore`; the store does not remember them. */
  *aliveLeases(): Generator<[ByteString, bigint], void, void> {
    yield* this.#space.leases.entries();
    this.#space.leases.clear();
  }

  /** See `RangeOptions`. Throws `EtcdError` Compacted or FutureRevision. */
  range(key: Uint8Array, rangeEnd: Uint8Array, options: RangeOptions): RangeResult {
    assert(this.#restored, "the store is read after it was restored");
    // Between the steps of a change the index counts what it has done so far.
    return readRange(this.#space, this.#space.currentRevision, key, rangeEnd, options, this.#writing);
  }

  /** Keys of the range that exist now; while a change is under way, with what it has done. */
  aliveIn(key: Uint8Array, rangeEnd: Uint8Array): number {
    return this.#space.index.aliveIn(keyRange(key, rangeEnd));
  }

  /** Revisions and version of a key that exists now, from the index: for compares that need no value. */
  version(key: Uint8Array): Version | undefined {
    return this.#space.index.get(key)?.at(this.#space.currentRevision);
  }

  /**
   * The encoded KeyValue of `key` before the change at `revision`, as etcd gives it to watchers: as it was before that
   * whole main revision. Undefined when it did not exist then, or when that is compacted away.
   */
  previous(key: ByteString, revision: Revision): Uint8Array | undefined {
    const before = revision.main - 1;
    if (before < 1 || before < this.#space.compactRevision) return undefined;
    const options = { revision: before, limit: 0, countOnly: false };
    return readRange(this.#space, this.#space.currentRevision, fromByteString(key), EMPTY_BYTES, options).kvs[0];
  }

  /** Begins the next change. Only one at a time; across turns only for `deleteSteps`. */
  beginWrite(): WriteTxn {
    assert(this.#restored && !this.#writing, "one change at a time, after restore");
    this.#writing = true;
    return new WriteTxn(this.#space, () => {
      this.#writing = false;
    });
  }

  /**
   * What changed from main revision `from` to `to`, both included, in order: whole revisions, at most `limit` of them.
   * Fewer mean that `to` was reached. Throws `EtcdError` Compacted when `from` is below the compact revision,
   * `CorruptRecord` when records are missing.
   */
  events(from: number, to: number, limit: number): Change[] {
    if (from < this.#space.compactRevision) throw new EtcdError("Compacted");
    const changes: Change[] = [];
    let revisions = 0;
    let last = 0;
    if (to < from || limit <= 0) return changes;
    const order = new RevisionOrder(Math.max(from - 1, this.#space.compactRevision, 1));
    this.#space.records.scan(Math.max(from, 0), to, (key, value) => {
      const revision = readRevision(key);
      if (revision.main !== last && ++revisions > limit) return false;
      order.next(revision.main, revision.sub);
      last = revision.main;
      changes.push(changeOf(key, value));
      return true;
    });
    if (revisions <= limit) order.end(Math.min(to, this.#space.currentRevision));
    return changes;
  }

  /**
   * Begins a compaction: from now on reads below `revision` are refused, and `step` of what is answered deletes what only
   * they could see. Throws `EtcdError` Compacted or FutureRevision.
   */
  scheduleCompaction(revision: number): Compaction {
    const space = this.#space;
    assert(this.#restored && !this.#writing, "a compaction is a change of its own");
    if (revision <= space.compactRevision) throw new EtcdError("Compacted");
    if (revision > space.currentRevision) throw new EtcdError("FutureRevision");
    // A hash is everyone's only if all that it covers is still there, so if the compaction before has an end.
    const complete = space.records.scheduledCompaction === space.records.finishedCompaction;
    const compaction = new Compaction(space, revision, complete ? space.compactRevision : undefined);
    space.compactions.push(compaction);
    space.compactRevision = revision;
    failpoint?.("compactBeforeCommitScheduledCompact");
    space.records.scheduleCompaction(revision);
    failpoint?.("compactAfterCommitScheduledCompact");
    return compaction;
  }

  /** HashKV at a revision (0: the current one), in steps. Throws `EtcdError` Compacted or FutureRevision. */
  hashKv(revision: number): HashSteps {
    return hashKv(this.#space, revision);
  }

  /** The hashes that the last 10 compactions came by, by rising revision. */
  compactionHashes(): readonly KeyspaceHash[] {
    return this.#space.compactionHashes.all();
  }

  /** Maintenance.Hash: over the whole backend, at once. */
  hashAll(): number {
    const steps = this.hashAllSteps();
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  }

  /** The same in steps of some milliseconds. */
  hashAllSteps(): Generator<void, number, void> {
    return hashBackendSteps(this.#space.backend);
  }
}
