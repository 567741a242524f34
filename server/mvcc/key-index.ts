/**
 * The versions of one key, by their revisions, oldest first. A put that follows a tombstone begins a new generation of
 * the key, with version 1 and a creation revision of its own:
 *
 *      put 2   put 3   delete 4   put 6   put 9
 *      └─────── a generation ──┘  └─ the latest
 *
 * Most keys have one version: it lies in fields. Older ones are numbers in blocks, made when there are any; a block is
 * kept short enough that growing it never copies much, for a key that is written a million times between compactions.
 */
import { assert } from "../base/assert.ts";
import type { ByteString } from "../base/bytes.ts";

/** One change of a key. `version` counts from 1 in its generation; 0 is a tombstone, which has no `created` either. */
export interface Version {
  readonly main: number;
  readonly sub: number;
  /** Main revision of the generation's first put. */
  readonly created: number;
  readonly version: number;
}

/** main, sub, created, version */
const NUMBERS = 4;
const BLOCK_NUMBERS = 1024 * NUMBERS;
/** Up to here a block has no spare room: V8 would give the second version of a key room for eight. */
const EXACT_NUMBERS = 8 * NUMBERS;

export class KeyIndex implements Version {
  readonly name: ByteString;
  #main: number;
  #sub: number;
  #created: number;
  #version: number;
  /** Older than the fields above. */
  #older: number[][] | undefined;
  /** The encoded KeyValue of the newest version: what `ValueCache` keeps here, and only it touches. */
  cached: Uint8Array | undefined;
  /** The newest version was put with a lease, which may have gone since. */
  leased: boolean;

  /** With its first version: a new key's put, or what is left of an old key. */
  constructor(name: ByteString, { main, sub, created, version }: Version, leased: boolean) {
    assert(main > 0 && sub >= 0, "a version has a revision");
    this.name = name;
    this.#main = main;
    this.#sub = sub;
    this.#created = created;
    this.#version = version;
    this.#older = undefined;
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
    if (this.isAlive) this.append({ main, sub, created: this.#created, version: this.#version + 1 });
    else this.append({ main, sub, created: main, version: 1 });
  }

  /** Adds the deletion of a living key at a revision above all others. */
  tombstone(main: number, sub: number): void {
    assert(this.isAlive, "only a living key is deleted");
    this.append({ main, sub, created: 0, version: 0 });
  }

  /** Adds any version with a revision above all others. */
  append({ main, sub, created, version }: Version): void {
    assert(!this.isEmpty, "a key of which nothing is left is no longer in the index");
    assert(main > this.#main || (main === this.#main && sub > this.#sub), "versions come in the order of revisions");
    this.#keepNewest();
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
    const blocks = this.#older;
    if (blocks === undefined) return undefined;
    let low = 0;
    for (let high = blocks.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (((blocks[middle] as number[])[0] as number) <= revision) low = middle + 1;
      else high = middle;
    }
    const block = blocks[low - 1];
    return block === undefined ? undefined : floorIn(block, revision);
  }

  /** Visits the versions up to and with main revision `revision`, oldest first. */
  forEachUpTo(revision: number, visit: (version: Version) => void): void {
    for (const block of this.#older ?? []) {
      for (let at = 0; at < block.length; at += NUMBERS) {
        if ((block[at] as number) > revision) return;
        visit(versionIn(block, at));
      }
    }
    if (this.#main <= revision) visit(this);
  }

  /**
   * Takes away up to `limit` versions that a compaction to `revision` drops, oldest first, and answers them: all that
   * are followed by one not after that revision, and then a tombstone before it. A tombstone at that very revision
   * stays, as in etcd since 3.5.16: its record may be the store's newest, and revisions must not go down.
   */
  drop(revision: number, limit: number): Version[] {
    const dropped: Version[] = [];
    while (dropped.length < limit) {
      const blocks = this.#older;
      const block = blocks?.[0];
      if (blocks === undefined || block === undefined) {
        if (this.isEmpty || this.#version > 0 || this.#main >= revision) break;
        dropped.push({ main: this.#main, sub: this.#sub, created: 0, version: 0 });
        this.#main = 0;
        break;
      }
      const count = this.#droppable(block, blocks[1]?.[0] ?? this.#main, revision, limit - dropped.length);
      if (count === 0) break;
      for (let at = 0; at < count; at++) dropped.push(versionIn(block, at * NUMBERS));
      if (count * NUMBERS < block.length) blocks[0] = block.slice(count * NUMBERS);
      else if (blocks.length > 1) blocks.shift();
      else this.#older = undefined;
    }
    return dropped;
  }

  /** How many versions of the oldest block, which `next` follows, go; at most `limit`. */
  #droppable(block: readonly number[], next: number, revision: number, limit: number): number {
    const versions = block.length / NUMBERS;
    for (let at = 0; at < versions; at++) {
      if (at === limit) return limit;
      const follower = at + 1 < versions ? (block[(at + 1) * NUMBERS] as number) : next;
      const { main, version } = versionIn(block, at * NUMBERS);
      if (follower > revision && (version > 0 || main >= revision)) return at;
    }
    return versions;
  }

  #keepNewest(): void {
    const numbers = [this.#main, this.#sub, this.#created, this.#version];
    const blocks = this.#older;
    const last = blocks?.[blocks.length - 1];
    if (blocks === undefined || last === undefined) this.#older = [numbers];
    else if (last.length >= BLOCK_NUMBERS) blocks.push(numbers);
    else if (last.length < EXACT_NUMBERS) blocks[blocks.length - 1] = last.concat(numbers);
    else last.push(this.#main, this.#sub, this.#created, this.#version);
  }
}

/** The last version of the block with a main revision not after `revision`; its first one is not after it. */
function floorIn(block: readonly number[], revision: number): Version {
  let low = 0;
  for (let high = block.length / NUMBERS; high - low > 1; ) {
    const middle = (low + high) >>> 1;
    if ((block[middle * NUMBERS] as number) <= revision) low = middle;
    else high = middle;
  }
  return versionIn(block, low * NUMBERS);
}

function versionIn(block: readonly number[], at: number): Version {
  return {
    main: block[at] as number,
    sub: block[at + 1] as number,
    created: block[at + 2] as number,
    version: block[at + 3] as number,
  };
}
