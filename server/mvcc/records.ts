/**
 * The records of the `key` bucket (a version's revision -> its encoded KeyValue) and the two marks of compaction in
 * `meta`. The index says which versions exist: one that is missing here is damage, and reading it stops the process,
 * or has a state that another member sent refused.
 */
import { copyBytes, utf8Bytes } from "../base/bytes.ts";
import { type Backend, type BackendReader, CorruptRecord } from "../ports/backend.ts";
import { isRevisionKey, mainOf, revisionKey } from "./revision.ts";

const SCHEDULED_KEY = utf8Bytes("scheduledCompactRev");
const FINISHED_KEY = utf8Bytes("finishedCompactRev");

export type RecordVisitor = (revisionKey: Uint8Array, value: Uint8Array) => boolean | undefined;

/** What can be asked of the records of a store, also of one that is only read. */
export class RecordReader {
  readonly #reader: BackendReader;

  constructor(reader: BackendReader) {
    this.#reader = reader;
  }

  /** The encoded KeyValue of a put. Throws `CorruptRecord` when it is not there. */
  read(main: number, sub: number): Uint8Array {
    const value = this.#reader.get("key", revisionKey(main, sub));
    if (value === undefined)
      throw new CorruptRecord(`the record of revision ${main}.${sub} is missing in bucket "key"`);
    return value;
  }

  /** Visits the records with `from <= main revision <= to` in order until `visit` answers false. */
  scan(from: number, to: number, visit: RecordVisitor): void {
    this.#reader.scan("key", revisionKey(from, 0), revisionKey(to + 1, 0), visit);
  }

  /**
   * Visits up to `count` records above `after` (undefined: from the first on) with main revisions up to `to` (undefined:
   * all); they are only lent. Answers the key of the last one visited, from where the next slice goes on; undefined when
   * none is left.
   */
  slice(
    after: Uint8Array | undefined,
    to: number | undefined,
    count: number,
    visit: (revisionKey: Uint8Array, record: Uint8Array, from: number, to: number) => void,
  ): Uint8Array | undefined {
    let left = count;
    let last: Uint8Array | undefined;
    const start = after === undefined ? revisionKey(0, 0) : following(after);
    const end = to === undefined ? undefined : revisionKey(to + 1, 0);
    this.#reader.scanLent("key", start, end, (key, record, from, to) => {
      if (!isRevisionKey(key)) throw new CorruptRecord(`a key of ${key.length} bytes in bucket "key" is no revision`);
      left--;
      if (left === 0) last = copyBytes(key);
      visit(key, record, from, to);
      return left > 0;
    });
    return last;
  }

  /** Throws `CorruptRecord` when the store has another number of records than were `found`. */
  checkCount(found: number): void {
    const count = this.#reader.recordCount("key") ?? found;
    if (count !== found) throw new CorruptRecord(`${found} of ${count} records are found in bucket "key"`);
  }

  get scheduledCompaction(): number | undefined {
    return this.#mark(SCHEDULED_KEY);
  }

  get finishedCompaction(): number | undefined {
    return this.#mark(FINISHED_KEY);
  }

  #mark(key: Uint8Array): number | undefined {
    const value = this.#reader.get("meta", key);
    if (value === undefined) return undefined;
    if (!isRevisionKey(value)) throw new CorruptRecord(`the mark of a compaction in bucket "meta" is no revision`);
    return mainOf(value);
  }
}

export class Records extends RecordReader {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    super(backend);
    this.#backend = backend;
  }

  put(main: number, sub: number, kv: Uint8Array): void {
    this.#backend.put("key", revisionKey(main, sub), kv);
  }

  /** `kv` holds only the key. */
  putTombstone(main: number, sub: number, kv: Uint8Array): void {
    this.#backend.put("key", revisionKey(main, sub, true), kv);
  }

  delete(main: number, sub: number, tombstone: boolean): void {
    this.#backend.delete("key", revisionKey(main, sub, tombstone));
  }

  scheduleCompaction(revision: number): void {
    this.#backend.put("meta", SCHEDULED_KEY, revisionKey(revision, 0));
  }

  finishCompaction(revision: number): void {
    this.#backend.put("meta", FINISHED_KEY, revisionKey(revision, 0));
  }
}

/** The first key above `key`. */
export function following(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
