/**
 * A B+tree out of rows that come in order: a leaf that is full is written and its first key goes up to the branch above
 * it, which does the same. So at most one unfinished page of each level is in memory, and a branch is written after its
 * children.
 *
 *        level 1   [ a | k | ...        ← first keys of the leaves written
 *        level 0   [ q r s ...          ← rows not written yet
 */
import { assert } from "../base/assert.ts";
import { copyBytes } from "../base/bytes.ts";
import { ELEMENT_BYTES, Fields, PAGE_HEADER_BYTES, PageKind } from "./format.ts";

/** Who numbers pages in order and takes them; without bytes when it only counts. */
export interface PageOutput {
  /** The number of the next page, of those it takes with its overflow. */
  number(pages: number): number;
  /** Where to write page `id`, its header being there. Undefined: nowhere. */
  page(kind: number, id: number, count: number, pages: number): Uint8Array | undefined;
}

/** In a leaf `value`, in a branch the `child`. */
interface Element {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  readonly child: number;
}

interface Level {
  elements: Element[];
  bytes: number;
  pages: number;
}

/** A branch needs two children, or the tree would not end. */
const CHILDREN_MIN = 2;

export class TreeBuilder {
  readonly #output: PageOutput;
  readonly #pageBytes: number;
  readonly #flags: number;
  readonly #levels: Level[] = [];

  /** `flags`: of every element of a leaf. */
  constructor(output: PageOutput, pageBytes: number, flags: number) {
    this.#output = output;
    this.#pageBytes = pageBytes;
    this.#flags = flags;
  }

  /** The next row. Kept until its page is written, and must not change until then. */
  add(key: Uint8Array, value: Uint8Array): void {
    this.#put(0, { key, value, child: 0 }, key.length + value.length);
  }

  /** The same, of an output that only counts. */
  addSize(key: Uint8Array, valueBytes: number): void {
    this.#put(0, { key, value: undefined, child: 0 }, key.length + valueBytes);
  }

  /** Writes what is left; answers the page of the root. */
  finish(): number {
    if (this.#levels.length === 0) this.#levels.push(emptyLevel());
    for (let level = 0; ; level++) {
      const { elements, pages } = this.#levels[level] as Level;
      const only = elements[0];
      if (level > 0 && pages === 0 && elements.length === 1 && only !== undefined) return only.child;
      this.#flush(level);
    }
  }

  #put(at: number, element: Element, dataBytes: number): void {
    const level = this.#level(at);
    const bytes = ELEMENT_BYTES + dataBytes;
    const enough = at === 0 ? 1 : CHILDREN_MIN;
    if (level.elements.length >= enough && level.bytes + bytes > this.#pageBytes) this.#flush(at);
    level.elements.push(element);
    level.bytes += bytes;
  }

  #level(at: number): Level {
    const level = this.#levels[at];
    if (level !== undefined) return level;
    assert(at === this.#levels.length, "levels grow one by one");
    const added = emptyLevel();
    this.#levels.push(added);
    return added;
  }

  #flush(at: number): void {
    const level = this.#levels[at] as Level;
    const { elements, bytes } = level;
    const pages = Math.ceil(bytes / this.#pageBytes);
    const id = this.#output.number(pages);
    const kind = at === 0 ? PageKind.LEAF : PageKind.BRANCH;
    const page = this.#output.page(kind, id, elements.length, pages);
    if (page !== undefined) {
      if (at === 0) writeLeaf(page, elements, this.#flags);
      else writeBranch(page, elements);
    }
    level.elements = [];
    level.bytes = PAGE_HEADER_BYTES;
    level.pages++;
    const first = elements[0];
    // A copy: the key may be a view of much more.
    const key = first === undefined ? new Uint8Array(0) : copyBytes(first.key);
    this.#put(at + 1, { key, value: undefined, child: id }, key.length);
  }
}

function emptyLevel(): Level {
  return { elements: [], bytes: PAGE_HEADER_BYTES, pages: 0 };
}

function writeLeaf(page: Uint8Array, elements: readonly Element[], flags: number): void {
  const fields = new Fields(page);
  let at = PAGE_HEADER_BYTES;
  let data = at + elements.length * ELEMENT_BYTES;
  for (const { key, value } of elements) {
    assert(value !== undefined, "who writes has values");
    fields.setU32(at, flags);
    fields.setU32(at + 4, data - at);
    fields.setU32(at + 8, key.length);
    fields.setU32(at + 12, value.length);
    page.set(key, data);
    page.set(value, data + key.length);
    data += key.length + value.length;
    at += ELEMENT_BYTES;
  }
}

function writeBranch(page: Uint8Array, elements: readonly Element[]): void {
  const fields = new Fields(page);
  let at = PAGE_HEADER_BYTES;
  let data = at + elements.length * ELEMENT_BYTES;
  for (const { key, child } of elements) {
    fields.setU32(at, data - at);
    fields.setU32(at + 4, key.length);
    fields.setU64(at + 8, child);
    page.set(key, data);
    data += key.length;
    at += ELEMENT_BYTES;
  }
}
