/** An ordered map: sorted-btree under our name. Its import quirk under ESM (the class is `default.default`) stays here. */
import imported from "sorted-btree";

const BTree = imported.default;

/** Keys in the order of `<`: byte strings, or numbers. */
export class SortedMap<K extends string | number, V> {
  readonly #tree = new BTree<K, V>(undefined, (left, right) => (left < right ? -1 : left > right ? 1 : 0));

  get size(): number {
    return this.#tree.size;
  }

  get(key: K): V | undefined {
    return this.#tree.get(key);
  }

  has(key: K): boolean {
    return this.#tree.has(key);
  }

  /** Adds or replaces. */
  set(key: K, value: V): void {
    this.#tree.set(key, value);
  }

  /** Whether the key was there. */
  delete(key: K): boolean {
    return this.#tree.delete(key);
  }

  clear(): void {
    this.#tree.clear();
  }

  firstKey(): K | undefined {
    return this.#tree.minKey();
  }

  lastKey(): K | undefined {
    return this.#tree.maxKey();
  }

  /** The first entry whose key is above `key`. */
  nextAbove(key: K): readonly [K, V] | undefined {
    return this.#tree.nextHigherPair(key);
  }

  /**
   * Visits the entries with `from <= key < to` in order (`to` undefined: to the end) until `visit` answers false.
   * The map must not be changed meanwhile.
   */
  scan(from: K, to: K | undefined, visit: (key: K, value: V) => boolean | undefined): void {
    const end = to ?? this.#tree.maxKey();
    if (end === undefined) return;
    this.#tree.forRange(from, end, to === undefined, (key, value) =>
      visit(key, value) === false ? { break: true } : undefined,
    );
  }

  /** All entries in order. The map must not be changed meanwhile. */
  entries(): IterableIterator<[K, V]> {
    return this.#tree.entries();
  }
}
