/** One page that was read: its elements, each looked at against the page's own bounds before it is believed. */
import {
  BoltError,
  BUCKET_FLAG,
  ELEMENT_BYTES,
  Fields,
  LONGEST_KEY_BYTES,
  PAGE_HEADER_BYTES,
  PageKind,
} from "./format.ts";

export interface PageHeader {
  readonly id: number;
  readonly kind: number;
  readonly count: number;
  /** Pages that follow and belong to it. */
  readonly overflow: number;
}

export function readPageHeader(fields: Fields): PageHeader {
  return { id: fields.u64(0), kind: fields.u16(8), count: fields.u16(10), overflow: fields.u32(12) };
}

/** A leaf or a branch. Keys and values are views of its bytes. */
export class TreePage {
  /** As people know it: "page 7". */
  readonly label: string;
  readonly isLeaf: boolean;
  readonly count: number;
  readonly #fields: Fields;

  /** `bytes`: the page with all that overflows it. */
  constructor(bytes: Uint8Array, label: string) {
    this.label = label;
    this.#fields = new Fields(bytes);
    const { kind, count } = readPageHeader(this.#fields);
    if (kind !== PageKind.LEAF && kind !== PageKind.BRANCH) {
      throw new BoltError(`${label} is of kind ${kind}, where a branch (1) or a leaf (2) belongs`);
    }
    this.isLeaf = kind === PageKind.LEAF;
    this.count = count;
    if (PAGE_HEADER_BYTES + count * ELEMENT_BYTES > bytes.length) {
      throw new BoltError(`${label} claims ${count} elements, more than its ${bytes.length} bytes hold`);
    }
    if (!this.isLeaf && count === 0) throw new BoltError(`${label} is a branch without children`);
  }

  /** Of a leaf: whether the value is a bucket. */
  isBucket(index: number): boolean {
    const flags = this.#fields.u32(elementAt(index));
    if (flags > BUCKET_FLAG) throw new BoltError(`${this.label}, element ${index}: flags ${flags} are unknown`);
    return flags === BUCKET_FLAG;
  }

  key(index: number): Uint8Array {
    const at = elementAt(index);
    const lengthAt = this.isLeaf ? at + 8 : at + 4;
    const length = this.#fields.u32(lengthAt);
    if (length > LONGEST_KEY_BYTES || (length === 0 && this.isLeaf)) {
      throw new BoltError(`${this.label}, element ${index}: a key of ${length} bytes`);
    }
    return this.#slice(index, 0, length);
  }

  value(index: number): Uint8Array {
    const at = elementAt(index);
    return this.#slice(index, this.#fields.u32(at + 8), this.#fields.u32(at + 12));
  }

  /** Of a branch: the page of the child. */
  child(index: number): number {
    return this.#fields.u64(elementAt(index) + 8);
  }

  /** `length` bytes at `offset` of what the element points to. */
  #slice(index: number, offset: number, length: number): Uint8Array {
    const at = elementAt(index);
    const position = this.#fields.u32(this.isLeaf ? at + 4 : at);
    const start = at + position + offset;
    const { bytes } = this.#fields;
    if (at + position < elementAt(this.count) || start + length > bytes.length) {
      throw new BoltError(
        `${this.label}, element ${index}: ${length} bytes at ${start} do not lie in its ${bytes.length} bytes`,
      );
    }
    return bytes.subarray(start, start + length);
  }
}

function elementAt(index: number): number {
  return PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
}
