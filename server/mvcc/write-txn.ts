/**
 * One change of the store: puts and deletes that become visible together, under one main revision, with sub-revisions
 * in the order of the operations. Whatever could be refused has been before it began: there is no way back.
 */
import { assert } from "../base/assert.ts";
import { type ByteString, EMPTY_BYTES, fromByteString, toByteString } from "../base/bytes.ts";
import { failpoint } from "../base/failpoint.ts";
import { encodeKeyValue, KeyValue } from "../proto/mvccpb.ts";
import { type Change, deleteChange, putChange } from "./event.ts";
import { KeyIndex } from "./key-index.ts";
import type { Keyspace } from "./keyspace.ts";
import { type RangeOptions, type RangeResult, readRange, readVersion } from "./read.ts";
import { keyRange } from "./tree-index.ts";

export interface DeletedKey {
  readonly key: ByteString;
  /** The encoded KeyValue that was deleted; empty unless asked for. */
  readonly kv: Uint8Array;
}

/** Of a transaction that has changed nothing yet; never added to. */
const NO_CHANGES: Change[] = [];

export class WriteTxn {
  /** The main revision of its changes. */
  readonly revision: number;
  readonly #space: Keyspace;
  readonly #ended: () => void;
  #changes: Change[] = NO_CHANGES;
  #open = true;

  /** `ended` is called once, by `end`. */
  constructor(space: Keyspace, ended: () => void) {
    this.#space = space;
    this.#ended = ended;
    this.revision = space.currentRevision + 1;
  }

  /** The store's revision as this transaction sees it: its own as soon as it has changed anything. */
  get currentRevision(): number {
    return this.#changes.length > 0 ? this.revision : this.revision - 1;
  }

  /** As `Store.range`, its own writes included. */
  range(key: Uint8Array, rangeEnd: Uint8Array, options: RangeOptions): RangeResult {
    return readRange(this.#space, this.currentRevision, key, rangeEnd, options);
  }

  /**
   * Stores a new version of `key`, which is not empty. `lease` is only kept with it. Answers the key as the index has it,
   * and whether its version before was put with a lease.
   */
  put(key: Uint8Array, value: Uint8Array, lease: bigint): { readonly name: ByteString; readonly wasLeased: boolean } {
    assert(this.#open, "a transaction that has ended takes no put");
    const space = this.#space;
    const known = space.index.get(key);
    const isNew = known === undefined || !known.isAlive;
    const revision = { main: this.revision, sub: this.#changes.length };
    const created = isNew ? revision.main : known.created;
    const version = isNew ? 1 : known.version + 1;
    const kv = encodeKeyValue({ key, createRevision: created, modRevision: revision.main, version, value, lease });
    space.records.put(revision.main, revision.sub, kv);
    const leased = lease !== 0n;
    const { main, sub } = revision;
    const entry = known ?? new KeyIndex(space.versions, toByteString(key), main, sub, created, version, leased);
    const { name, leased: wasLeased } = entry;
    if (known === undefined) space.index.add(key, entry);
    else {
      known.put(revision.main, revision.sub);
      known.leased = leased;
      if (isNew) space.index.noteLife(name, 1);
    }
    space.values.set(entry, kv);
    this.#changed(putChange(name, revision, kv, created));
    return { name, wasLeased };
  }

  /** Deletes the living keys of the range, in their order. `wantKvs`: with what they were. */
  deleteRange(key: Uint8Array, rangeEnd: Uint8Array, wantKvs = false): { readonly deleted: readonly DeletedKey[] } {
    const deleted: DeletedKey[] = [];
    if (rangeEnd.length === 0) {
      const entry = this.#space.index.get(key);
      if (entry?.isAlive === true) this.#deleteAll([entry], wantKvs, deleted);
    } else for (const _ of this.deleteSteps({ key, rangeEnd, wantKvs, keys: Number.POSITIVE_INFINITY }, deleted));
    return { deleted };
  }

  /**
   * As `deleteRange`, appending to `deleted`, with a pause after every `keys` keys looked at. In a pause the store may be
   * read, at the revision before this transaction, and compacted, but not be made durable.
   */
  *deleteSteps(
    range: {
      readonly key: Uint8Array;
      readonly rangeEnd: Uint8Array;
      readonly wantKvs: boolean;
      readonly keys: number;
    },
    deleted: DeletedKey[],
  ): Generator<void, void, void> {
    assert(this.#open, "a transaction that has ended deletes nothing");
    const { to, ...start } = keyRange(range.key, range.rangeEnd);
    for (let from: ByteString | undefined = start.from; from !== undefined; ) {
      const found: KeyIndex[] = [];
      let left = range.keys;
      let last: ByteString | undefined;
      this.#space.index.scan({ from, to }, (name, entry) => {
        if (entry.isAlive) found.push(entry);
        last = name;
        return --left > 0;
      });
      this.#deleteAll(found, range.wantKvs, deleted);
      from = last === undefined || left > 0 ? undefined : `${last}\0`;
      if (from !== undefined) yield;
    }
  }

  #deleteAll(found: readonly KeyIndex[], wantKvs: boolean, deleted: DeletedKey[]): void {
    for (const entry of found) {
      deleted.push({ key: entry.name, kv: wantKvs ? readVersion(this.#space, entry, entry) : EMPTY_BYTES });
      this.#delete(entry);
    }
  }

  #delete(entry: KeyIndex): void {
    const { name } = entry;
    const revision = { main: this.revision, sub: this.#changes.length };
    const kv = encodeKeyValue({ ...KeyValue.create(), key: fromByteString(name) });
    this.#space.records.putTombstone(revision.main, revision.sub, kv);
    entry.tombstone(revision.main, revision.sub);
    this.#space.values.drop(entry);
    this.#space.index.noteLife(name, -1);
    this.#changed(deleteChange(name, revision));
  }

  /** Most have one change: an array that has room for no more. */
  #changed(change: Change): void {
    if (this.#changes === NO_CHANGES) this.#changes = [change];
    else this.#changes.push(change);
  }

  /** Makes the changes the store's newest revision; without any, nothing has happened. */
  end(): { readonly revision: number; readonly changes: readonly Change[] } {
    assert(this.#open, "a transaction ends once");
    this.#open = false;
    const revision = this.currentRevision;
    failpoint?.("beforeWritebackBuf");
    this.#space.currentRevision = revision;
    this.#ended();
    failpoint?.("afterWritebackBuf");
    return { revision, changes: this.#changes };
  }
}
