/**
 * Writes a bbolt file front to back, in two passes over rows that do not change meanwhile: the first only counts, since
 * the metas, which come first, name pages that come last; the second gives the bytes. Both run the same steps, a slice
 * of rows at a time, and keep no more than one page of every level of one tree.
 *
 *   | meta | meta | freelist (empty) | bucket: leaves, each branch after its children | next bucket ... | names of buckets |
 *
 * Pages are filled to the end: who goes on with the file writes changed ones anew in any case.
 */
import { assert } from "../base/assert.ts";
import { concatBytes, printableBytes } from "../base/bytes.ts";
import {
  BoltError,
  BUCKET_FLAG,
  BUCKET_HEADER_BYTES,
  Fields,
  LONGEST_KEY_BYTES,
  LONGEST_VALUE_BYTES,
  PAGE_HEADER_BYTES,
  PageKind,
  writeMeta,
} from "./format.ts";
import type { Row } from "./reader.ts";
import { type PageOutput, TreeBuilder } from "./tree-builder.ts";

/** What is to be written. Both passes must be given the same. */
export interface BoltContents {
  /** In the order of their names. */
  readonly buckets: readonly Uint8Array[];
  /** Some sizes of records above `after` (undefined: from the first on), in order; none at the end. */
  sizes(bucket: number, after: Uint8Array | undefined): readonly RowSize[];
  /** The same with values. */
  rows(bucket: number, after: Uint8Array | undefined): readonly Row[];
}

export interface RowSize {
  readonly key: Uint8Array;
  readonly valueBytes: number;
}

/** What the first pass has found. */
export interface BoltLayout {
  readonly pageBytes: number;
  readonly pageCount: number;
  readonly sizeBytes: number;
  readonly root: number;
}

/** etcd's own on nearly every machine. */
const PAGE_BYTES = 4096;
const FREELIST_PAGE = 2;
const FIRST_TREE_PAGE = 3;
/** Pages are handed on in blocks of about this size: what etcd sends in one message. */
const BLOCK_BYTES = 32 * 1024;

/** The first pass: yields after each slice. Throws `BoltError` for a record that bbolt cannot hold. */
export function* planBolt(contents: BoltContents, pageBytes = PAGE_BYTES): Generator<void, BoltLayout> {
  const output = new Count();
  const steps = build(output, pageBytes, contents.buckets, (builder, bucket, after) => {
    const rows = contents.sizes(bucket, after);
    for (const { key, valueBytes } of rows) {
      checkSizes(contents.buckets[bucket] as Uint8Array, key, valueBytes);
      builder.addSize(key, valueBytes);
    }
    return rows.at(-1)?.key;
  });
  for (;;) {
    const step = steps.next();
    if (step.done !== true) {
      yield;
      continue;
    }
    const pageCount = output.next;
    return { pageBytes, pageCount, sizeBytes: pageCount * pageBytes, root: step.value };
  }
}

/** The second pass: yields the file's bytes in order, after a slice with nothing to send none. */
export function* writeBolt(contents: BoltContents, layout: BoltLayout): Generator<Uint8Array, void> {
  const { pageBytes, pageCount, root } = layout;
  const output = new Blocks(pageBytes);
  for (const id of [0, 1]) {
    const page = output.reserve(PageKind.META, id, 0, 0);
    // The higher txid in the first: a reader takes it, and the next writer overwrites the second.
    writeMeta(new Fields(page.subarray(PAGE_HEADER_BYTES)), {
      pageBytes,
      root,
      freelist: FREELIST_PAGE,
      pageCount,
      txid: 2 - id,
    });
  }
  output.reserve(PageKind.FREELIST, FREELIST_PAGE, 0, 0);
  const steps = build(output, pageBytes, contents.buckets, (builder, bucket, after) => {
    const rows = contents.rows(bucket, after);
    for (const { key, value } of rows) builder.add(key, value);
    return rows.at(-1)?.key;
  });
  for (;;) {
    const step = steps.next();
    if (step.done === true) {
      assert(step.value === root && output.next === pageCount, "both passes see the same rows");
      output.flush();
    }
    yield* output.take();
    if (step.done === true) return;
  }
}

/** Builds all trees; answers the page with the names. `addSlice` answers the last key added, undefined for none. */
function* build(
  output: PageOutput,
  pageBytes: number,
  buckets: readonly Uint8Array[],
  addSlice: (builder: TreeBuilder, bucket: number, after: Uint8Array | undefined) => Uint8Array | undefined,
): Generator<void, number> {
  const names = new TreeBuilder(output, pageBytes, BUCKET_FLAG);
  for (let bucket = 0; bucket < buckets.length; bucket++) {
    const builder = new TreeBuilder(output, pageBytes, 0);
    for (let after: Uint8Array | undefined; ; ) {
      after = addSlice(builder, bucket, after);
      if (after === undefined) break;
      yield;
    }
    const header = new Fields(new Uint8Array(BUCKET_HEADER_BYTES));
    header.setU64(0, builder.finish());
    names.add(buckets[bucket] as Uint8Array, header.bytes);
  }
  return names.finish();
}

function checkSizes(bucket: Uint8Array, key: Uint8Array, valueBytes: number): void {
  if (key.length > 0 && key.length <= LONGEST_KEY_BYTES && valueBytes <= LONGEST_VALUE_BYTES) return;
  throw new BoltError(
    `bucket "${printableBytes(bucket)}", key "${printableBytes(key)}": a key of ${key.length} bytes with a value of ` +
      `${valueBytes} does not fit a bbolt file (1 to ${LONGEST_KEY_BYTES}, and ${LONGEST_VALUE_BYTES})`,
  );
}

/** Of the first pass: gives pages their numbers, and no bytes. */
class Count implements PageOutput {
  next = FIRST_TREE_PAGE;

  number(pages: number): number {
    const id = this.next;
    this.next += pages;
    return id;
  }

  page(): undefined {
    return undefined;
  }
}

/** Of the second: pages side by side in blocks. One with overflow has a block to itself. */
class Blocks implements PageOutput {
  next = FIRST_TREE_PAGE;
  readonly #pageBytes: number;
  readonly #blockBytes: number;
  #block: Uint8Array;
  #used = 0;
  #ready: Uint8Array[] = [];

  constructor(pageBytes: number) {
    this.#pageBytes = pageBytes;
    this.#blockBytes = Math.max(BLOCK_BYTES, pageBytes);
    this.#block = new Uint8Array(this.#blockBytes);
  }

  number(pages: number): number {
    const id = this.next;
    this.next += pages;
    return id;
  }

  page(kind: number, id: number, count: number, pages: number): Uint8Array {
    return this.reserve(kind, id, count, pages - 1);
  }

  /** A page in order, its header written and the rest zero. */
  reserve(kind: number, id: number, count: number, overflow: number): Uint8Array {
    const bytes = this.#space((overflow + 1) * this.#pageBytes);
    const fields = new Fields(bytes);
    fields.setU64(0, id);
    fields.setU16(8, kind);
    fields.setU16(10, count);
    fields.setU32(12, overflow);
    return bytes;
  }

  flush(): void {
    if (this.#used > 0) this.#ready.push(this.#block.subarray(0, this.#used));
    this.#block = new Uint8Array(this.#blockBytes);
    this.#used = 0;
  }

  take(): Uint8Array[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready.length === 1 ? ready : inBlocks(ready, this.#blockBytes);
  }

  #space(length: number): Uint8Array {
    if (this.#used + length > this.#blockBytes) this.flush();
    if (length > this.#blockBytes) {
      const own = new Uint8Array(length);
      this.#ready.push(own);
      return own;
    }
    this.#used += length;
    return this.#block.subarray(this.#used - length, this.#used);
  }
}

/** Pieces larger than a block are cut; none are joined. */
function inBlocks(pieces: readonly Uint8Array[], blockBytes: number): Uint8Array[] {
  return pieces.flatMap((piece) => {
    const count = Math.max(1, Math.ceil(piece.length / blockBytes));
    return Array.from({ length: count }, (_, at) => piece.subarray(at * blockBytes, (at + 1) * blockBytes));
  });
}

/** All of it at once: for small stores and tests. */
export function boltBytes(contents: BoltContents, pageBytes = PAGE_BYTES): Uint8Array {
  const plan = planBolt(contents, pageBytes);
  for (;;) {
    const step = plan.next();
    if (step.done === true) return concatBytes([...writeBolt(contents, step.value)]);
  }
}
