/** Ranges at a revision: from the index which versions, from memory or the records their values. */
import { type ByteString, copyBytes, EMPTY_BYTES, fromByteString } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { encodeKeyValue } from "../proto/mvccpb.ts";
import type { KeyIndex, Version } from "./key-index.ts";
import type { Keyspace } from "./keyspace.ts";
import { type KeyRange, keyRange } from "./tree-index.ts";

export interface RangeOptions {
  /** Main revision to read at; 0 or less: the latest. */
  readonly revision: number;
  /** At most so many KeyValues; 0: all. */
  readonly limit: number;
  /** Only count: no value is touched. */
  readonly countOnly: boolean;
  /** KeyValues without value and lease, made from the index. */
  readonly keysOnly?: boolean;
}

export interface RangeResult {
  /** Encoded KeyValues in the order of their keys. */
  readonly kvs: Uint8Array[];
  /** All keys that the range has at that revision, whatever the limit. */
  readonly count: number;
  /** The store's, not the one read at. */
  readonly revision: number;
}

/**
 * Reads at `options.revision`, which `current` bounds. Throws `EtcdError` FutureRevision above it and Compacted below the
 * compact revision; at that revision itself everything is still there. `indexIsAhead`: keys of the index were changed by
 * what is not to be seen yet, so that its counts are those of no revision.
 */
export function readRange(
  space: Keyspace,
  current: number,
  key: Uint8Array,
  rangeEnd: Uint8Array,
  options: RangeOptions,
  indexIsAhead = false,
): RangeResult {
  const revision = options.revision <= 0 ? current : options.revision;
  if (revision > current) throw new EtcdError("FutureRevision");
  if (revision < space.compactRevision) throw new EtcdError("Compacted");
  if (rangeEnd.length === 0) return readOne(space, current, revision, key, options);
  const found = new Collector(space, current, revision, options, indexIsAhead);
  found.collect(keyRange(key, rangeEnd));
  return { kvs: found.kvs, count: found.count, revision: current };
}

/** One key: the read that there are most of. No limit leaves it out. */
function readOne(
  space: Keyspace,
  current: number,
  revision: number,
  key: Uint8Array,
  { countOnly, keysOnly }: RangeOptions,
): RangeResult {
  const entry = space.index.get(key);
  const version = entry?.at(revision);
  if (entry === undefined || version === undefined) return { kvs: [], count: 0, revision: current };
  if (countOnly) return { kvs: [], count: 1, revision: current };
  const kv = keysOnly === true ? keyOnly(entry.name, version) : readVersion(space, entry, version);
  return { kvs: [kv], count: 1, revision: current };
}

/** What a range comes to, key by key. */
class Collector {
  readonly kvs: Uint8Array[] = [];
  count = 0;
  readonly #space: Keyspace;
  readonly #revision: number;
  readonly #limit: number;
  readonly #keysOnly: boolean;
  readonly #isPage: boolean;
  /** The index counts what exists now: at this revision no key has to be looked at for the count. */
  readonly #isNewest: boolean;
  /** The keys of the last two KeyValues: the next page begins after one of them, as its reader asked for one more or not. */
  #lastButOne: ByteString = "";
  #last: ByteString = "";

  constructor(
    space: Keyspace,
    current: number,
    revision: number,
    { limit, countOnly, keysOnly }: RangeOptions,
    indexIsAhead: boolean,
  ) {
    this.#space = space;
    this.#isNewest = revision === current && !indexIsAhead;
    this.#revision = revision;
    this.#limit = countOnly ? 0 : limit > 0 ? limit : Number.POSITIVE_INFINITY;
    this.#keysOnly = keysOnly === true;
    // A transaction's own revision is still changing.
    this.#isPage = !countOnly && limit > 0 && revision <= space.currentRevision;
  }

  collect(range: KeyRange): void {
    const { index, pageCounts } = this.#space;
    const known = this.#isNewest
      ? index.aliveIn(range)
      : this.#isPage
        ? pageCounts.find(this.#revision, range)
        : undefined;
    if (known === undefined) index.scan(range, (name, entry) => this.visit(name, entry));
    else {
      if (this.#limit > 0) index.scan(range, (name, entry) => this.visit(name, entry) && this.count < this.#limit);
      this.count = known;
    }
    if (!this.#isPage || this.count === this.kvs.length) return;
    const left = this.count - this.kvs.length;
    pageCounts.remember(this.#revision, range, this.#last, left);
    if (this.kvs.length > 1) pageCounts.remember(this.#revision, range, this.#lastButOne, left + 1);
  }

  visit(name: ByteString, entry: KeyIndex): true {
    const version = entry.at(this.#revision);
    if (version === undefined) return true;
    if (this.count < this.#limit) {
      this.kvs.push(this.#keysOnly ? keyOnly(name, version) : readVersion(this.#space, entry, version));
      this.#lastButOne = this.#last;
      this.#last = name;
    }
    this.count++;
    return true;
  }
}

/** The encoded KeyValue of a living version of the entry. */
export function readVersion(space: Keyspace, entry: KeyIndex, version: Version): Uint8Array {
  if (version !== entry) return space.records.read(version.main, version.sub);
  const cached = space.values.get(entry);
  if (cached !== undefined) return cached;
  const value = space.records.read(version.main, version.sub);
  // What a backend hands out may be part of a larger piece of memory, which one kept value would hold.
  space.values.set(entry, copyBytes(value));
  return value;
}

function keyOnly(name: ByteString, { main, created, version }: Version): Uint8Array {
  return encodeKeyValue({
    key: fromByteString(name),
    createRevision: created,
    modRevision: main,
    version,
    value: EMPTY_BYTES,
    lease: 0n,
  });
}
