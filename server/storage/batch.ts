/**
 * Puts and deletes on their way to disk, readable like the store itself: the last word on a key wins. Records are
 * sealed as they come, so that handing a batch to LMDB is nothing but handing over. Not bounded here: whoever fills it
 * commits in time.
 */
import { type ByteString, fromByteString, toByteString } from "../base/bytes.ts";
import { BUCKETS, type Bucket } from "../ports/buckets.ts";
import { isLongKey, storedLongKey, storedLongValue } from "./long-key.ts";
import { bucketSeed, CHECKSUM_BYTES, sealRecord } from "./record.ts";
import { type RecordArena, Slabs } from "./record-arena.ts";

/** What LMDB spends on a record beside its bytes, about: node header, page headers, the unfilled part of pages. */
const OVERHEAD_BYTES = 24;

/** `undefined`: the batch says nothing about the key. `DELETED`: it deletes it. */
export type Word = Uint8Array | typeof DELETED | undefined;
export const DELETED: unique symbol = Symbol("deleted");

export class Batch {
  readonly #arena: RecordArena;
  readonly #slabs = new Slabs();
  readonly #buckets = new Map<Bucket, BucketChanges>();
  #operations = 0;
  #growth = 0;
  #putBytes = 0;

  constructor(arena: RecordArena) {
    this.#arena = arena;
  }

  /** Keys that it puts or deletes. */
  get operations(): number {
    return this.#operations;
  }

  /** Records of the `key` bucket, which is what fills a store: those put less those deleted. */
  get growth(): number {
    return this.#growth;
  }

  /** About what its puts need on disk. */
  get putBytes(): number {
    return this.#putBytes;
  }

  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    const long = isLongKey(key);
    const storedKey = long ? storedLongKey(key) : key;
    const storedValue = long ? storedLongValue(key, value) : value;
    const record = this.#arena.allocate(CHECKSUM_BYTES + storedValue.length, this.#slabs);
    sealRecord(record, seedOf(bucket), storedKey, storedValue);
    this.#note(bucket, key, storedKey, value, record);
  }

  delete(bucket: Bucket, key: Uint8Array): void {
    this.#note(bucket, key, isLongKey(key) ? storedLongKey(key) : key, DELETED, undefined);
  }

  /** Writes what `newer` says over what this says. */
  absorb(newer: Batch): void {
    for (const [bucket, changes] of newer.#buckets) {
      for (let at = 0; at < changes.values.length; at++) {
        const value = changes.values[at] as Uint8Array | typeof DELETED;
        const key = fromByteString(changes.names[at] as ByteString);
        if (value === DELETED) this.delete(bucket, key);
        else this.put(bucket, key, value);
      }
    }
  }

  find(bucket: Bucket, name: ByteString): Word {
    const changes = this.#buckets.get(bucket);
    const at = changes?.places.get(name);
    return at === undefined ? undefined : changes?.values[at];
  }

  /** The batch's words about `from <= key < to`, in order. The batch must not change while it is walked. */
  *walk(bucket: Bucket, from: ByteString, to: ByteString | undefined): Generator<BatchEntry, void> {
    const changes = this.#buckets.get(bucket);
    if (changes === undefined) return;
    const names = changes.sortedNames();
    for (let at = lowerBound(names, from); at < names.length; at++) {
      const name = names[at] as ByteString;
      if (to !== undefined && name >= to) return;
      yield { name, value: changes.values[changes.places.get(name) as number] as Uint8Array | typeof DELETED };
    }
  }

  /** Calls for up to `count` operations from the `skip`th on, as they go to LMDB. No record: a delete. */
  forEach(
    visit: (bucket: Bucket, storedKey: Uint8Array, record: Uint8Array | undefined) => void,
    skip = 0,
    count: number = Number.POSITIVE_INFINITY,
  ): void {
    let passed = 0;
    for (const [bucket, { storedKeys, records }] of this.#buckets) {
      const start = Math.max(0, skip - passed);
      const end = Math.min(records.length, skip + count - passed);
      for (let at = start; at < end; at++) visit(bucket, storedKeys[at] as Uint8Array, records[at]);
      passed += records.length;
    }
  }

  buckets(): Bucket[] {
    return [...this.#buckets.keys()];
  }

  /** Gives its memory back once LMDB has copied everything. Only its values may be read afterwards. */
  release(): void {
    for (const changes of this.#buckets.values()) changes.records.length = 0;
    this.#arena.release(this.#slabs);
  }

  #changes(bucket: Bucket): BucketChanges {
    let changes = this.#buckets.get(bucket);
    if (changes === undefined) {
      changes = new BucketChanges();
      this.#buckets.set(bucket, changes);
    }
    return changes;
  }

  #note(
    bucket: Bucket,
    key: Uint8Array,
    storedKey: Uint8Array,
    value: Uint8Array | typeof DELETED,
    record: Uint8Array | undefined,
  ): void {
    const changes = this.#changes(bucket);
    const name = toByteString(key);
    const at = changes.places.get(name);
    if (at === undefined) {
      changes.add(name, storedKey, value, record);
      this.#operations++;
    } else {
      this.#account(bucket, storedKey, changes.records[at], -1);
      changes.values[at] = value;
      changes.records[at] = record;
    }
    this.#account(bucket, storedKey, record, 1);
  }

  #account(bucket: Bucket, storedKey: Uint8Array, record: Uint8Array | undefined, sign: 1 | -1): void {
    if (bucket === "key") this.#growth += record === undefined ? -sign : sign;
    if (record !== undefined) this.#putBytes += sign * (storedKey.length + record.length + OVERHEAD_BYTES);
  }
}

export interface BatchEntry {
  readonly name: ByteString;
  readonly value: Uint8Array | typeof DELETED;
}

/** The operations of one bucket in columns: one object each would cost more than the operation. */
class BucketChanges {
  readonly places = new Map<ByteString, number>();
  readonly names: ByteString[] = [];
  readonly storedKeys: Uint8Array[] = [];
  readonly values: (Uint8Array | typeof DELETED)[] = [];
  readonly records: (Uint8Array | undefined)[] = [];
  /** Revisions come in rising order, so that sorting is nearly always nothing. */
  #sorted: ByteString[] | undefined;
  #rising = true;

  add(
    name: ByteString,
    storedKey: Uint8Array,
    value: Uint8Array | typeof DELETED,
    record: Uint8Array | undefined,
  ): void {
    const last = this.names[this.names.length - 1];
    if (last !== undefined && last > name) this.#rising = false;
    this.#sorted = undefined;
    this.places.set(name, this.names.length);
    this.names.push(name);
    this.storedKeys.push(storedKey);
    this.values.push(value);
    this.records.push(record);
  }

  sortedNames(): readonly ByteString[] {
    if (this.#rising) return this.names;
    this.#sorted ??= [...this.names].sort(byBytes);
    return this.#sorted;
  }
}

function byBytes(left: ByteString, right: ByteString): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The first place whose name is not below `name`. */
function lowerBound(names: readonly ByteString[], name: ByteString): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] as ByteString) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}

const seeds = new Map<Bucket, number>(BUCKETS.map((bucket) => [bucket, bucketSeed(bucket)]));

function seedOf(bucket: Bucket): number {
  return seeds.get(bucket) as number;
}
