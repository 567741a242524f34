/**
 * A compaction at work, in slices: first, where the hash of its revision is wanted, a pass over the index and one over
 * the records for it (which also reads every old record once, and so finds damaged ones); then a pass over the index
 * that drops versions, each from index and records at once, oldest first. What a crash leaves is a store in which some
 * of them are gone already; reads below the compact revision are refused either way, and the next start goes on.
 *
 * Compactions finish in the order in which they were scheduled: stepping a later one works for the first.
 */
import { assert } from "../base/assert.ts";
import type { ByteString } from "../base/bytes.ts";
import { failpoint } from "../base/failpoint.ts";
import { KeyspaceHasher } from "./hash.ts";
import type { KeyIndex } from "./key-index.ts";
import type { Keyspace } from "./keyspace.ts";

/** A key looked at costs about this share of a record read or deleted. */
const KEYS_PER_RECORD = 8;

type Phase =
  | { readonly name: "mark"; after: ByteString | undefined }
  | { readonly name: "hash"; after: Uint8Array | undefined }
  | { readonly name: "drop"; after: ByteString | undefined }
  | { readonly name: "done" };

export class Compaction {
  readonly revision: number;
  readonly #space: Keyspace;
  readonly #hasher: KeyspaceHasher | undefined;
  #phase: Phase;
  #dropped = 0;

  /** `previousRevision`: of the compaction before, which has left nothing behind; undefined: no hash is wanted. */
  constructor(space: Keyspace, revision: number, previousRevision: number | undefined) {
    this.#space = space;
    this.revision = revision;
    this.#hasher =
      previousRevision === undefined
        ? undefined
        : new KeyspaceHasher({ compactRevision: previousRevision, revision, keepsTombstone: true });
    this.#phase = { name: this.#hasher === undefined ? "drop" : "mark", after: undefined };
  }

  /** Versions deleted so far. */
  get dropped(): number {
    return this.#dropped;
  }

  get isFinished(): boolean {
    return this.#phase.name === "done";
  }

  /** Reads or deletes up to `maxRevisions` records (at least 1). True when this compaction is finished. */
  step(maxRevisions: number): boolean {
    assert(maxRevisions > 0, "a step does something");
    const first = this.#space.compactions[0];
    if (this.isFinished || first === undefined) return true;
    first.#work(maxRevisions);
    return this.isFinished;
  }

  #work(maxRevisions: number): void {
    switch (this.#phase.name) {
      case "mark":
        this.#mark(this.#phase, maxRevisions * KEYS_PER_RECORD);
        return;
      case "hash":
        this.#hash(this.#phase, maxRevisions);
        return;
      case "drop":
        this.#drop(this.#phase, maxRevisions);
        return;
      case "done":
        return;
    }
  }

  #mark(phase: { after: ByteString | undefined }, keys: number): void {
    const hasher = this.#hasher as KeyspaceHasher;
    phase.after = this.#space.index.slice(phase.after, keys, (_, entry) => {
      hasher.mark(entry);
      return true;
    });
    if (phase.after === undefined) this.#phase = { name: "hash", after: undefined };
  }

  #hash(phase: { after: Uint8Array | undefined }, records: number): void {
    const hasher = this.#hasher as KeyspaceHasher;
    phase.after = this.#space.records.slice(phase.after, this.revision, records, (key, record, from, to) =>
      hasher.add(key, record, from, to),
    );
    if (phase.after === undefined) this.#phase = { name: "drop", after: undefined };
  }

  /** Ends within a key that has more to drop than the slice may: the next slice begins with it again. */
  #drop(phase: { after: ByteString | undefined }, records: number): void {
    const { index, records: stored } = this.#space;
    const empty: ByteString[] = [];
    let left = records;
    let before = phase.after;
    const last = index.slice(phase.after, records * KEYS_PER_RECORD, (name, entry) => {
      left -= this.#dropFrom(entry, left);
      if (entry.isEmpty) empty.push(name);
      if (left > 0 || entry.isEmpty) before = name;
      return left > 0;
    });
    for (const name of empty) index.remove(name);
    phase.after = before;
    if (last !== undefined) return;
    failpoint?.("compactBeforeSetFinishedCompact");
    stored.finishCompaction(this.revision);
    failpoint?.("compactAfterSetFinishedCompact");
    if (this.#hasher !== undefined) this.#space.compactionHashes.store(this.#hasher.result());
    this.#space.compactions.shift();
    this.#phase = { name: "done" };
  }

  #dropFrom(entry: KeyIndex, limit: number): number {
    const versions = entry.drop(this.revision, limit);
    for (const { main, sub, version } of versions) this.#space.records.delete(main, sub, version === 0);
    this.#dropped += versions.length;
    return versions.length;
  }
}
