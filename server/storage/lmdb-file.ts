/**
 * One LMDB file: the only place that knows lmdb-js. A sub-database for each bucket: appending revisions then fills pages
 * to the end, which a shared tree with prefixes does not (measured: the same time a commit, 5 % more file).
 *
 * LMDB's own commit protocol is used as it is: pages, sync, then the meta page through a synced write, with the meta of
 * the commit before left untouched; lmdb-js's overlapping sync would write a meta ahead of its data and needs to guess
 * at start which one to trust. We never have two commits under way, so that it would save nothing.
 *
 * No read view outlives a turn of the event loop: lmdb-js renews its view with the first read of a turn and lets it go
 * at the end of it, and no cursor is kept between calls. A view that is held keeps LMDB from reusing pages.
 */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { type Database, open, type RootDatabase, type Transaction } from "lmdb";
import { assert } from "../base/assert.ts";
import { compareBytes, concatBytes, EMPTY_BYTES, utf8Bytes, utf8Text } from "../base/bytes.ts";
import { WorldError } from "../base/error.ts";
import type { LentVisitor } from "../ports/backend.ts";
import { BUCKETS, type Bucket } from "../ports/buckets.ts";
import type { Batch } from "./batch.ts";
import { checkFreeSpace, growthBytes } from "./free-space.ts";
import { checkLmdbHeader } from "./lmdb-header.ts";
import { isLongKey, isStoredLongKey, readLongValue, sameGroup, storedLongKey, storedLongStart } from "./long-key.ts";
import { bucketSeed, CHECKSUM_BYTES, checkRecord, corrupt, sealRecord } from "./record.ts";

/** What is written here that etcd does not have: the number of our format. */
const OWN_BUCKET = "kvorum";
const FORMAT_KEY = utf8Bytes("format");
/** Raised when an older Kvorum could not read what this one writes. Every lower number is still read. */
const FORMAT = 1;
const OWN_SEED = bucketSeed(OWN_BUCKET);

/** A page of 4096 bytes is LMDB's own; two hold the metas. */
const META_PAGES = 2;

type Tree = Database<Uint8Array, Uint8Array>;

/** What lmdb-js takes and its types do not say. */
interface ReadsAsOf {
  getBinaryFast(key: Uint8Array, options: { readonly transaction: Transaction } | undefined): Buffer | undefined;
}

interface OpenBucket {
  readonly tree: Tree;
  readonly seed: number;
  pages: number;
}

export interface LmdbFileOptions {
  /** Address space reserved at open. LMDB maps anew, with the old map kept, when the file outgrows it. */
  readonly mapSizeBytes: number;
}

export interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A record as it lies in LMDB: checksum and value, under the key that stands for a long one. */
export interface StoredRow {
  readonly key: Uint8Array;
  readonly record: Uint8Array;
}

/**
 * Keys and values are bytes. lmdb-js's own "binary" copies each into an ArrayBuffer of its own, which costs more than
 * the rest of reading it: a small key stays on V8's heap, and a value comes as LMDB's buffer, to be checked and copied
 * before the next read.
 */
const TREE_OPTIONS = {
  compression: false,
  keyEncoder: {
    writeKey(key: Uint8Array, target: Uint8Array, start: number): number {
      target.set(key, start);
      return start + key.length;
    },
    readKey(source: Uint8Array, start: number, end: number): Uint8Array {
      const key = lentKeys?.next(end - start) ?? new Uint8Array(end - start);
      for (let at = start; at < end; at++) key[at - start] = source[at] as number;
      return key;
    },
  },
  encoder: {
    encode: (value: Uint8Array) => value,
    // The buffer that is used again and again has its length set by hand.
    decode: (buffer: Uint8Array, length: number) => (buffer.length === length ? buffer : buffer.subarray(0, length)),
  },
};

/** Of a tree that has to be there; `openDB` gives undefined, which its types do not say, where it is not. */
const EXISTING = { ...TREE_OPTIONS, create: false };

/**
 * Keys of a walk that only lends them: two of each length in turn, as each is compared with the one before. A start walks
 * a million records, and an array for each would be a seventh of what it allocates.
 */
class LentKeys {
  readonly #pairs: [Uint8Array, Uint8Array][] = [];
  #turn: 0 | 1 = 0;

  next(length: number): Uint8Array {
    this.#pairs[length] ??= [new Uint8Array(length), new Uint8Array(length)];
    this.#turn = this.#turn === 0 ? 1 : 0;
    return this.#pairs[length][this.#turn];
  }
}

/** While a walk lends its keys, from its beginning to its end within one turn: those. */
let lentKeys: LentKeys | undefined;

export class LmdbFile {
  readonly #path: string;
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  readonly #buckets: ReadonlyMap<Bucket, OpenBucket>;
  #sizeBytes = 0;
  #inUseBytes = 0;
  #views = 0;
  #closing: (() => void) | undefined;

  private constructor(
    path: string,
    root: RootDatabase<Uint8Array, Uint8Array>,
    buckets: ReadonlyMap<Bucket, OpenBucket>,
  ) {
    this.#path = path;
    this.#root = root;
    this.#buckets = buckets;
    this.refreshSizes(BUCKETS);
  }

  /**
   * Opens the file, creating it when it is not there. Throws `WorldError` with a sentence for people when it is not
   * ours, is of a newer format, or cannot be read.
   */
  static open(path: string, options: LmdbFileOptions): LmdbFile {
    try {
      checkLmdbHeader(path);
      if (!existsSync(path)) checkFreeSpace(dirname(path), growthBytes(BUCKETS.length, 0));
      // A constant of its own: lmdb-js's types know neither `safeRestore` nor `permissionsMode`.
      const settings = {
        path,
        noSubdir: true,
        ...TREE_OPTIONS,
        maxDbs: BUCKETS.length + 8,
        mapSize: options.mapSizeBytes,
        noMemInit: true,
        overlappingSync: false,
        safeRestore: true,
        permissionsMode: 0o600,
      };
      const root = open<Uint8Array, Uint8Array>(settings);
      try {
        const file = new LmdbFile(path, root, openBuckets(root));
        file.#checkSmallBuckets();
        return file;
      } catch (error) {
        void root.close();
        throw error;
      }
    } catch (error) {
      throw new WorldError(`open the store "${path}"`, error);
    }
  }

  /**
   * Walks every bucket but `key`, which is walked when the store is restored. Those are read record by record and only
   * asked for what may well not be there: a record that a damaged page hides would not be missed.
   */
  #checkSmallBuckets(): void {
    for (const bucket of BUCKETS) {
      if (bucket === "key") continue;
      let rows = 0;
      for (const _ of this.#storedRows(bucket, EMPTY_BYTES, undefined)) rows++;
      const count = this.recordCount(bucket);
      if (rows !== count) throw new Error(`bucket "${bucket}" is damaged: ${rows} of ${count} records are found`);
    }
  }

  /** As LMDB keeps count of them beside the tree itself. */
  recordCount(bucket: Bucket): number {
    return (this.#open(bucket).tree.getStats() as TreeStats).entryCount;
  }

  /** `at`: as of that transaction; absent: as of the last commit. */
  get(bucket: Bucket, key: Uint8Array, at?: Transaction): Uint8Array | undefined {
    if (isLongKey(key)) {
      const stored = this.#read(bucket, storedLongKey(key), at);
      return stored === undefined ? undefined : readLongValue(stored).value;
    }
    return this.#read(bucket, key, at);
  }

  #read(bucket: Bucket, storedKey: Uint8Array, at: Transaction | undefined): Uint8Array | undefined {
    const { tree, seed } = this.#open(bucket);
    let record: Uint8Array | undefined;
    try {
      record = (tree as ReadsAsOf).getBinaryFast(storedKey, at === undefined ? undefined : { transaction: at });
    } catch (error) {
      throw corrupt(bucket, storedKey, String(error));
    }
    if (record === undefined) return undefined;
    checkRecord(bucket, seed, storedKey, record, record.length);
    return copyFrom(record, CHECKSUM_BYTES);
  }

  /** The rows with `from <= key < to` in order. Must be walked or returned from within one turn. */
  *scan(bucket: Bucket, from: Uint8Array, to: Uint8Array | undefined, at?: Transaction): Generator<Row, void> {
    let group: Row[] = [];
    for (const { key: storedKey, value: stored } of this.#storedRows(bucket, from, to, at)) {
      const long = isStoredLongKey(storedKey) ? readLongValue(stored) : undefined;
      const head = group[0];
      if (head !== undefined && (long === undefined || !sameGroup(head.key, long.key))) {
        yield* sortedGroup(group, from, to);
        group = [];
      }
      if (long === undefined) yield { key: storedKey, value: stored };
      else group.push(long);
    }
    yield* sortedGroup(group, from, to);
  }

  *#storedRows(bucket: Bucket, from: Uint8Array, to: Uint8Array | undefined, at?: Transaction): Generator<Row, void> {
    const { tree, seed } = this.#open(bucket);
    const start = isLongKey(from) ? storedLongStart(from) : from;
    const end = to === undefined || !isLongKey(to) ? to : concatBytes([storedLongStart(to), ABOVE_EVERY_DIGEST]);
    // Never without a start: lmdb-js would begin with its own idea of a first key.
    const rows = tree.getRange({
      start: start.length > 0 ? start : ZERO,
      ...(end !== undefined && { end }),
      ...(at !== undefined && { transaction: at }),
    });
    for (const { key, value } of guarded(bucket, rows)) {
      checkRecord(bucket, seed, key, value);
      yield { key, value: copyFrom(value, CHECKSUM_BYTES) };
    }
  }

  /**
   * As `scan`, without anything made for a row: key and value are good until `visit` returns, which reads nothing from
   * the file meanwhile. Of a bucket without long keys.
   */
  visit(bucket: Bucket, from: Uint8Array, to: Uint8Array | undefined, visit: LentVisitor): void {
    const { tree, seed } = this.#open(bucket);
    const rows = tree.getRange({ start: from.length > 0 ? from : ZERO, ...(to !== undefined && { end: to }) });
    assert(lentKeys === undefined, "one walk at a time lends its keys");
    lentKeys = new LentKeys();
    try {
      for (const { key, value } of guarded(bucket, rows)) {
        const { length } = value;
        checkRecord(bucket, seed, key, value, length);
        if (visit(key, value, CHECKSUM_BYTES, length) === false) return;
      }
    } finally {
      lentKeys = undefined;
    }
  }

  /** Keys from `from` on and the length of their values, which are not looked at. Of a bucket without long keys. */
  *sizes(bucket: Bucket, from: Uint8Array, at: Transaction): Generator<{ key: Uint8Array; valueBytes: number }, void> {
    const rows = this.#open(bucket).tree.getRange({ start: from.length > 0 ? from : ZERO, transaction: at });
    for (const { key, value } of guarded(bucket, rows)) yield { key, valueBytes: value.length - CHECKSUM_BYTES };
  }

  /**
   * Holds what the last commit has left: to be read with `at`, and let go with `release`. While it is held LMDB does not
   * use its pages again, and `close` waits for it without holding up its caller.
   */
  hold(): Transaction {
    this.#views++;
    return this.#root.useReadTransaction();
  }

  release(held: Transaction): void {
    held.done();
    this.#views--;
    if (this.#views === 0) this.#closing?.();
  }

  /** Views that are held. */
  get views(): number {
    return this.#views;
  }

  /** Writes up to `count` operations of the batch, from the `skip`th on, as one durable transaction. */
  write(batch: Batch, skip = 0, count: number = Number.POSITIVE_INFINITY): Promise<void> {
    const operations = Math.min(count, batch.operations - skip);
    return this.#transaction(growthBytes(operations, batch.putBytes), () =>
      batch.forEach(
        (bucket, storedKey, record) => {
          const { tree } = this.#open(bucket);
          // The promises of single operations say nothing that the transaction's own does not.
          if (record === undefined) void tree.remove(storedKey);
          else void tree.put(storedKey, record);
        },
        skip,
        count,
      ),
    );
  }

  /** Up to `count` records of the bucket as they are stored, checked, from the first above `after` on. */
  storedAfter(bucket: Bucket, after: Uint8Array, count: number): StoredRow[] {
    const { tree, seed } = this.#open(bucket);
    const start = concatBytes([after, ZERO]);
    const rows: StoredRow[] = [];
    for (const { key, value } of guarded(bucket, tree.getRange({ start, limit: count }))) {
      checkRecord(bucket, seed, key, value);
      rows.push({ key, record: copyFrom(value, 0) });
    }
    return rows;
  }

  /** Writes records as they are stored as one durable transaction. */
  writeStored(bucket: Bucket, rows: readonly StoredRow[]): Promise<void> {
    const { tree } = this.#open(bucket);
    const recordBytes = rows.reduce((sum, { record }) => sum + record.length, 0);
    return this.#transaction(growthBytes(rows.length, recordBytes), () => {
      for (const { key, record } of rows) void tree.put(key, record);
    });
  }

  /** `growth`: what the file may grow by, were none of its pages free. */
  async #transaction(growth: number, fill: () => void): Promise<void> {
    checkFreeSpace(this.#path, growth - (this.#sizeBytes - this.#inUseBytes));
    try {
      await this.#root.batch(fill);
    } catch (error) {
      throw await reasonOf(error);
    }
    this.#root.resetReadTxn();
  }

  /** Bytes of the file, as of the last refresh. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Bytes of its pages that hold data, as of the last refresh. */
  get inUseBytes(): number {
    return this.#inUseBytes;
  }

  /** Looks at the sizes again; only the pages of the given buckets can have changed. About 15 us a bucket. */
  refreshSizes(changed: readonly Bucket[]): void {
    for (const bucket of changed) {
      const open = this.#open(bucket);
      open.pages = pagesOf(open.tree.getStats() as TreeStats);
    }
    const stats = this.#root.getStats() as RootStats;
    let pages = META_PAGES + pagesOf(stats.root) + pagesOf(stats.free);
    for (const open of this.#buckets.values()) pages += open.pages;
    this.#inUseBytes = pages * stats.pageSize;
    this.#sizeBytes = (stats.lastPageNumber + 1) * stats.pageSize;
  }

  /** With views held, closes when the last one is released, and answers at once. */
  async close(): Promise<void> {
    if (this.#views === 0) return this.#root.close();
    this.#closing = () => void this.#root.close();
  }

  #open(bucket: Bucket): OpenBucket {
    return this.#buckets.get(bucket) as OpenBucket;
  }
}

const ZERO = Uint8Array.of(0);

/**
 * A copy of what LMDB lends until the next read. Its memory may go on behind `length`, which lmdb-js sets by hand: only
 * `subarray` minds that.
 */
function copyFrom(lent: Uint8Array, from: number): Uint8Array {
  const { length } = lent;
  const copy = Buffer.allocUnsafe(length - from);
  copy.set(lent.subarray(from, length));
  return copy;
}

/** Longer than a digest, so above whatever follows the first bytes of a long key. */
const ABOVE_EVERY_DIGEST = new Uint8Array(32).fill(0xff);

function sortedGroup(group: Row[], from: Uint8Array, to: Uint8Array | undefined): Row[] {
  return group
    .filter(({ key }) => compareBytes(key, from) >= 0 && (to === undefined || compareBytes(key, to) < 0))
    .sort((left, right) => compareBytes(left.key, right.key));
}

/** What LMDB itself finds wrong with a page while we walk is damage, and so is a walk that does not rise. */
function guarded(bucket: Bucket, rows: Iterable<Row>): IterableIterator<Row> {
  return new GuardedRows(bucket, rows[Symbol.iterator]());
}

/** Not a generator: a store of ten million records is walked at every start. */
class GuardedRows implements IterableIterator<Row> {
  readonly #bucket: Bucket;
  readonly #rows: Iterator<Row>;
  #last = EMPTY_BYTES;

  constructor(bucket: Bucket, rows: Iterator<Row>) {
    this.#bucket = bucket;
    this.#rows = rows;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Row> {
    const step = this.#step();
    if (step.done) return step;
    const { key } = step.value;
    if (compareBytes(key, this.#last) <= 0) {
      this.#rows.return?.();
      throw corrupt(this.#bucket, key, "it is not where it belongs");
    }
    this.#last = key;
    return step;
  }

  return(): IteratorResult<Row> {
    this.#rows.return?.();
    return { done: true, value: undefined };
  }

  #step(): IteratorResult<Row> {
    try {
      return this.#rows.next();
    } catch (error) {
      throw corrupt(this.#bucket, this.#last, `what follows it cannot be read, ${String(error)}`);
    }
  }
}

/** All buckets in one transaction: a crash in the middle leaves an empty file, which is a new one. */
function openBuckets(root: RootDatabase<Uint8Array, Uint8Array>): Map<Bucket, OpenBucket> {
  const isNew = (root.getStats() as RootStats).root.entryCount === 0;
  if (!isNew) checkFormat(root);
  const buckets = new Map<Bucket, OpenBucket>();
  root.transactionSync(() => {
    for (const bucket of BUCKETS) {
      // All are made with the file. One that LMDB does not find is hidden by a damaged page: made anew, it would be empty.
      const tree = root.openDB<Uint8Array, Uint8Array>(bucket, isNew ? TREE_OPTIONS : EXISTING) as Tree | undefined;
      if (tree === undefined) throw new Error(`bucket "${bucket}" is damaged: it is not found`);
      buckets.set(bucket, { tree, seed: bucketSeed(bucket), pages: 0 });
    }
    if (!isNew) return;
    const value = utf8Bytes(String(FORMAT));
    const record = new Uint8Array(CHECKSUM_BYTES + value.length);
    sealRecord(record, 0, OWN_SEED, FORMAT_KEY, value);
    root.openDB<Uint8Array, Uint8Array>(OWN_BUCKET, TREE_OPTIONS).putSync(FORMAT_KEY, record);
  });
  return buckets;
}

function checkFormat(root: RootDatabase<Uint8Array, Uint8Array>): void {
  const own = root.openDB<Uint8Array, Uint8Array>(OWN_BUCKET, EXISTING) as Tree | undefined;
  const record = own?.getBinary(FORMAT_KEY);
  if (record === undefined) throw new Error("it is an LMDB file, but not one of Kvorum's");
  checkRecord(OWN_BUCKET, OWN_SEED, FORMAT_KEY, record);
  const format = Number(utf8Text(record.subarray(CHECKSUM_BYTES)));
  if (format > FORMAT) {
    throw new Error(`its format is ${format}, written by a newer Kvorum; this one reads formats up to ${FORMAT}`);
  }
}

interface TreeStats {
  readonly pageSize: number;
  readonly entryCount: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface RootStats extends TreeStats {
  readonly root: TreeStats;
  readonly free: TreeStats;
  readonly lastPageNumber: number;
}

function pagesOf({ treeBranchPageCount, treeLeafPageCount, overflowPages }: TreeStats): number {
  return treeBranchPageCount + treeLeafPageCount + overflowPages;
}

/** lmdb-js rejects a failed commit with a hint; what went wrong comes through a promise of its own beside it. */
async function reasonOf(error: unknown): Promise<unknown> {
  const told = (error as { commitError?: Promise<never> }).commitError;
  if (told === undefined) return error;
  const silence = new Promise<unknown>((resolve) => setImmediate(resolve, error));
  return Promise.race([told.catch((reason: unknown) => reason), silence]);
}
