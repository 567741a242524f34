/**
 * All keys of the store, found by their bytes: what most reads and all writes begin with. A tree over strings needs a
 * string of the key first and then a dozen comparisons; this is one hash and, nearly always, one look.
 *
 * Extendible hashing: the upper bits of a key's hash choose a segment, the lower ones a place in it, and a segment that
 * is full is split by one more upper bit. So growing never copies more than one segment, and no insertion stops the loop.
 *
 *   directory  [ s0 | s0 | s1 | s2 ]      2^depth references; a segment of less depth stands there more than once
 *   segment    places  [ 0,- | h,e | h,e | 0,- ]  open addressing: a hash and its entry side by side, as a lookup among
 *                                          very many keys costs what it touches; 0: nobody
 */
import { assert } from "../base/assert.ts";
import { beginsWithKey } from "../proto/mvccpb.ts";
import type { KeyIndex } from "./key-index.ts";

/** Places of a new segment; a power of two. */
const SEGMENT_PLACES = 1 << 10;
/** Fuller than this, lookups begin to walk. */
const FULL_SHARE = 0.75;
/** Bits that choose a segment: the others choose the place. Keys of one hash never part: their segment gets wider. */
const MAX_DEPTH = 20;
const NOBODY = 0;

interface Segment {
  /** How many upper bits all its hashes share. */
  depth: number;
  /** Twice as many as there are places. */
  places: (number | KeyIndex | undefined)[];
  used: number;
}

export class KeyTable {
  #seed = 0;
  /** Odd, and as unknown as the seed: what differs in two keys cannot be made to cancel out without knowing it. */
  #factor = 1;
  #depth = 0;
  #directory: Segment[] = [newSegment(0, SEGMENT_PLACES)];
  #size = 0;
  /** The hash of what was last looked for. */
  #asked = NOBODY;
  readonly #maxDepth: number;

  /** `seed`: any 32 bits. Clients who do not know it cannot choose keys that fall on one place. */
  constructor(seed: number, maxDepth = MAX_DEPTH) {
    this.#maxDepth = maxDepth;
    this.clear(seed);
  }

  get size(): number {
    return this.#size;
  }

  /** Forgets all keys. */
  clear(seed: number = this.#seed): void {
    this.#seed = seed | 0;
    this.#factor = spread(seed ^ 0x9e37_79b9) | 1;
    this.#depth = 0;
    this.#directory = [newSegment(0, SEGMENT_PLACES)];
    this.#size = 0;
  }

  /** The key are the bytes of `key` from `from` up to `to`. */
  get(key: Uint8Array, from = 0, to: number = key.length): KeyIndex | undefined {
    const hash = this.#hash(key, from, to);
    this.#asked = hash;
    const { places } = this.#segmentOf(hash);
    const mask = places.length - 2;
    for (let at = homeOf(hash, mask); ; at = (at + 2) & mask) {
      const found = places[at];
      if (found === NOBODY) return undefined;
      if (found !== hash) continue;
      const entry = places[at + 1] as KeyIndex;
      if (isOf(entry, key, from, to)) return entry;
    }
  }

  /** For a key that is not there yet. */
  add(key: Uint8Array, entry: KeyIndex): void {
    this.#enter(this.#hash(key, 0, key.length), entry);
  }

  /** For the key that `get` was last asked for, and has not found. */
  addAsked(entry: KeyIndex): void {
    this.#enter(this.#asked, entry);
  }

  #enter(hash: number, entry: KeyIndex): void {
    let segment = this.#segmentOf(hash);
    while (segment.used >= (segment.places.length / 2) * FULL_SHARE) {
      this.#grow(segment, hash);
      segment = this.#segmentOf(hash);
    }
    enter(segment, hash, entry);
    this.#size++;
  }

  /** Whether the key was there; then it is gone. */
  remove(key: Uint8Array): boolean {
    const hash = this.#hash(key, 0, key.length);
    const segment = this.#segmentOf(hash);
    const { places } = segment;
    const mask = places.length - 2;
    for (let at = homeOf(hash, mask); places[at] !== NOBODY; at = (at + 2) & mask) {
      if (places[at] !== hash || !isOf(places[at + 1] as KeyIndex, key, 0, key.length)) continue;
      vacate(segment, at);
      this.#size--;
      if (this.#size === 0) this.clear();
      return true;
    }
    return false;
  }

  #segmentOf(hash: number): Segment {
    // A shift by 32 is one by 0: with one segment the index is masked away.
    const at = this.#depth === 0 ? 0 : hash >>> (32 - this.#depth);
    return this.#directory[at] as Segment;
  }

  /** The segment is full: split by one more bit, or made wider where no bit is left to split by. */
  #grow(segment: Segment, hash: number): void {
    if (segment.depth === this.#maxDepth) {
      const wider = newSegment(segment.depth, segment.places.length);
      move(segment, () => wider);
      segment.places = wider.places;
      return;
    }
    if (segment.depth === this.#depth) {
      this.#directory = this.#directory.flatMap((one) => [one, one]);
      this.#depth++;
    }
    const depth = segment.depth + 1;
    const low = newSegment(depth, segment.places.length / 2);
    const high = newSegment(depth, segment.places.length / 2);
    move(segment, (one) => (((one >>> (32 - depth)) & 1) === 0 ? low : high));
    // Where the segment stood, its two halves: the first of those references has only zeros below its own bits.
    const count = 1 << (this.#depth - segment.depth);
    const first = (hash >>> (32 - this.#depth)) & ~(count - 1);
    this.#directory.fill(low, first, first + count / 2);
    this.#directory.fill(high, first + count / 2, first + count);
  }

  /** Four bytes at a time; every step spreads upwards by the product and back down by the shift. Never 0. */
  #hash(key: Uint8Array, from: number, to: number): number {
    const factor = this.#factor;
    let hash = this.#seed ^ (to - from);
    let at = from;
    for (; at + 4 <= to; at += 4) {
      const word =
        (key[at] as number) |
        ((key[at + 1] as number) << 8) |
        ((key[at + 2] as number) << 16) |
        ((key[at + 3] as number) << 24);
      hash = Math.imul(hash ^ word, factor);
      hash ^= hash >>> 15;
    }
    for (; at < to; at++) {
      hash = Math.imul(hash ^ (key[at] as number), factor);
      hash ^= hash >>> 15;
    }
    hash = spread(hash);
    return hash === NOBODY ? 1 : hash;
  }
}

/** The last step of Murmur3: what any bit has done is spread over all. */
function spread(bits: number): number {
  let hash = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function newSegment(depth: number, count: number): Segment {
  const places = count === SEGMENT_PLACES ? EMPTY_SEGMENT.slice() : emptyPlaces(count);
  return { depth, places, used: 0 };
}

/** Every element is written once: an array with holes would be read more slowly for ever. */
function emptyPlaces(count: number): Segment["places"] {
  const places: Segment["places"] = [];
  for (let place = 0; place < count; place++) places.push(NOBODY, undefined);
  return places;
}

/** To be copied at once, where an array that grows would be copied again and again. */
const EMPTY_SEGMENT = emptyPlaces(SEGMENT_PLACES);

/** Where the walk of a hash begins. */
function homeOf(hash: number, mask: number): number {
  return (hash << 1) & mask;
}

function enter(segment: Segment, hash: number, entry: KeyIndex): void {
  const { places } = segment;
  const mask = places.length - 2;
  let at = homeOf(hash, mask);
  while (places[at] !== NOBODY) at = (at + 2) & mask;
  places[at] = hash;
  places[at + 1] = entry;
  segment.used++;
}

function move({ places }: Segment, into: (hash: number) => Segment): void {
  for (let at = 0; at < places.length; at += 2) {
    const hash = places[at] as number;
    if (hash !== NOBODY) enter(into(hash), hash, places[at + 1] as KeyIndex);
  }
}

/** Empties a place; those behind it that only stand there because it was taken move up (Knuth, volume 3, 6.4, R). */
function vacate(segment: Segment, at: number): void {
  const { places } = segment;
  const mask = places.length - 2;
  let hole = at;
  for (let next = (at + 2) & mask; places[next] !== NOBODY; next = (next + 2) & mask) {
    const home = homeOf(places[next] as number, mask);
    // It may move if the hole lies between its home and where it stands, in the order of the walk.
    if (((next - home) & mask) < ((next - hole) & mask)) continue;
    places[hole] = places[next];
    places[hole + 1] = places[next + 1];
    hole = next;
  }
  places[hole] = NOBODY;
  places[hole + 1] = undefined;
  segment.used--;
  assert(segment.used >= 0, "a segment holds what was put into it");
}

/** A kept value begins with its key, and who asks for the one mostly wants the other: the name is not even looked at. */
function isOf({ name, cached }: KeyIndex, key: Uint8Array, from: number, to: number): boolean {
  return (cached === undefined ? undefined : beginsWithKey(cached, key, from, to)) ?? isName(name, key, from, to);
}

function isName(name: string, key: Uint8Array, from: number, to: number): boolean {
  const length = to - from;
  if (name.length !== length) return false;
  for (let at = length - 1; at >= 0; at--) if (name.charCodeAt(at) !== key[from + at]) return false;
  return true;
}
