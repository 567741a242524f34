/**
 * Someone who reads a large range page by page asks for the count of what is left with every page, and each count walks
 * the whole rest. But what a revision held does not change any more: the page before knows the rest of the next one.
 */
import type { ByteString } from "../base/bytes.ts";
import type { KeyRange } from "./tree-index.ts";

/** Readers on their way at once, more or less; the oldest is forgotten, and counts again. */
const CAPACITY = 512;

export class PageCounts {
  readonly #counts = new Map<string, number>();

  /** How many keys the range has at a revision, if the page before it was read a short while ago. */
  find(revision: number, range: KeyRange): number | undefined {
    return this.#counts.get(nameOf(revision, range.from, range.to));
  }

  /** Of the keys of `range` at `revision`, `left` come after the key `after`. The revision must be of the past. */
  remember(revision: number, { to }: KeyRange, after: ByteString, left: number): void {
    const name = nameOf(revision, `${after}\0`, to);
    this.#counts.delete(name);
    this.#counts.set(name, left);
    if (this.#counts.size > CAPACITY) this.#counts.delete(this.#counts.keys().next().value as string);
  }

  clear(): void {
    this.#counts.clear();
  }
}

/** Unambiguous by the length of `from`. */
function nameOf(revision: number, from: ByteString, to: ByteString | undefined): string {
  return `${revision} ${from.length} ${from}${to === undefined ? "" : ` ${to}`}`;
}
