/**
 * What a batch says about one bucket, in columns of names and numbers: an object for each operation would live just long
 * enough for the collector to copy it twice. Revisions come in rising order, and are then found without a table.
 */
import type { ByteString } from "../base/bytes.ts";

/** Of a name that is not there. */
export const ABSENT = -1;
/** Slab, start and length of a record; a length of 0 is a delete. */
const NUMBERS = 3;

export class BucketChanges {
  readonly #names: ByteString[] = [];
  readonly #records: number[] = [];
  /** Where each name stands, once one has come out of order; until then the names are in order themselves. */
  #places: Map<ByteString, number> | undefined;
  #sorted: ByteString[] | undefined;

  get size(): number {
    return this.#names.length;
  }

  nameAt(at: number): ByteString {
    return this.#names[at] as ByteString;
  }

  slabAt(at: number): number {
    return this.#records[at * NUMBERS] as number;
  }

  startAt(at: number): number {
    return this.#records[at * NUMBERS + 1] as number;
  }

  lengthAt(at: number): number {
    return this.#records[at * NUMBERS + 2] as number;
  }

  /** The place of `name`, or `ABSENT`. */
  find(name: ByteString): number {
    if (this.#places !== undefined) return this.#places.get(name) ?? ABSENT;
    const names = this.#names;
    if (names.length === 0 || (names[names.length - 1] as ByteString) < name) return ABSENT;
    const at = lowerBound(names, name);
    return names[at] === name ? at : ABSENT;
  }

  /** For a name that is not there yet. */
  add(name: ByteString, slab: number, start: number, length: number): void {
    const names = this.#names;
    const last = names[names.length - 1];
    if (this.#places === undefined && last !== undefined && last > name) this.#places = placesOf(names);
    this.#places?.set(name, names.length);
    this.#sorted = undefined;
    names.push(name);
    this.#records.push(slab, start, length);
  }

  replace(at: number, slab: number, start: number, length: number): void {
    this.#records[at * NUMBERS] = slab;
    this.#records[at * NUMBERS + 1] = start;
    this.#records[at * NUMBERS + 2] = length;
  }

  sortedNames(): readonly ByteString[] {
    if (this.#places === undefined) return this.#names;
    this.#sorted ??= [...this.#names].sort(byBytes);
    return this.#sorted;
  }
}

function placesOf(names: readonly ByteString[]): Map<ByteString, number> {
  return new Map(names.map((name, at) => [name, at]));
}

function byBytes(left: ByteString, right: ByteString): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The first place whose name is not below `name`. */
export function lowerBound(names: readonly ByteString[], name: ByteString): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] as ByteString) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
