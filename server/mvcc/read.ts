/** Ranges at a revision: from the index which versions, from memory or the records their values. */
import { EMPTY_BYTES, fromByteString, toByteString } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { encodeKeyValue } from "../proto/mvccpb.ts";
import type { KeyIndex, Version } from "./key-index.ts";
import type { Keyspace } from "./keyspace.ts";
import { keyRange } from "./tree-index.ts";

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
 * compact revision; at that revision itself everything is still there.
 */
export function readRange(
  space: Keyspace,
  current: number,
  key: Uint8Array,
  rangeEnd: Uint8Array,
  options: RangeOptions,
): RangeResult {
  const revision = options.revision <= 0 ? current : options.revision;
  if (revision > current) throw new EtcdError("FutureRevision");
  if (revision < space.compactRevision) throw new EtcdError("Compacted");
  const kvs: Uint8Array[] = [];
  let count = 0;
  const wanted = options.countOnly ? 0 : options.limit > 0 ? options.limit : Number.POSITIVE_INFINITY;
  const visit = (name: string, entry: KeyIndex) => {
    const version = entry.at(revision);
    if (version === undefined) return true;
    if (count < wanted)
      kvs.push(options.keysOnly === true ? keyOnly(name, version) : readVersion(space, entry, version));
    count++;
    return true;
  };
  if (rangeEnd.length === 0) {
    const name = toByteString(key);
    const entry = space.index.get(name);
    if (entry !== undefined) visit(name, entry);
  } else {
    space.index.scan(keyRange(key, rangeEnd), visit);
  }
  return { kvs, count, revision: current };
}

/** The encoded KeyValue of a living version of the entry. */
export function readVersion(space: Keyspace, entry: KeyIndex, version: Version): Uint8Array {
  if (version !== entry) return space.records.read(version.main, version.sub);
  const cached = space.values.get(entry);
  if (cached !== undefined) return cached;
  const value = space.records.read(version.main, version.sub);
  space.values.set(entry, value);
  return value;
}

function keyOnly(name: string, { main, created, version }: Version): Uint8Array {
  return encodeKeyValue({
    key: fromByteString(name),
    createRevision: created,
    modRevision: main,
    version,
    value: EMPTY_BYTES,
    lease: 0n,
  });
}
