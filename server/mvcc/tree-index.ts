/** All keys that have any version, in the order of their bytes. Reads that need no value are answered from here. */
import { type ByteString, toByteString } from "../base/bytes.ts";
import { SortedMap } from "../base/sorted-map.ts";
import type { KeyIndex } from "./key-index.ts";

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

/** What a key costs beside its bytes: its string's head, its `KeyIndex`, its places in the tree. Measured. */
const KEY_BYTES = 130;

export class TreeIndex {
  readonly #tree = new SortedMap<ByteString, KeyIndex>();
  #nameBytes = 0;

  /** Keys, deleted ones that compaction has not met yet included. */
  get size(): number {
    return this.#tree.size;
  }

  /** About what the index takes of the heap, older versions not counted. */
  get bytes(): number {
    return this.#nameBytes + this.#tree.size * KEY_BYTES;
  }

  get(name: ByteString): KeyIndex | undefined {
    return this.#tree.get(name);
  }

  /** Adds a key that is not there yet. */
  add(name: ByteString, entry: KeyIndex): void {
    this.#tree.set(name, entry);
    this.#nameBytes += name.length;
  }

  remove(name: ByteString): void {
    if (this.#tree.delete(name)) this.#nameBytes -= name.length;
  }

  clear(): void {
    this.#tree.clear();
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
