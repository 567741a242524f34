/**
 * Puts and deletes on their way to disk, readable like the store itself: the last word on a key wins. Records are
 * sealed as they come, so that handing a batch to LMDB is nothing but handing over. Not bounded here: whoever fills it
 * commits in time.
 */
import { type ByteString, fromByteString, toByteString } from "../base/bytes.ts";
import { BUCKETS, type Bucket } from "../ports/buckets.ts";
import { ABSENT, BucketChanges, lowerBound } from "./bucket-changes.ts";
import {
  isLongKey,
  LONG_KEY_BYTES,
  readLongValue,
  STORED_LONG_KEY_BYTES,
  storedLongKey,
  storedLongValue,
} from "./long-key.ts";
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
    const length = CHECKSUM_BYTES + storedValue.length;
    const slabs = this.#slabs;
    this.#arena.allocate(length, slabs);
    sealRecord(slabs.list[slabs.slab] as Uint8Array, slabs.start, seedOf(bucket), storedKey, storedValue);
    this.#note(bucket, key, slabs.slab, slabs.start, length);
  }

  delete(bucket: Bucket, key: Uint8Array): void {
    this.#note(bucket, key, 0, 0, 0);
  }

  /** Writes what `newer` says over what this says. */
  absorb(newer: Batch): void {
    for (const [bucket, changes] of newer.#buckets) {
      for (let at = 0; at < changes.size; at++) {
        const name = changes.nameAt(at);
        const value = newer.#wordAt(changes, at);
        if (value === DELETED) this.delete(bucket, fromByteString(name));
        else this.put(bucket, fromByteString(name), value);
      }
    }
  }

  /** A value is a copy: it may be kept. */
  find(bucket: Bucket, name: ByteString): Word {
    const changes = this.#buckets.get(bucket);
    const at = changes?.find(name) ?? ABSENT;
    return at === ABSENT ? undefined : copyOf(this.#wordAt(changes as BucketChanges, at));
  }

  /** The batch's words about `from <= key < to`, in order. The batch must not change while it is walked. */
  *walk(bucket: Bucket, from: ByteString, to: ByteString | undefined): Generator<BatchEntry, void> {
    const changes = this.#buckets.get(bucket);
    if (changes === undefined) return;
    const names = changes.sortedNames();
    for (let at = lowerBound(names, from); at < names.length; at++) {
      const name = names[at] as ByteString;
      if (to !== undefined && name >= to) return;
      yield { name, value: copyOf(this.#wordAt(changes, changes.find(name))) };
    }
  }

  /** Calls for up to `count` operations from the `skip`th on, as they go to LMDB. No record: a delete. */
  forEach(
    visit: (bucket: Bucket, storedKey: Uint8Array, record: Uint8Array | undefined) => void,
    skip = 0,
    count: number = Number.POSITIVE_INFINITY,
  ): void {
    let passed = 0;
    for (const [bucket, changes] of this.#buckets) {
      const start = Math.max(0, skip - passed);
      const end = Math.min(changes.size, skip + count - passed);
      for (let at = start; at < end; at++) {
        const key = fromByteString(changes.nameAt(at));
        visit(bucket, isLongKey(key) ? storedLongKey(key) : key, this.#recordAt(changes, at));
      }
      passed += changes.size;
    }
  }

  buckets(): Bucket[] {
    return [...this.#buckets.keys()];
  }

  /** Gives its memory back once LMDB has copied everything; nothing may be read from it afterwards. */
  release(): void {
    this.#buckets.clear();
    this.#arena.release(this.#slabs);
  }

  /** A view of the slab; undefined for a delete. */
  #recordAt(changes: BucketChanges, at: number): Uint8Array | undefined {
    const length = changes.lengthAt(at);
    if (length === 0) return undefined;
    const start = changes.startAt(at);
    return this.#slabs.list[changes.slabAt(at)]?.subarray(start, start + length);
  }

  #wordAt(changes: BucketChanges, at: number): Uint8Array | typeof DELETED {
    const stored = this.#recordAt(changes, at)?.subarray(CHECKSUM_BYTES);
    if (stored === undefined) return DELETED;
    return changes.nameAt(at).length >= LONG_KEY_BYTES ? readLongValue(stored).value : stored;
  }

  #changes(bucket: Bucket): BucketChanges {
    let changes = this.#buckets.get(bucket);
    if (changes === undefined) {
      changes = new BucketChanges();
      this.#buckets.set(bucket, changes);
    }
    return changes;
  }

  #note(bucket: Bucket, key: Uint8Array, slab: number, start: number, length: number): void {
    const changes = this.#changes(bucket);
    const name = toByteString(key);
    const keyBytes = isLongKey(key) ? STORED_LONG_KEY_BYTES : key.length;
    const at = changes.find(name);
    if (at === ABSENT) {
      changes.add(name, slab, start, length);
      this.#operations++;
    } else {
      this.#account(bucket, keyBytes, changes.lengthAt(at), -1);
      changes.replace(at, slab, start, length);
    }
    this.#account(bucket, keyBytes, length, 1);
  }

  /** A length of 0 is a delete: every record has a checksum. */
  #account(bucket: Bucket, keyBytes: number, recordBytes: number, sign: 1 | -1): void {
    if (bucket === "key") this.#growth += recordBytes === 0 ? -sign : sign;
    if (recordBytes > 0) this.#putBytes += sign * (keyBytes + recordBytes + OVERHEAD_BYTES);
  }
}

export interface BatchEntry {
  readonly name: ByteString;
  readonly value: Uint8Array | typeof DELETED;
}

/** Slabs are used again: whoever keeps a value keeps its own. */
function copyOf(word: Uint8Array | typeof DELETED): Uint8Array | typeof DELETED {
  return word === DELETED ? DELETED : word.slice();
}

const seeds = new Map<Bucket, number>(BUCKETS.map((bucket) => [bucket, bucketSeed(bucket)]));

function seedOf(bucket: Bucket): number {
  return seeds.get(bucket) as number;
}
