/**
 * All keys that have any version: in the order of their bytes for ranges, and by their hash for one of them. Reads that
 * need no value are answered from here.
 */
import { type ByteString, fromByteString, toByteString } from "../base/bytes.ts";
import { CountedTree, type TreeBuilder } from "../base/counted-tree.ts";
import type { KeyIndex } from "./key-index.ts";
import { KeyTable } from "./key-table.ts";

/** Keys with `from <= key < to`; `to` undefined: no end. */
export interface KeyRange {
  readonly from: ByteString;
  readonly to: ByteString | undefined;
}

/** etcd's (key, range_end): one key without an end, everything from `key` on with "\0", else up to the end. */
export function keyRange(key: Uint8Array, rangeEnd: Uint8Array): KeyRange {
  const from = toByteString(key);
  if (rangeEnd.length === 0) return { from, to: `${from}\0` };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { from, to: undefined };
  return { from, to: toByteString(rangeEnd) };
}

/** Takes all keys twice: as they are met, and then in their order. */
export interface Rebuild {
  /** The key are the bytes of `key` from `from` up to `to`. */
  get(key: Uint8Array, from: number, to: number): KeyIndex | undefined;
  /** The key that `get` was last asked for, and has not found. */
  addAsked(entry: KeyIndex): void;
  /** From place `from` up to `to`: of the keys that were added in their order. `allAlive`: none is only a tombstone. */
  append(names: readonly ByteString[], entries: readonly KeyIndex[], from: number, to: number, allAlive: boolean): void;
  finish(): void;
}

/** What a key costs beside its bytes: its string's head, its `KeyIndex`, its places in the tree. Measured. */
const KEY_BYTES = 130;

export class TreeIndex {
  readonly #tree = new CountedTree<KeyIndex>((entry) => entry.isAlive);
  readonly #table = new KeyTable(0);
  #nameBytes = 0;

  /** Keys, deleted ones that compaction has not met yet included. */
  get size(): number {
    return this.#tree.size;
  }

  /** About what the index takes of the heap, older versions not counted. */
  get bytes(): number {
    return this.#nameBytes + this.#tree.size * KEY_BYTES;
  }

  /** Keys that exist now. */
  get alive(): number {
    return this.#tree.counted;
  }

  /** Keys of the range that exist now, without looking at each. */
  aliveIn({ from, to }: KeyRange): number {
    return this.#tree.countedIn(from, to);
  }

  get(key: Uint8Array): KeyIndex | undefined {
    return this.#table.get(key);
  }

  /** Adds a key that is not there yet. */
  add(key: Uint8Array, entry: KeyIndex): void {
    this.#table.add(key, entry);
    this.#tree.add(entry.name, entry);
    this.#nameBytes += entry.name.length;
  }

  /** A key that is there has begun (1) or ceased (-1) to exist. */
  noteLife(name: ByteString, by: 1 | -1): void {
    this.#tree.recount(name, by);
  }

  /** Instead of everything. Nothing else may be done with the index before its `finish`. `hashSeed`: see `KeyTable`. */
  rebuild(hashSeed: number): Rebuild {
    this.clear();
    this.#table.clear(hashSeed);
    const builder: TreeBuilder<KeyIndex> = CountedTree.builder(this.#tree);
    return {
      get: (key, from, to) => this.#table.get(key, from, to),
      addAsked: (entry) => {
        this.#table.addAsked(entry);
        this.#nameBytes += entry.name.length;
      },
      append: (names, entries, from, to, allAlive) => builder.append(names, entries, from, to, allAlive),
      finish: () => builder.finish(),
    };
  }

  remove(name: ByteString): void {
    if (!this.#tree.delete(name)) return;
    this.#table.remove(fromByteString(name));
    this.#nameBytes -= name.length;
  }

  clear(): void {
    this.#tree.clear();
    this.#table.clear();
    this.#nameBytes = 0;
  }

  /** Visits the keys of the range in order until `visit` answers false. The index must not be changed meanwhile. */
  scan({ from, to }: KeyRange, visit: (name: ByteString, entry: KeyIndex) => boolean | undefined): void {
    if (to !== undefined && to <= from) return;
    this.#tree.scan(from, to, visit);
  }

  /**
   * Visits up to `count` keys above `after` (undefined: from the first on). Answers the last one visited, from where the
   * next slice goes on; undefined when there is none.
   */
  slice(
    after: ByteString | undefined,
    count: number,
    visit: (name: ByteString, entry: KeyIndex) => boolean | undefined,
  ): ByteString | undefined {
    let left = count;
    let last: ByteString | undefined;
    this.#tree.scan(after === undefined ? "" : `${after}\0`, undefined, (name, entry) => {
      last = name;
      left--;
      return visit(name, entry) !== false && left > 0;
    });
    return last;
  }
}
