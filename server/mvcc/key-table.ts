/**
 * The keys that a restore has met so far, found by their bytes: open addressing over 32 bits of hash, so that a name is
 * only looked at when those agree. A `Map` needs a string of every record's key first and hashes it again, which took a
 * third of a start's time; and it copies a million entries at once when it grows.
 */
import { type ByteString, toByteString } from "../base/bytes.ts";
import type { KeyIndex } from "./key-index.ts";

const INITIAL_PLACES = 1 << 12;
/** Fuller than this, lookups begin to walk. */
const FULL_SHARE = 0.5;
const NOBODY = -1;

export class KeyTable {
  readonly #seed: number;
  #names: ByteString[] = [];
  #entries: KeyIndex[] = [];
  #hashes: number[] = [];
  /** Each holds the number of a name, or `NOBODY`. Their count is a power of two. */
  #places = emptyPlaces(INITIAL_PLACES);

  /** `seed`: any 32 bits. Clients who do not know it cannot choose keys that fall on one place. */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  get(key: Uint8Array): KeyIndex | undefined {
    const number = this.#places[this.#placeOf(key, this.#hash(key))] as number;
    return number === NOBODY ? undefined : this.#entries[number];
  }

  /** For a key that is not there yet. */
  add(key: Uint8Array, entry: KeyIndex): void {
    const hash = this.#hash(key);
    this.#places[this.#placeOf(key, hash)] = this.#names.length;
    this.#names.push(toByteString(key));
    this.#entries.push(entry);
    this.#hashes.push(hash);
    if (this.#names.length > this.#places.length * FULL_SHARE) this.#grow();
  }

  /** All of them, in the order they came in; they are no longer here then. */
  takeAll(): { readonly names: ByteString[]; readonly entries: KeyIndex[] } {
    const all = { names: this.#names, entries: this.#entries };
    this.#names = [];
    this.#entries = [];
    this.#hashes = [];
    this.#places = emptyPlaces(INITIAL_PLACES);
    return all;
  }

  /** Where the key is, or the free place where it belongs. */
  #placeOf(key: Uint8Array, hash: number): number {
    const places = this.#places;
    const mask = places.length - 1;
    let place = hash & mask;
    for (let number = places[place] as number; number !== NOBODY; number = places[place] as number) {
      if (this.#hashes[number] === hash && isName(this.#names[number] as ByteString, key)) return place;
      place = (place + 1) & mask;
    }
    return place;
  }

  #grow(): void {
    const places = emptyPlaces(this.#places.length * 4);
    const mask = places.length - 1;
    for (let number = 0; number < this.#hashes.length; number++) {
      let place = (this.#hashes[number] as number) & mask;
      while (places[place] !== NOBODY) place = (place + 1) & mask;
      places[place] = number;
    }
    this.#places = places;
  }

  /** FNV-1a, then Murmur3's last step, which spreads what the last bytes have done over all bits. 30 of them: a small integer, which V8 keeps without an object. */
  #hash(key: Uint8Array): number {
    let hash = this.#seed ^ 0x811c9dc5;
    for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ (key[at] as number), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) & 0x3fff_ffff;
  }
}

function emptyPlaces(count: number): Int32Array {
  return new Int32Array(count).fill(NOBODY);
}

function isName(name: ByteString, key: Uint8Array): boolean {
  if (name.length !== key.length) return false;
  for (let at = name.length - 1; at >= 0; at--) if (name.charCodeAt(at) !== key[at]) return false;
  return true;
}
