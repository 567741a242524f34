/**
 * The backend in memory: what LMDB promises and no more. A crash goes back to the last commit that had become durable;
 * what the world may do beyond that (be slow, be full, refuse, damage a record) is asked for by the test.
 */
import { assert } from "../../../server/base/assert.ts";
import { type ByteString, fromByteString, printableBytes, toByteString } from "../../../server/base/bytes.ts";
import { WorldError } from "../../../server/base/error.ts";
import { SortedMap } from "../../../server/base/sorted-map.ts";
import {
  type Backend,
  BackendFull,
  CorruptRecord,
  type LentVisitor,
  type ReadView,
  type Replacement,
} from "../../../server/ports/backend.ts";
import { BUCKETS, type Bucket } from "../../../server/ports/buckets.ts";

export interface MemoryBackendOptions {
  /** Calls `done` when a commit's sync would have returned; by default in the next promise job. */
  readonly sync?: (done: () => void) => void;
  /** Commits that put more than they delete are refused above this. Default: no bound. */
  readonly maxSizeBytes?: number;
}

/** How to take an operation back. */
interface Undo {
  readonly bucket: Bucket;
  readonly name: ByteString;
  readonly before: Uint8Array | undefined;
}

interface Commit {
  readonly undo: Undo[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const RECORD_OVERHEAD_BYTES = 24;

/** Bytes of a lent record that are not its value. */
const LENT_BEFORE = 4;

export class MemoryBackend implements Backend {
  readonly #options: MemoryBackendOptions;
  #buckets: Map<Bucket, SortedMap<ByteString, Uint8Array>>;
  #undo: Undo[] = [];
  /** Keys of the batch, and whether each is put or deleted. */
  #touched = new Map<string, boolean>();
  readonly #commits: Commit[] = [];
  #durableBytes = 0;
  #bytes = 0;
  #pendingBytes = 0;
  #failure: WorldError | undefined;
  #nextFailure: unknown;
  readonly #damaged = new Set<string>();
  #scans = 0;
  #isReplaced = false;
  readonly #views = new Set<ReadView>();
  #closed = false;

  constructor(options: MemoryBackendOptions = {}) {
    this.#options = options;
    this.#buckets = new Map(BUCKETS.map((bucket) => [bucket, new SortedMap<ByteString, Uint8Array>()]));
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    const name = toByteString(key);
    this.#refuseDamaged(bucket, name);
    return this.#bucket(bucket).get(name);
  }

  scan(
    bucket: Bucket,
    from: Uint8Array,
    to: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean | undefined,
  ): void {
    this.#scans++;
    try {
      const end = to === undefined ? undefined : toByteString(to);
      const start = toByteString(from);
      if (end !== undefined && end <= start) return;
      this.#bucket(bucket).scan(start, end, (name, value) => {
        this.#refuseDamaged(bucket, name);
        return visit(fromByteString(name), value);
      });
    } finally {
      this.#scans--;
    }
  }

  /** Whoever keeps what is only lent finds other bytes there. */
  scanLent(bucket: "key", from: Uint8Array, to: Uint8Array | undefined, visit: LentVisitor): void {
    this.scan(bucket, from, to, (key, value) => {
      const lent = new Uint8Array(value.length + LENT_BEFORE);
      lent.set(value, LENT_BEFORE);
      const more = visit(key, lent, LENT_BEFORE, lent.length);
      lent.fill(0xee);
      key.fill(0xee);
      return more;
    });
  }

  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.#note(bucket, key, true);
    const map = this.#bucket(bucket);
    const name = toByteString(key);
    this.#bytes += sizeOf(name, value) - sizeOf(name, map.get(name));
    this.#pendingBytes += sizeOf(name, value);
    map.set(name, value);
    this.#damaged.delete(`${bucket}/${name}`);
  }

  delete(bucket: Bucket, key: Uint8Array): void {
    this.#note(bucket, key, false);
    const map = this.#bucket(bucket);
    const name = toByteString(key);
    this.#bytes -= sizeOf(name, map.get(name));
    map.delete(name);
  }

  recordCount(bucket: Bucket): number | undefined {
    return this.#undo.length === 0 && this.#commits.length === 0 ? this.#bucket(bucket).size : undefined;
  }

  pendingOperations(): number {
    return this.#touched.size;
  }

  pendingBytes(): number {
    return this.#pendingBytes;
  }

  commit(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    assert(!this.#closed, "a closed store takes no commit");
    const { maxSizeBytes } = this.#options;
    if (maxSizeBytes !== undefined && this.#bytes > maxSizeBytes && this.#growth() > 0) {
      return Promise.reject(new BackendFull("commit", `${this.#bytes} bytes are more than ${maxSizeBytes}`));
    }
    if (this.#undo.length === 0 && this.#commits.length === 0) return Promise.resolve();
    const undo = this.#undo;
    this.#undo = [];
    this.#touched = new Map();
    this.#pendingBytes = 0;
    return new Promise((resolve, reject) => {
      this.#commits.push({ undo, resolve, reject });
      const sync = this.#options.sync ?? queueMicrotask;
      sync(() => this.#synced());
    });
  }

  sizeBytes(): number {
    return this.#durableBytes;
  }

  sizeInUseBytes(): number {
    return this.#bytes;
  }

  async defragment(): Promise<void> {
    await Promise.resolve();
  }

  async beginReplacement(): Promise<Replacement> {
    assert(!this.#closed && !this.#isReplaced, "one replacement of an open store at a time");
    this.#isReplaced = true;
    const next = new MemoryBackend();
    return {
      put: (bucket, key, value) => next.put(bucket, key, value),
      pendingOperations: () => next.pendingOperations(),
      pendingBytes: () => next.pendingBytes(),
      commit: () => next.commit(),
      get: (bucket, key) => next.get(bucket, key),
      scan: (bucket, from, to, visit) => next.scan(bucket, from, to, visit),
      scanLent: (bucket, from, to, visit) => next.scanLent(bucket, from, to, visit),
      recordCount: (bucket) => next.recordCount(bucket),
      prepare: async () => {
        while (this.#commits.length > 0 && !this.#closed) await new Promise(setImmediate);
      },
      takePlace: () => this.#takeOver(next),
      discard: async () => {
        this.#isReplaced = false;
      },
    };
  }

  #takeOver(next: MemoryBackend): void {
    assert(next.#commits.length === 0 && next.#undo.length === 0, "what takes the place is durable");
    this.#isReplaced = false;
    this.#buckets = next.#buckets;
    this.#bytes = next.#bytes;
    this.#durableBytes = next.#bytes;
    this.#undo = [];
    this.#touched = new Map();
    this.#pendingBytes = 0;
    for (const { resolve } of this.#commits.splice(0)) resolve();
  }

  /** A copy of all that is durable. */
  openReadView(): ReadView {
    const buckets = new Map(BUCKETS.map((bucket) => [bucket, this.#durable(bucket)]));
    const rows = (bucket: Bucket, after: Uint8Array | undefined) => {
      assert(buckets.size > 0, "a closed view is not read");
      const from = after === undefined ? "" : `${toByteString(after)}\0`;
      return [...(buckets.get(bucket) ?? [])].filter(([name]) => name >= from).sort(([a], [b]) => (a < b ? -1 : 1));
    };
    const view: ReadView = {
      get: (bucket, key) => {
        assert(buckets.size > 0, "a closed view is not read");
        return buckets.get(bucket)?.get(toByteString(key));
      },
      scanAbove: (bucket, after, visit) => {
        for (const [name, value] of rows(bucket, after)) if (visit(fromByteString(name), value) === false) return;
      },
      scanSizesAbove: (bucket, after, visit) => {
        for (const [name, { length }] of rows(bucket, after)) if (visit(fromByteString(name), length) === false) return;
      },
      close: () => {
        buckets.clear();
        this.#views.delete(view);
      },
    };
    this.#views.add(view);
    return view;
  }

  #durable(bucket: Bucket): Map<ByteString, Uint8Array> {
    const rows = new Map(this.#bucket(bucket).entries());
    const undos = [...this.#commits.flatMap(({ undo }) => undo), ...this.#undo].reverse();
    for (const undo of undos) {
      if (undo.bucket !== bucket) continue;
      if (undo.before === undefined) rows.delete(undo.name);
      else rows.set(undo.name, undo.before);
    }
    return rows;
  }

  openReadViews(): number {
    return this.#views.size;
  }

  async close(): Promise<void> {
    while (this.#commits.length > 0) await Promise.resolve();
    for (const view of this.#views) view.close();
    this.#closed = true;
  }

  /** The process dies: what was not durable is gone, but for the oldest `kept` commits that were under way. */
  crash(kept = 0): MemoryBackend {
    const lost = this.#commits.splice(0).slice(kept);
    lost.push({ undo: this.#undo, resolve: () => undefined, reject: () => undefined });
    for (const { undo } of lost.reverse()) {
      for (const { bucket, name, before } of undo.reverse()) {
        if (before === undefined) this.#bucket(bucket).delete(name);
        else this.#bucket(bucket).set(name, before);
      }
    }
    const survivor = new MemoryBackend(this.#options);
    survivor.#buckets = this.#buckets;
    for (const map of this.#buckets.values()) {
      for (const [name, value] of map.entries()) survivor.#bytes += sizeOf(name, value);
    }
    survivor.#durableBytes = survivor.#bytes;
    this.#buckets = new Map();
    this.#undo = [];
    this.#closed = true;
    return survivor;
  }

  /** The next sync fails with this, and all commits from then on are refused. */
  failNextCommit(cause: unknown): void {
    this.#nextFailure = cause;
  }

  /** A bit of the record flips: whoever reads it finds out. */
  damage(bucket: Bucket, key: Uint8Array): void {
    this.#damaged.add(`${bucket}/${toByteString(key)}`);
  }

  #synced(): void {
    const commit = this.#commits[0];
    if (commit === undefined) return; // crashed meanwhile
    if (this.#nextFailure !== undefined) {
      this.#failure = new WorldError("commit", this.#nextFailure);
      for (const { reject } of this.#commits) reject(this.#failure);
      return;
    }
    this.#commits.shift();
    this.#durableBytes = Math.max(this.#durableBytes, this.#bytes);
    commit.resolve();
  }

  #note(bucket: Bucket, key: Uint8Array, puts: boolean): void {
    assert(this.#scans === 0, "nothing is written during a scan");
    assert(key.length > 0, "a key has at least one byte");
    assert(!this.#closed, "a closed store is not written");
    const name = toByteString(key);
    this.#undo.push({ bucket, name, before: this.#bucket(bucket).get(name) });
    this.#touched.set(`${bucket}/${name}`, puts);
  }

  /** Records of the `key` bucket that the batch puts, less those that it deletes. */
  #growth(): number {
    let growth = 0;
    for (const [name, puts] of this.#touched) if (name.startsWith("key/")) growth += puts ? 1 : -1;
    return growth;
  }

  #bucket(bucket: Bucket): SortedMap<ByteString, Uint8Array> {
    const map = this.#buckets.get(bucket);
    assert(map !== undefined, `bucket "${bucket}" is there`);
    return map;
  }

  #refuseDamaged(bucket: Bucket, name: ByteString): void {
    if (this.#damaged.size === 0 || !this.#damaged.has(`${bucket}/${name}`)) return;
    throw new CorruptRecord(`the record "${printableBytes(fromByteString(name))}" in bucket "${bucket}" is damaged`);
  }
}

function sizeOf(name: ByteString, value: Uint8Array | undefined): number {
  return value === undefined ? 0 : name.length + value.length + RECORD_OVERHEAD_BYTES;
}
