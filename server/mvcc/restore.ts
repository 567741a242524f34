/**
 * Rebuilds the index from the records, in slices: first all keys unordered, since finding one in a tree for every record
 * would take twice as long, then the tree in the order of the keys.
 */
import { type ByteString, toByteString } from "../base/bytes.ts";
import { nameSortSteps } from "../base/name-sort.ts";
import { CorruptRecord } from "../ports/backend.ts";
import { KeyValue } from "../proto/mvccpb.ts";
import { Compaction } from "./compaction.ts";
import { KeyIndex, type Version } from "./key-index.ts";
import type { Keyspace } from "./keyspace.ts";
import { isTombstone, readRevision } from "./revision.ts";
import { RevisionOrder } from "./revision-order.ts";

const RECORD_SLICE = 2000;
const KEY_SLICE = 10_000;

/** Yields the records read so far after every slice. Throws `CorruptRecord`. */
export function* restore(space: Keyspace): Generator<number, void, void> {
  space.reset();
  const finished = space.records.finishedCompaction ?? -1;
  const scheduled = space.records.scheduledCompaction ?? -1;
  const order = new RevisionOrder(Math.max(finished, scheduled, space.currentRevision));
  const keys = new ShardedKeys();
  let records = 0;
  for (let after: Uint8Array | undefined; ; ) {
    after = space.records.slice(after, undefined, RECORD_SLICE, (revisionKey, value) => {
      addRecord(space, keys, order, revisionKey, value);
      records++;
    });
    if (after === undefined) break;
    yield records;
  }
  space.records.checkCount(records);
  const index = space.index.rebuild();
  let ordered = 0;
  const { names, entries } = keys.takeAll();
  for (const _ of nameSortSteps(names, entries)) yield records;
  for (const name of names) {
    index.append(name, entries[ordered] as KeyIndex);
    if (++ordered % KEY_SLICE === 0) yield records;
  }
  index.finish();
  // All that was ever compacted may have been deleted, up to the newest record: revisions do not go down for it.
  space.currentRevision = Math.max(space.currentRevision, finished, scheduled);
  space.compactRevision = Math.max(finished, scheduled);
  // What the interrupted one has deleted is not known: its hash would not be everyone's.
  if (scheduled > finished) space.compactions.push(new Compaction(space, scheduled, undefined));
}

function addRecord(
  space: Keyspace,
  keys: ShardedKeys,
  order: RevisionOrder,
  revisionKey: Uint8Array,
  value: Uint8Array,
): void {
  const revision = readRevision(revisionKey);
  order.next(revision);
  const { main, sub } = revision;
  if (value.length === 0 && !isTombstone(revisionKey)) {
    // A restored snapshot whose revision was raised: the record, of no key, only says how far.
    space.currentRevision = main;
    return;
  }
  const { key, createRevision, modRevision, version, lease } = decode(value, main, sub);
  const name = toByteString(key);
  const deletes = isTombstone(revisionKey);
  if (!deletes && (modRevision !== main || version === 0)) {
    throw new CorruptRecord(
      `the record of revision ${main}.${sub} in bucket "key" holds one of revision ${modRevision}`,
    );
  }
  const next: Version = deletes
    ? { main, sub, created: 0, version: 0 }
    : { main, sub, created: createRevision, version };
  const entry = keys.get(name);
  if (entry === undefined) keys.set(name, new KeyIndex(next));
  else entry.append(next);
  if (!deletes && lease !== 0n) space.leases.set(name, lease);
  else if (space.leases.size > 0) space.leases.delete(name);
  space.currentRevision = main;
}

const SHARDS = 256;

/** The keys met so far. One `Map` would be copied at a million, for a tenth of a second, and end at sixteen million. */
class ShardedKeys {
  readonly #shards: Map<ByteString, KeyIndex>[] = Array.from({ length: SHARDS }, () => new Map());

  get(name: ByteString): KeyIndex | undefined {
    return this.#shard(name).get(name);
  }

  set(name: ByteString, entry: KeyIndex): void {
    this.#shard(name).set(name, entry);
  }

  /** All of them, in no order; they are no longer here then. */
  takeAll(): { readonly names: ByteString[]; readonly entries: KeyIndex[] } {
    const names: ByteString[] = [];
    const entries: KeyIndex[] = [];
    for (const shard of this.#shards) {
      for (const [name, entry] of shard) {
        names.push(name);
        entries.push(entry);
      }
      shard.clear();
    }
    return { names, entries };
  }

  /** By the end of the name, where names differ. */
  #shard(name: ByteString): Map<ByteString, KeyIndex> {
    let hash = 0;
    for (let at = Math.max(0, name.length - 8); at < name.length; at++) hash = (hash * 31 + name.charCodeAt(at)) | 0;
    return this.#shards[(hash ^ (hash >>> 8) ^ (hash >>> 16)) & (SHARDS - 1)] as Map<ByteString, KeyIndex>;
  }
}

function decode(value: Uint8Array, main: number, sub: number): KeyValue {
  try {
    return KeyValue.decode(value);
  } catch (error) {
    throw new CorruptRecord(`the record of revision ${main}.${sub} in bucket "key" is no KeyValue: ${String(error)}`);
  }
}
