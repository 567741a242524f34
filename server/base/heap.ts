/**
 * A binary heap: the smallest item first, by `before`. Who is told where each item stands (`placed`) may also take one out
 * from within, or say that its order has changed.
 */
export class Heap<T> {
  readonly #before: (left: T, right: T) => boolean;
  readonly #placed: (item: T, at: number) => void;
  #items: T[] = [];

  constructor(before: (left: T, right: T) => boolean, placed: (item: T, at: number) => void = () => undefined) {
    this.#before = before;
    this.#placed = placed;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The smallest item, left where it is. */
  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  /** Takes the smallest item out. */
  pop(): T | undefined {
    return this.#items.length === 0 ? undefined : this.remove(0);
  }

  /** Takes out the item that stands at this place. */
  remove(at: number): T {
    const items = this.#items;
    const removed = items[at] as T;
    const last = items.pop() as T;
    if (at < items.length) {
      items[at] = last;
      this.changed(at);
    }
    return removed;
  }

  /** The item at this place has become smaller or larger. */
  changed(at: number): void {
    const item = this.#items[at] as T;
    this.#sink(item, this.#rise(item, at));
  }

  clear(): void {
    this.#items = [];
  }

  #rise(item: T, from: number): number {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#before(item, this.#items[above] as T)) break;
      this.#place(this.#items[above] as T, at);
      at = above;
    }
    this.#place(item, at);
    return at;
  }

  #sink(item: T, from: number): void {
    const items = this.#items;
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= items.length) break;
      if (below + 1 < items.length && this.#before(items[below + 1] as T, items[below] as T)) below++;
      if (!this.#before(items[below] as T, item)) break;
      this.#place(items[below] as T, at);
      at = below;
    }
    this.#place(item, at);
  }

  #place(item: T, at: number): void {
    this.#items[at] = item;
    this.#placed(item, at);
  }
}
