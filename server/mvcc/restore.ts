/**
 * Rebuilds the index from the records, in slices: first all keys unordered, since finding one in a tree for every record
 * would take twice as long, then the tree in the order of the keys.
 */
import { toByteString } from "../base/bytes.ts";
import { nameSortSteps } from "../base/name-sort.ts";
import { CorruptRecord } from "../ports/backend.ts";
import { KeyValue } from "../proto/mvccpb.ts";
import { Compaction } from "./compaction.ts";
import { KeyIndex, type Version } from "./key-index.ts";
import { KeyTable } from "./key-table.ts";
import type { Keyspace } from "./keyspace.ts";
import { isTombstone, readRevision } from "./revision.ts";
import { RevisionOrder } from "./revision-order.ts";

const RECORD_SLICE = 2000;
const KEY_SLICE = 10_000;

/** Yields the records read so far after every slice. Throws `CorruptRecord`. `hashSeed`: see `KeyTable`. */
export function* restore(space: Keyspace, hashSeed: number): Generator<number, void, void> {
  space.reset();
  const finished = space.records.finishedCompaction ?? -1;
  const scheduled = space.records.scheduledCompaction ?? -1;
  const order = new RevisionOrder(Math.max(finished, scheduled, space.currentRevision));
  const keys = new KeyTable(hashSeed);
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
  keys: KeyTable,
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
  const deletes = isTombstone(revisionKey);
  if (!deletes && (modRevision !== main || version === 0)) {
    throw new CorruptRecord(
      `the record of revision ${main}.${sub} in bucket "key" holds one of revision ${modRevision}`,
    );
  }
  const next: Version = deletes
    ? { main, sub, created: 0, version: 0 }
    : { main, sub, created: createRevision, version };
  const entry = keys.get(key);
  if (entry === undefined) keys.add(key, new KeyIndex(next));
  else entry.append(next);
  if (!deletes && lease !== 0n) space.leases.set(toByteString(key), lease);
  else if (space.leases.size > 0) space.leases.delete(toByteString(key));
  space.currentRevision = main;
}

function decode(value: Uint8Array, main: number, sub: number): KeyValue {
  try {
    return KeyValue.decode(value);
  } catch (error) {
    throw new CorruptRecord(`the record of revision ${main}.${sub} in bucket "key" is no KeyValue: ${String(error)}`);
  }
}
