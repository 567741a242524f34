/**
 * Builds the contents of a store from its records, in slices: first all keys by their hash, as they are met, then the tree in the
 * order of the keys, which no insertion has to look for its place in.
 */
import { type ByteString, toByteString } from "../base/bytes.ts";
import { nameSortSteps, sharedLength } from "../base/name-sort.ts";
import { type BackendReader, CorruptRecord } from "../ports/backend.ts";
import { type KeyFacts, readKeyFacts } from "../proto/mvccpb.ts";
import { Contents } from "./contents.ts";
import { KeyIndex, type Version } from "./key-index.ts";
import { RecordReader } from "./records.ts";
import { isTombstone, readRevision } from "./revision.ts";
import { RevisionOrder } from "./revision-order.ts";
import type { Rebuild } from "./tree-index.ts";

const RECORD_SLICE = 2000;
const KEY_SLICE = 10_000;

/** Yields the records read so far after every slice. Throws `CorruptRecord`. `hashSeed`: see `KeyTable`. */
export function* readContents(reader: BackendReader, hashSeed: number): Generator<number, Contents, void> {
  const stored = new RecordReader(reader);
  const contents = new Contents();
  const finished = stored.finishedCompaction ?? -1;
  const scheduled = stored.scheduledCompaction ?? -1;
  const order = new RevisionOrder(Math.max(finished, scheduled, contents.currentRevision));
  const index = contents.index.rebuild(hashSeed);
  const found: Found = { names: [], entries: [], shared: Number.POSITIVE_INFINITY, anyDeleted: false };
  let records = 0;
  for (let after: Uint8Array | undefined; ; ) {
    after = stored.slice(after, undefined, RECORD_SLICE, (revisionKey, value) => {
      addRecord(contents, index, found, order, revisionKey, value);
      records++;
    });
    if (after === undefined) break;
    yield records;
  }
  stored.checkCount(records);
  for (const _ of nameSortSteps(found.names, found.entries, found.shared)) yield records;
  const { names, entries } = found;
  for (let from = 0; from < names.length; from += KEY_SLICE) {
    index.append(names, entries, from, Math.min(from + KEY_SLICE, names.length), !found.anyDeleted);
    yield records;
  }
  index.finish();
  // All that was ever compacted may have been deleted, up to the newest record: revisions do not go down for it.
  contents.currentRevision = Math.max(contents.currentRevision, finished, scheduled);
  contents.compactRevision = Math.max(finished, scheduled);
  if (scheduled > finished) contents.interrupted = scheduled;
  return contents;
}

/** The keys in the order in which they were met, which is not theirs. */
interface Found {
  readonly names: ByteString[];
  readonly entries: KeyIndex[];
  /** Characters that all names begin with alike. */
  shared: number;
  /** There was a tombstone. */
  anyDeleted: boolean;
}

function addRecord(
  contents: Contents,
  index: Rebuild,
  found: Found,
  order: RevisionOrder,
  revisionKey: Uint8Array,
  value: Uint8Array,
): void {
  const revision = readRevision(revisionKey);
  order.next(revision);
  const { main, sub } = revision;
  if (value.length === 0 && !isTombstone(revisionKey)) {
    // A restored snapshot whose revision was raised: the record, of no key, only says how far.
    contents.currentRevision = main;
    return;
  }
  const { key, createRevision, modRevision, version, lease } = factsOf(value, main, sub);
  const deletes = isTombstone(revisionKey);
  if (deletes) found.anyDeleted = true;
  if (!deletes && (modRevision !== main || version === 0)) {
    throw new CorruptRecord(
      `the record of revision ${main}.${sub} in bucket "key" holds one of revision ${modRevision}`,
    );
  }
  const next: Version = deletes
    ? { main, sub, created: 0, version: 0 }
    : { main, sub, created: createRevision, version };
  const leased = lease !== 0n;
  const known = index.get(key);
  if (known === undefined) {
    const entry = new KeyIndex(contents.versions, toByteString(key), next, leased);
    index.addAsked(entry);
    found.shared = sharedLength(entry.name, found.names[0] ?? entry.name, found.shared);
    found.names.push(entry.name);
    found.entries.push(entry);
  } else {
    known.append(main, sub, next.created, next.version);
    known.leased = leased;
  }
  if (!deletes && leased) contents.leases.set(toByteString(key), lease);
  else if (contents.leases.size > 0) contents.leases.delete(toByteString(key));
  contents.currentRevision = main;
}

function factsOf(value: Uint8Array, main: number, sub: number): KeyFacts {
  try {
    return readKeyFacts(value);
  } catch (error) {
    throw new CorruptRecord(`the record of revision ${main}.${sub} in bucket "key" is no KeyValue: ${String(error)}`);
  }
}
