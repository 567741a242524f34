/**
 * The versions of one key, by their revisions, oldest first. A put that follows a tombstone begins a new generation of
 * the key, with version 1 and a creation revision of its own:
 *
 *      put 2   put 3   delete 4   put 6   put 9
 *      └─────── a generation ──┘  └─ the latest
 *
 * The newest lies in fields, the older ones in the `VersionLog` of the store.
 */
import { assert } from "../base/assert.ts";
import type { ByteString } from "../base/bytes.ts";
import { type Chain, NONE, type VersionLog } from "./version-log.ts";

/** One change of a key. `version` counts from 1 in its generation; 0 is a tombstone, which has no `created` either. */
export interface Version {
  readonly main: number;
  readonly sub: number;
  /** Main revision of the generation's first put. */
  readonly created: number;
  readonly version: number;
}

export class KeyIndex implements Version, Chain {
  // What a read of the newest version looks at comes first: among very many keys each line of memory is a wait.
  /** The encoded KeyValue of the newest version: what `ValueCache` keeps here, and only it touches. */
  cached: Uint8Array | undefined;
  #main: number;
  #version: number;
  readonly name: ByteString;
  readonly #log: VersionLog;
  #sub: number;
  #created: number;
  /** The chain of older versions in the log. */
  newest: number;
  count: number;
  /** The newest version was put with a lease, which may have gone since. */
  leased: boolean;

  /** With its first version: a new key's put, or what is left of an old key. */
  constructor(
    log: VersionLog,
    name: ByteString,
    main: number,
    sub: number,
    created: number,
    version: number,
    leased: boolean,
  ) {
    assert(main > 0 && sub >= 0, "a version has a revision");
    this.name = name;
    this.#log = log;
    this.#main = main;
    this.#sub = sub;
    this.#created = created;
    this.#version = version;
    this.newest = NONE;
    this.count = 0;
    this.cached = undefined;
    this.leased = leased;
  }

  /** Of the newest version. */
  get main(): number {
    return this.#main;
  }

  get sub(): number {
    return this.#sub;
  }

  get created(): number {
    return this.#created;
  }

  get version(): number {
    return this.#version;
  }

  get isAlive(): boolean {
    return this.#version > 0;
  }

  /** Nothing is left: the key has to leave the index. */
  get isEmpty(): boolean {
    return this.#main === 0;
  }

  /** Adds a put at a revision above all others. */
  put(main: number, sub: number): void {
    if (this.isAlive) this.append(main, sub, this.#created, this.#version + 1);
    else this.append(main, sub, main, 1);
  }

  /** Adds the deletion of a living key at a revision above all others. */
  tombstone(main: number, sub: number): void {
    assert(this.isAlive, "only a living key is deleted");
    this.append(main, sub, 0, 0);
  }

  /** Adds any version with a revision above all others. */
  append(main: number, sub: number, created: number, version: number): void {
    assert(!this.isEmpty, "a key of which nothing is left is no longer in the index");
    assert(main > this.#main || (main === this.#main && sub > this.#sub), "versions come in the order of revisions");
    this.newest = this.#log.add(this, this.#main, this.#sub, this.#created, this.#version);
    this.count++;
    this.#main = main;
    this.#sub = sub;
    this.#created = created;
    this.#version = version;
  }

  /** The version that a read at main revision `revision` sees; undefined where the key does not exist. */
  at(revision: number): Version | undefined {
    const found = this.floor(revision);
    return found === undefined || found.version === 0 ? undefined : found;
  }

  /** The newest version not after main revision `revision`, tombstones included. */
  floor(revision: number): Version | undefined {
    if (this.#main <= revision) return this;
    const place = this.#log.floor(this, revision);
    return place === NONE ? undefined : this.#log.at(place);
  }

  /** Visits the versions up to and with main revision `revision`, newest first. */
  forEachUpTo(revision: number, visit: (version: Version) => void): void {
    if (this.#main <= revision) visit(this);
    const place = this.#log.floor(this, revision);
    if (place !== NONE) this.#log.forEachFrom(this, place, visit);
  }

  /**
   * Takes away up to `limit` versions that a compaction to `revision` drops, oldest first, and answers them: all that
   * are followed by one not after that revision, and then a tombstone before it. A tombstone at that very revision
   * stays, as in etcd since 3.5.16: its record may be the store's newest, and revisions must not go down.
   */
  drop(revision: number, limit: number): Version[] {
    if (this.isEmpty) return [];
    const dropped = this.#log.takeOldest(this, Math.min(limit, this.#droppable(revision)));
    this.count -= dropped.length;
    if (this.count === 0) this.newest = NONE;
    if (this.count > 0 || dropped.length === limit || !isOldTombstone(this, revision)) return dropped;
    dropped.push({ main: this.#main, sub: this.#sub, created: 0, version: 0 });
    this.#main = 0;
    return dropped;
  }

  /** How many of the older versions go. */
  #droppable(revision: number): number {
    if (this.#main <= revision) return this.count;
    const kept = this.#log.floor(this, revision);
    if (kept === NONE) return 0;
    return this.#log.countBelow(this, kept) + (isOldTombstone(this.#log.at(kept), revision) ? 1 : 0);
  }
}

/** What no read at `revision` or later needs, once nothing older is left. */
function isOldTombstone({ main, version }: Version, revision: number): boolean {
  return version === 0 && main < revision;
}
