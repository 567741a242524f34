/**
 * Builds the contents of a store from its records, in slices: first all keys by their hash, as they are met, then the
 * tree in the order of the keys, which no insertion has to look for its place in. One pass of the sort in between is one
 * slice, however many keys there are.
 */
import { type ByteString, toByteString } from "../base/bytes.ts";
import { nameSortSteps, sharedLength } from "../base/name-sort.ts";
import { type BackendReader, CorruptRecord } from "../ports/backend.ts";
import { type KeyFacts, readKeyFacts } from "../proto/mvccpb.ts";
import { Contents } from "./contents.ts";
import { KeyIndex } from "./key-index.ts";
import { RecordReader } from "./records.ts";
import { isTombstone, mainOf, readRevision, subOf } from "./revision.ts";
import { RevisionOrder } from "./revision-order.ts";
import type { Rebuild } from "./tree-index.ts";

const RECORD_SLICE = 500;
const KEY_SLICE = 10_000;

/** Yields the records read so far after every slice. Throws `CorruptRecord`. `hashSeed`: see `KeyTable`. */
export function* readContents(reader: BackendReader, hashSeed: number): Generator<number, Contents, void> {
  const stored = new RecordReader(reader);
  const contents = new Contents();
  const finished = stored.finishedCompaction ?? -1;
  const scheduled = stored.scheduledCompaction ?? -1;
  const order = new RevisionOrder(Math.max(finished, scheduled, contents.currentRevision));
  const index = contents.index.rebuild(hashSeed);
  const found: Found = {
    names: [],
    entries: [],
    shared: Number.POSITIVE_INFINITY,
    anyDeleted: false,
    facts: { ...NO_FACTS },
  };
  let records = 0;
  for (let after: Uint8Array | undefined; ; ) {
    after = stored.slice(after, undefined, RECORD_SLICE, (revisionKey, record, from, to) => {
      order.next(mainOf(revisionKey), subOf(revisionKey));
      addRecord(contents, index, found, revisionKey, record, from, to);
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
  /** Of the record that is being looked at: one object for all of them. */
  readonly facts: KeyFacts;
}

const NO_FACTS: KeyFacts = { keyFrom: 0, keyTo: 0, createRevision: 0, modRevision: 0, version: 0, lease: 0n };

/** Its value are the bytes of `record` from `from` up to `to`. */
function addRecord(
  contents: Contents,
  index: Rebuild,
  found: Found,
  revisionKey: Uint8Array,
  record: Uint8Array,
  from: number,
  to: number,
): void {
  const main = mainOf(revisionKey);
  const sub = subOf(revisionKey);
  const deletes = isTombstone(revisionKey);
  if (to === from && !deletes) {
    // A restored snapshot whose revision was raised: the record, of no key, only says how far.
    contents.currentRevision = main;
    return;
  }
  const { facts } = found;
  readFacts(record, from, to, facts, revisionKey);
  if (deletes) {
    found.anyDeleted = true;
    facts.createRevision = facts.version = 0;
  } else if (facts.modRevision !== main || facts.version === 0) {
    throw new CorruptRecord(
      `the record of revision ${main}.${sub} in bucket "key" holds one of revision ${facts.modRevision}`,
    );
  }
  const { keyFrom, keyTo, createRevision, version, lease } = facts;
  const leased = lease !== 0n;
  const known = index.get(record, keyFrom, keyTo);
  if (known === undefined) {
    const name = toByteString(record, keyFrom, keyTo);
    const entry = new KeyIndex(contents.versions, name, main, sub, createRevision, version, leased);
    index.addAsked(entry);
    found.shared = sharedLength(name, found.names[0] ?? name, found.shared);
    found.names.push(name);
    found.entries.push(entry);
  } else {
    known.append(main, sub, createRevision, version);
    known.leased = leased;
  }
  if (!deletes && leased) contents.leases.set(toByteString(record, keyFrom, keyTo), lease);
  else if (contents.leases.size > 0) contents.leases.delete(toByteString(record, keyFrom, keyTo));
  contents.currentRevision = main;
}

function readFacts(record: Uint8Array, from: number, to: number, facts: KeyFacts, revisionKey: Uint8Array): void {
  try {
    readKeyFacts(record, from, to, facts);
  } catch (error) {
    const { main, sub } = readRevision(revisionKey);
    throw new CorruptRecord(`the record of revision ${main}.${sub} in bucket "key" is no KeyValue: ${String(error)}`);
  }
}
