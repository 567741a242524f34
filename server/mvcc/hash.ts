/**
 * Hashes of the store that members compare, bit for bit etcd's, so that a member of either kind can hold the other to
 * account. HashKV is CRC-32C over the name "key" and then key and value of the bucket's records in order, up to and with
 * the asked revision, without those that a compaction may have removed or not:
 *
 *   main <= compacted revision   only what is the newest version of its key at the *asked* revision, and no tombstone
 *   ... but all of them          when at that revision no key is alive (an oddity of etcd's, kept)
 *   a tombstone whose main is the compacted revision   never: etcd before 3.5.16 removed it
 *
 * So the hash does not depend on how far the deleting has come, and can be taken while a compaction is at work.
 */

import { EMPTY_BYTES, equalBytes, utf8Bytes } from "../base/bytes.ts";
import { crc32c } from "../base/crc32c.ts";
import { EtcdError } from "../base/error.ts";
import type { Backend } from "../ports/backend.ts";
import { BUCKETS } from "../ports/buckets.ts";
import type { KeyIndex } from "./key-index.ts";
import type { Keyspace } from "./keyspace.ts";
import { following } from "./records.ts";
import { isTombstone, readRevision } from "./revision.ts";
import { RevisionSet } from "./revision-set.ts";

export interface KeyspaceHash {
  readonly hash: number;
  /** Compacted revision whose rules were followed; -1 when nothing was ever compacted. */
  readonly compactRevision: number;
  /** The asked revision. */
  readonly hashRevision: number;
}

/** Yields after every slice; returns the hash. */
export type HashSteps = Generator<void, KeyspaceHash, void>;

const SEED = crc32c(utf8Bytes("key"));
const INDEX_SLICE = 5000;
const RECORD_SLICE = 500;

/** A hash in the making: first every key of the index is marked, then every record is added. */
export class KeyspaceHasher {
  readonly #compactRevision: number;
  readonly #revision: number;
  readonly #keepsTombstone: boolean;
  /** Puts up to the compacted revision that are not the newest of their key. */
  readonly #superseded = new RevisionSet();
  #keepsAny = false;
  #state = SEED;

  /** `keepsTombstone`: a tombstone at `revision` counts as kept, as it does for the hash of a compaction. */
  constructor(options: { compactRevision: number; revision: number; keepsTombstone: boolean }) {
    this.#compactRevision = options.compactRevision;
    this.#revision = options.revision;
    this.#keepsTombstone = options.keepsTombstone;
  }

  mark(entry: KeyIndex): void {
    const kept = entry.floor(this.#revision);
    if (kept !== undefined && (kept.version > 0 || (this.#keepsTombstone && kept.main === this.#revision))) {
      this.#keepsAny = true;
    }
    entry.forEachUpTo(this.#compactRevision, (version) => {
      if (version.version > 0 && (version.main !== kept?.main || version.sub !== kept.sub)) {
        this.#superseded.add(version);
      }
    });
  }

  /** The next record, whose value lies in `record` from `from` up to `to`; those above the asked revision are not given. */
  add(key: Uint8Array, record: Uint8Array, from: number, to: number): void {
    const revision = readRevision(key);
    if (revision.main <= this.#compactRevision) {
      const tombstone = isTombstone(key);
      if (tombstone && revision.main === this.#compactRevision) return;
      if (this.#keepsAny && (tombstone || this.#superseded.has(revision))) return;
    }
    this.#state = crc32c(record, crc32c(key, this.#state), from, to);
  }

  result(): KeyspaceHash {
    return { hash: this.#state, compactRevision: this.#compactRevision, hashRevision: this.#revision };
  }
}

/**
 * The hash at `revision` (0: the current one), in slices between which the store may change. Throws `EtcdError` Compacted
 * or FutureRevision, at once or, when a compaction comes meanwhile, from a later step.
 */
export function hashKv(space: Keyspace, revision: number): HashSteps {
  const cached = space.compactionHashes.find(revision);
  if (cached === undefined) checkRevision(space, revision);
  // Before every revision there is nothing: etcd answers the hash of no records.
  if (revision < 0) {
    return finished({ hash: SEED, compactRevision: space.compactRevision, hashRevision: revision });
  }
  return cached === undefined ? hashSteps(space, revision === 0 ? space.currentRevision : revision) : finished(cached);
}

function checkRevision({ compactRevision, currentRevision }: Keyspace, revision: number): void {
  if (revision > 0 && revision < compactRevision) throw new EtcdError("Compacted");
  if (revision > currentRevision) throw new EtcdError("FutureRevision");
}

// biome-ignore lint/correctness/useYield: the steps of what is known already
function* finished(hash: KeyspaceHash): HashSteps {
  return hash;
}

function* hashSteps(space: Keyspace, revision: number): HashSteps {
  for (;;) {
    const { compactRevision, generation } = space;
    const hasher = new KeyspaceHasher({ compactRevision, revision, keepsTombstone: false });
    const overtaken = () => space.compactRevision !== compactRevision || space.generation !== generation;
    for (let name: string | undefined, more = true; more && !overtaken(); ) {
      name = space.index.slice(name, INDEX_SLICE, (_, entry) => {
        hasher.mark(entry);
        return true;
      });
      more = name !== undefined;
      yield;
    }
    for (let key: Uint8Array | undefined, more = true; more && !overtaken(); ) {
      key = space.records.slice(key, revision, RECORD_SLICE, (at, record, from, to) =>
        hasher.add(at, record, from, to),
      );
      more = key !== undefined;
      if (more) yield;
    }
    if (!overtaken()) return hasher.result();
    checkRevision(space, revision);
  }
}

/** The hashes that the last compactions came by, for members to compare: the 10 of the highest revisions. */
export class CompactionHashes {
  #hashes: KeyspaceHash[] = [];

  all(): readonly KeyspaceHash[] {
    return this.#hashes;
  }

  find(revision: number): KeyspaceHash | undefined {
    return this.#hashes.find(({ hashRevision }) => hashRevision === revision);
  }

  store(hash: KeyspaceHash): void {
    const hashes = [...this.#hashes, hash].sort((left, right) => left.hashRevision - right.hashRevision);
    this.#hashes = hashes.slice(-10);
  }

  clear(): void {
    this.#hashes = [];
  }
}

/** What differs between members, or is the runtime's own. */
const NOT_HASHED = ["term", "consistent_index", "storageVersion"].map(utf8Bytes);

/**
 * etcd's Maintenance.Hash: CRC-32C over every bucket's name and its records. For tests, as in etcd: what is written
 * between two steps is in it or not.
 */
export function* hashBackendSteps(backend: Backend): Generator<void, number, void> {
  let state = 0;
  for (const bucket of BUCKETS) {
    state = crc32c(utf8Bytes(bucket), state);
    for (let from: Uint8Array | undefined = EMPTY_BYTES; from !== undefined; ) {
      let left = RECORD_SLICE;
      let last: Uint8Array | undefined;
      backend.scan(bucket, from, undefined, (key, value) => {
        last = key;
        const isHashed = bucket !== "meta" || !NOT_HASHED.some((name) => equalBytes(name, key));
        if (isHashed) state = crc32c(value, crc32c(key, state));
        return --left > 0;
      });
      from = last === undefined || left > 0 ? undefined : following(last);
      if (from !== undefined) yield;
    }
  }
  return state;
}
