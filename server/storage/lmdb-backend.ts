/**
 * The backend on LMDB. What is not yet durable lies in up to three batches over the file, each of which hides what is
 * below it, and a commit moves one of them down:
 *
 *     put, delete ──► open ── commit() ──► sealed ── when none is under way ──► writing ──► file
 *                  (growing)     (commits that wait are one transaction)    (with LMDB's thread)
 *
 * A batch is sealed by the call of `commit`: what is written after it never joins its transaction, since the caller's
 * applied index is in there. Reading looks through all of them, so that nothing is ever seen to go back.
 */
import { assert } from "../base/assert.ts";
import { compareBytes, fromByteString, toByteString } from "../base/bytes.ts";
import { WorldError } from "../base/error.ts";
import { besideFailpoint, failpoint } from "../base/failpoint.ts";
import { type Backend, BackendFull, type LentVisitor, type ReadView, type Replacement } from "../ports/backend.ts";
import { BUCKETS, type Bucket } from "../ports/buckets.ts";
import { Batch, type BatchEntry, DELETED } from "./batch.ts";
import { CompactCopy } from "./compact-copy.ts";
import { prepareFolder, syncFolder } from "./data-dir.ts";
import { LmdbFile, type LmdbFileOptions, type Row } from "./lmdb-file.ts";
import { LmdbView } from "./lmdb-view.ts";
import { RecordArena } from "./record-arena.ts";
import { LmdbReplacement } from "./replacement.ts";

export interface LmdbBackendOptions {
  /**
   * The file's pages in use never grow beyond this; a commit that would make them is refused with `BackendFull`. Above
   * the quota by a good margin: the quota is what a client meets. Default 16 GiB.
   */
  readonly maxSizeBytes?: number;
  /**
   * Address space reserved at open, not memory. By default enough for `maxSizeBytes`; with less, LMDB maps the file
   * again, larger, whenever it outgrows the map, and keeps the old maps.
   */
  readonly mapSizeBytes?: number;
}

const DEFAULT_MAX_BYTES = 16 * 2 ** 30;
/** Pages in use, free ones and fragments between them: a file is larger than what it holds. */
const MAP_MARGIN = 1.25;
const SMALLEST_MAP_BYTES = 2 ** 20;

export class LmdbBackend implements Backend {
  readonly #path: string;
  readonly #fileOptions: LmdbFileOptions;
  readonly #maxSizeBytes: number;
  readonly #arena = new RecordArena();
  #file: LmdbFile;
  #open: Batch;
  #sealed: Batch | undefined;
  /** For those who wait for the sealed batch. None after a refusal for want of room: the next commit tries again. */
  #sealedDone: Deferred | undefined;
  #writing: Batch | undefined;
  #writingDone: Deferred | undefined;
  #failure: WorldError | undefined;
  #scans = 0;
  readonly #views = new Set<LmdbView>();
  #defragmenting: Promise<void> | undefined;
  #copy: CompactCopy | undefined;
  #replacement: LmdbReplacement | undefined;
  /** While the copy takes the file's place: no write may begin. */
  #held = false;
  #closed = false;

  private constructor(path: string, options: LmdbBackendOptions) {
    this.#path = path;
    this.#maxSizeBytes = options.maxSizeBytes ?? DEFAULT_MAX_BYTES;
    const mapSizeBytes = options.mapSizeBytes ?? Math.ceil(this.#maxSizeBytes * MAP_MARGIN);
    this.#fileOptions = { mapSizeBytes: Math.max(mapSizeBytes, SMALLEST_MAP_BYTES) };
    this.#file = LmdbFile.open(path, this.#fileOptions);
    this.#open = new Batch(this.#arena);
  }

  /**
   * Opens the store in `folder`, creating both when they are not there; the folder holds nothing else. Throws
   * `WorldError` with a sentence for people when what lies there is not a store of ours, or one of a newer format. That
   * only one process does so at a time is the caller's care.
   */
  static open(folder: string, options: LmdbBackendOptions = {}): LmdbBackend {
    const path = prepareFolder(folder);
    const backend = new LmdbBackend(path, options);
    syncFolder(folder);
    return backend;
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    if (this.#hasPending) {
      const name = toByteString(key);
      const word =
        this.#open.find(bucket, name) ?? this.#sealed?.find(bucket, name) ?? this.#writing?.find(bucket, name);
      if (word !== undefined) return word === DELETED ? undefined : word;
    }
    return this.#file.get(bucket, key);
  }

  scan(
    bucket: Bucket,
    from: Uint8Array,
    to: Uint8Array | undefined,
    visit: (key: Uint8Array, value: Uint8Array) => boolean | undefined,
  ): void {
    this.#scans++;
    try {
      const layers = [this.#open, this.#sealed, this.#writing].filter((layer) => layer !== undefined);
      const rows = layered(layers, bucket, from, to, this.#file.scan(bucket, from, to));
      for (const { key, value } of rows) if (visit(key, value) === false) return;
    } finally {
      this.#scans--;
    }
  }

  scanLent(bucket: "key", from: Uint8Array, to: Uint8Array | undefined, visit: LentVisitor): void {
    if (this.#hasPending) {
      this.scan(bucket, from, to, (key, value) => visit(key, value, 0, value.length));
      return;
    }
    this.#scans++;
    try {
      this.#file.visit(bucket, from, to, visit);
    } finally {
      this.#scans--;
    }
  }

  /** Something is not in the file yet. */
  get #hasPending(): boolean {
    return this.#open.operations > 0 || this.#sealed !== undefined || this.#writing !== undefined;
  }

  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.#mayWrite(key);
    this.#open.put(bucket, key, value);
  }

  delete(bucket: Bucket, key: Uint8Array): void {
    this.#mayWrite(key);
    this.#open.delete(bucket, key);
  }

  recordCount(bucket: Bucket): number | undefined {
    return this.#hasPending ? undefined : this.#file.recordCount(bucket);
  }

  pendingOperations(): number {
    return this.#open.operations;
  }

  pendingBytes(): number {
    return this.#open.putBytes;
  }

  commit(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    assert(!this.#closed, "a closed store takes no commit");
    this.#seal();
    const done = this.#sealedDone ?? this.#writingDone;
    this.#writeNext();
    return done?.promise ?? Promise.resolve();
  }

  sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  sizeInUseBytes(): number {
    return this.#file.inUseBytes + this.#open.putBytes + (this.#sealed?.putBytes ?? 0) + (this.#writing?.putBytes ?? 0);
  }

  openReadView(): ReadView {
    assert(!this.#closed, "a closed store is not read");
    const view = new LmdbView(this.#file, () => this.#views.delete(view));
    this.#views.add(view);
    return view;
  }

  openReadViews(): number {
    return this.#views.size;
  }

  /**
   * Copies the file without its free pages, then takes the copy for the file. Reads, writes and commits go on; what is
   * committed meanwhile is kept for the copy too, and only the change itself holds commits for some milliseconds. Two
   * calls at once are one. Rejects with `WorldError` when the copy cannot be made, or another store is about to take this
   * one's place; the old file is then still in use.
   */
  defragment(): Promise<void> {
    assert(!this.#closed, "a closed store is not defragmented");
    if (this.#replacement !== undefined) {
      const reason = "the state of another member is being taken in: try again later";
      return Promise.reject(new WorldError(`defragment "${this.#path}"`, reason));
    }
    this.#defragmenting ??= this.#defragment().finally(() => {
      this.#defragmenting = undefined;
    });
    return this.#defragmenting;
  }

  async beginReplacement(): Promise<Replacement> {
    while (this.#defragmenting !== undefined) await this.#defragmenting.catch(() => undefined);
    assert(!this.#closed && this.#replacement === undefined, "one replacement of an open store at a time");
    const replacement = LmdbReplacement.begin(this.#path, this.#fileOptions, {
      emptyBatch: () => new Batch(this.#arena),
      hold: () => this.#hold(),
      take: (file) => this.#takeOver(file),
      ended: () => {
        this.#replacement = undefined;
        this.#held = false;
        this.#writeNext();
      },
    });
    this.#replacement = replacement;
    return replacement;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#replacement?.discard();
    await this.#defragmenting?.catch(() => undefined);
    await this.#writesEnded();
    for (const view of this.#views) view.close();
    await this.#file.close();
  }

  async #hold(): Promise<void> {
    this.#held = true;
    await this.#writesEnded();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Another file is this store's now; answers the one before. What waited to be written to that has no place in it. */
  #takeOver(file: LmdbFile): LmdbFile {
    assert(this.#writing === undefined && this.#scans === 0, "a store is exchanged between commits and scans");
    const before = this.#file;
    file.refreshSizes(BUCKETS);
    this.#file = file;
    this.#open.release();
    this.#open = new Batch(this.#arena);
    this.#sealed?.release();
    this.#sealed = undefined;
    const done = this.#sealedDone;
    this.#sealedDone = undefined;
    done?.resolve();
    return before;
  }

  #mayWrite(key: Uint8Array): void {
    assert(!this.#closed, "a closed store is not written");
    assert(this.#scans === 0, "nothing is written during a scan");
    assert(key.length > 0, "a key has at least one byte");
  }

  #seal(): void {
    if (this.#open.operations > 0) {
      if (this.#sealed === undefined) this.#sealed = this.#open;
      else {
        this.#sealed.absorb(this.#open);
        this.#open.release();
      }
      this.#open = new Batch(this.#arena);
    }
    if (this.#sealed !== undefined) this.#sealedDone ??= new Deferred();
  }

  #writeNext(): void {
    const batch = this.#sealed;
    const done = this.#sealedDone;
    if (batch === undefined || done === undefined || this.#writing !== undefined || this.#held) return;
    this.#sealedDone = undefined;
    if (!this.#hasRoom(batch)) {
      done.reject(new BackendFull(`commit ${batch.operations} operations`, this.#fullText(batch)));
      return;
    }
    this.#sealed = undefined;
    this.#writing = batch;
    this.#writingDone = done;
    this.#copy?.note(batch);
    (besideFailpoint === undefined ? this.#file.write(batch) : writeBetweenFailpoints(this.#file, batch))
      .then(() => this.#written(batch, done))
      .catch((error: unknown) => this.#failed(new WorldError(`commit to "${this.#path}"`, error)));
  }

  #written(batch: Batch, done: Deferred): void {
    this.#file.refreshSizes(batch.buckets());
    this.#writing = undefined;
    this.#writingDone = undefined;
    batch.release();
    done.resolve();
    this.#writeNext();
  }

  /** What could not be written stays readable, but nothing is written any more: the process is about to stop. */
  #failed(failure: WorldError): void {
    this.#failure = failure;
    this.#writingDone?.reject(failure);
    this.#sealedDone?.reject(failure);
  }

  #hasRoom(batch: Batch): boolean {
    if (batch.growth <= 0) return true;
    return this.#file.inUseBytes + batch.putBytes <= this.#maxSizeBytes;
  }

  #fullText(batch: Batch): string {
    return `the store uses ${this.#file.inUseBytes} bytes, this needs ${batch.putBytes} more, and the maximum is ${this.#maxSizeBytes}`;
  }

  /** Resolves when no write is under way and, unless held, none waits. Never rejects. */
  async #writesEnded(): Promise<void> {
    while (this.#writingDone !== undefined && this.#failure === undefined) {
      await this.#writingDone.promise.catch(() => undefined);
    }
  }

  async #defragment(): Promise<void> {
    const copy = new CompactCopy(this.#path, new Batch(this.#arena));
    this.#copy = copy;
    if (this.#writing !== undefined) copy.note(this.#writing);
    try {
      if (besideFailpoint !== undefined) await besideFailpoint("defragBeforeCopy");
      const next = await copy.make(this.#file, this.#fileOptions);
      await copy.catchUp(() => new Batch(this.#arena));
      await this.#hold();
      await copy.catchUpFully(() => new Batch(this.#arena));
      const last = this.#file;
      if (besideFailpoint !== undefined) await besideFailpoint("defragBeforeRename");
      await copy.takePlace(
        () => {
          next.refreshSizes(BUCKETS);
          this.#file = next;
        },
        () => last.close(),
      );
    } catch (error) {
      const failure = new WorldError(`defragment "${this.#path}"`, error);
      if (copy.inPlace) this.#failed(failure);
      else await copy.discard();
      throw failure;
    } finally {
      this.#copy = undefined;
      this.#held = false;
      this.#writeNext();
    }
  }
}

/** A commit while failpoints are armed. LMDB begins, fills and commits its transaction in one go, in a thread of its own. */
async function writeBetweenFailpoints(file: LmdbFile, batch: Batch): Promise<void> {
  await besideFailpoint?.("beforeStartDBTxn");
  await besideFailpoint?.("beforeCommit");
  const written = file.write(batch);
  failpoint?.("afterStartDBTxn");
  await written;
  await besideFailpoint?.("afterCommit");
}

/** A promise to be settled by whoever holds this. */
class Deferred {
  readonly promise: Promise<void>;
  resolve: () => void = () => undefined;
  reject: (error: unknown) => void = () => undefined;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** The rows of the file as the batches over it leave them, in order. `layers` from the newest to the oldest. */
function* layered(
  layers: readonly Batch[],
  bucket: Bucket,
  from: Uint8Array,
  to: Uint8Array | undefined,
  file: Generator<Row, void>,
): Generator<Row, void> {
  const overlay = merged(layers, bucket, toByteString(from), to === undefined ? undefined : toByteString(to));
  let over = overlay.next().value ?? undefined;
  for (const row of file) {
    let hidden = false;
    while (over !== undefined) {
      const key = fromByteString(over.name);
      const order = compareBytes(key, row.key);
      if (order > 0) break;
      if (over.value !== DELETED) yield { key, value: over.value };
      hidden = order === 0;
      over = overlay.next().value ?? undefined;
    }
    if (!hidden) yield row;
  }
  for (; over !== undefined; over = overlay.next().value ?? undefined) {
    if (over.value !== DELETED) yield { key: fromByteString(over.name), value: over.value };
  }
}

/** The newest word on each key that any of the batches speaks of, in the order of the keys. */
function* merged(
  layers: readonly Batch[],
  bucket: Bucket,
  from: string,
  to: string | undefined,
): Generator<BatchEntry, void> {
  const walks = layers.map((layer) => layer.walk(bucket, from, to));
  const heads = walks.map((walk) => walk.next().value ?? undefined);
  for (;;) {
    let first: BatchEntry | undefined;
    for (const head of heads) if (head !== undefined && (first === undefined || head.name < first.name)) first = head;
    if (first === undefined) return;
    yield first;
    heads.forEach((head, at) => {
      if (head?.name === first.name) heads[at] = walks[at]?.next().value ?? undefined;
    });
  }
}
