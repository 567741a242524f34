/**
 * Reads a bbolt file of any page size, trusting nothing in it: every number is held against the file before it is used,
 * so that damage ends in a `BoltError` that says where, never in a crash, an endless walk or memory without bound.
 *
 *   BoltFile.open(source)     the metas: which counts, and whether the file is as long as it says
 *     .buckets()              by name, in order; a small one may lie inline
 *     .walk() ─► rows(bucket) one pass; pages are marked, and one that is met twice is refused (a cycle too)
 *             ─► finish()     pages neither met nor free are damage
 */
import { compareBytes, printableBytes } from "../base/bytes.ts";
import {
  BoltError,
  BUCKET_HEADER_BYTES,
  COUNT_ELSEWHERE,
  Fields,
  LARGEST_PAGE_BYTES,
  META_BYTES,
  type Meta,
  PAGE_HEADER_BYTES,
  PageKind,
  readMeta,
  SMALLEST_PAGE_BYTES,
} from "./format.ts";
import { readPageHeader, TreePage } from "./page.ts";

/** Where the bytes come from. */
export interface ByteSource {
  readonly sizeBytes: number;
  /** Exactly `length` bytes, which lie inside; memory of their own. */
  read(position: number, length: number): Uint8Array;
}

/** Views of the page they were read from: kept, they keep it. */
export interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface BoltBucket {
  readonly name: Uint8Array;
  /** Page of its tree; 0: it is `inline`. */
  readonly root: number;
  readonly inline: TreePage | undefined;
}

/** Fan-out is at least two where bbolt writes: a tree deeper than this is none. */
const DEEPEST = 64;
/** A page with its overflow is read at once; a record of etcd's is far smaller. */
const LARGEST_SPAN_BYTES = 2 ** 30;
/** A tree of names, not of data. */
const BUCKETS_MAX = 1000;

export class BoltFile {
  readonly meta: Meta;
  readonly #source: ByteSource;

  private constructor(source: ByteSource, meta: Meta) {
    this.#source = source;
    this.meta = meta;
  }

  /** Throws `BoltError` when it is not a bbolt file, or is shorter than it says. */
  static open(source: ByteSource): BoltFile {
    const meta = newestMeta(source);
    const { pageBytes, pageCount } = meta;
    if (pageCount < 3) throw new BoltError(`the file says it has ${pageCount} pages; the smallest has 3`);
    if (pageCount * pageBytes > source.sizeBytes) {
      throw new BoltError(
        `the file is truncated: it has ${source.sizeBytes} bytes and says it needs ${pageCount * pageBytes} ` +
          `(${pageCount} pages of ${pageBytes})`,
      );
    }
    return new BoltFile(source, meta);
  }

  /** Bytes that belong to the file; what follows is not read. */
  get sizeBytes(): number {
    return this.meta.pageCount * this.meta.pageBytes;
  }

  /** A pass over the file; each page is met once in it. */
  walk(): Walk {
    return new Walk(this);
  }

  /** The tree page `id` with what overflows it. */
  page(id: number): { readonly page: TreePage; readonly overflow: number } {
    const { bytes, overflow } = this.span(id);
    return { page: new TreePage(bytes, `page ${id}`), overflow };
  }

  /** The bytes of page `id` and of those that overflow it. */
  span(id: number): { readonly bytes: Uint8Array; readonly overflow: number; readonly count: number } {
    const { pageBytes, pageCount } = this.meta;
    if (id < 2 || id >= pageCount) throw new BoltError(`page ${id} is asked for; the file's are 2 to ${pageCount - 1}`);
    const bytes = this.#source.read(id * pageBytes, pageBytes);
    const { id: own, overflow, count } = readPageHeader(new Fields(bytes));
    if (own !== id) throw new BoltError(`page ${id} says that it is page ${own}`);
    if (id + overflow >= pageCount) {
      throw new BoltError(`page ${id} claims the next ${overflow} pages; the file ends with page ${pageCount - 1}`);
    }
    if (overflow === 0) return { bytes, overflow, count };
    const length = (overflow + 1) * pageBytes;
    if (length > LARGEST_SPAN_BYTES) {
      throw new BoltError(`page ${id} with its overflow has ${length} bytes; at most ${LARGEST_SPAN_BYTES} are read`);
    }
    return { bytes: this.#source.read(id * pageBytes, length), overflow, count };
  }
}

/** One pass over a file. Rows of a bucket may be asked for once. */
export class Walk {
  readonly #file: BoltFile;
  readonly #met: PageSet;
  readonly #buckets: BoltBucket[];

  constructor(file: BoltFile) {
    this.#file = file;
    this.#met = new PageSet(file.meta.pageCount);
    this.#buckets = [...this.#readBuckets()];
  }

  get buckets(): readonly BoltBucket[] {
    return this.#buckets;
  }

  bucket(name: Uint8Array): BoltBucket | undefined {
    return this.#buckets.find((bucket) => compareBytes(bucket.name, name) === 0);
  }

  /** Its records in the order of their keys. A bucket inside is refused: etcd's files have none. */
  *rows(bucket: BoltBucket): Generator<Row, void> {
    const start = bucket.inline ?? this.#enter(bucket.root);
    for (const { page, index, key } of this.#elements(start)) {
      if (page.isBucket(index)) {
        throw new BoltError(
          `bucket "${printableBytes(bucket.name)}" holds another bucket, "${printableBytes(key)}": no file of etcd's does`,
        );
      }
      yield { key, value: page.value(index) };
    }
  }

  /** After all buckets were walked: where a freelist is stored, every page is in use or in it, and in one place alone. */
  finish(): void {
    const { freelist, pageCount } = this.#file.meta;
    if (freelist === undefined) return;
    for (const id of this.#readFreelist(freelist)) this.#meet(id, 0);
    for (let id = 2; id < pageCount; id++) {
      if (!this.#met.has(id)) throw new BoltError(`page ${id} is neither in use nor free`);
    }
  }

  *#readBuckets(): Generator<BoltBucket, void> {
    let count = 0;
    for (const { page, index, key } of this.#elements(this.#enter(this.#file.meta.root))) {
      if (++count > BUCKETS_MAX) throw new BoltError(`the file has more than ${BUCKETS_MAX} buckets`);
      const name = printableBytes(key);
      if (!page.isBucket(index)) throw new BoltError(`"${name}" beside the buckets is none`);
      const value = page.value(index);
      if (value.length < BUCKET_HEADER_BYTES) throw new BoltError(`the header of bucket "${name}" is cut short`);
      const root = new Fields(value).u64(0);
      const inline = root === 0 ? inlinePage(value, name) : undefined;
      yield { name: Uint8Array.from(key), root, inline };
    }
  }

  *#elements(root: TreePage): Generator<Element, void> {
    const path = [{ page: root, next: 0 }];
    let last: Uint8Array | undefined;
    let floor: Uint8Array | undefined;
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      if (top.next === top.page.count) {
        path.pop();
        continue;
      }
      const index = top.next++;
      const { page } = top;
      const key = page.key(index);
      // A key of a branch lies above all that came before it and not above what its child holds.
      if (last !== undefined && compareBytes(key, last) <= 0) throw outOfOrder(page, index);
      if (floor !== undefined && compareBytes(key, floor) < 0) throw outOfOrder(page, index);
      if (page.isLeaf) {
        last = key;
        yield { page, index, key };
      } else {
        if (path.length >= DEEPEST) throw new BoltError(`${page.label} lies ${DEEPEST} pages deep in its tree`);
        floor = key;
        path.push({ page: this.#enter(page.child(index)), next: 0 });
      }
    }
  }

  #enter(id: number): TreePage {
    const { page, overflow } = this.#file.page(id);
    this.#meet(id, overflow);
    return page;
  }

  #meet(id: number, overflow: number): void {
    for (let each = id; each <= id + overflow; each++) {
      if (this.#met.has(each)) throw new BoltError(`page ${each} is used twice`);
      this.#met.add(each);
    }
  }

  *#readFreelist(id: number): Generator<number, void> {
    const { bytes, overflow, count: short } = this.#file.span(id);
    this.#meet(id, overflow);
    const fields = new Fields(bytes);
    const { kind } = readPageHeader(fields);
    if (kind !== PageKind.FREELIST)
      throw new BoltError(`page ${id} is of kind ${kind}, where the freelist (16) belongs`);
    const [count, from] =
      short === COUNT_ELSEWHERE ? [fields.u64(PAGE_HEADER_BYTES), PAGE_HEADER_BYTES + 8] : [short, PAGE_HEADER_BYTES];
    if (from + count * 8 > bytes.length) {
      throw new BoltError(`the freelist (page ${id}) claims ${count} pages, more than its ${bytes.length} bytes hold`);
    }
    for (let each = 0; each < count; each++) {
      const free = fields.u64(from + each * 8);
      if (free < 2 || free >= this.#file.meta.pageCount) throw new BoltError(`the freelist names page ${free}`);
      yield free;
    }
  }
}

interface Element {
  readonly page: TreePage;
  readonly index: number;
  readonly key: Uint8Array;
}

/** A bit for each page of the file: bounded by the file's own size. */
class PageSet {
  readonly #bits: Uint8Array;

  constructor(pageCount: number) {
    this.#bits = new Uint8Array(Math.ceil(pageCount / 8));
  }

  has(id: number): boolean {
    return (((this.#bits[id >>> 3] as number) >>> (id & 7)) & 1) === 1;
  }

  add(id: number): void {
    this.#bits[id >>> 3] = (this.#bits[id >>> 3] as number) | (1 << (id & 7));
  }
}

function inlinePage(value: Uint8Array, name: string): TreePage {
  const bytes = value.subarray(BUCKET_HEADER_BYTES);
  if (bytes.length < PAGE_HEADER_BYTES) throw new BoltError(`the inline page of bucket "${name}" is cut short`);
  const page = new TreePage(bytes, `the inline page of bucket "${name}"`);
  if (!page.isLeaf) throw new BoltError(`${page.label} is a branch`);
  return page;
}

function outOfOrder(page: TreePage, index: number): BoltError {
  return new BoltError(`${page.label}, element ${index}: its key is not in order`);
}

/** The second meta lies where the page size says; when the first is damaged, every size is tried. */
function newestMeta(source: ByteSource): Meta {
  const first = metaAt(source, 0);
  if (typeof first !== "string") {
    const second = metaAt(source, first.pageBytes);
    if (typeof second === "string" || second.pageBytes !== first.pageBytes) return first;
    return second.txid > first.txid ? second : first;
  }
  for (let pageBytes = SMALLEST_PAGE_BYTES; pageBytes <= LARGEST_PAGE_BYTES; pageBytes *= 2) {
    const second = metaAt(source, pageBytes);
    if (typeof second !== "string" && second.pageBytes === pageBytes) return second;
  }
  throw new BoltError(`it is not a bbolt file, or both of its meta pages are damaged: of the first one, ${first}`);
}

function metaAt(source: ByteSource, position: number): Meta | string {
  const length = PAGE_HEADER_BYTES + META_BYTES;
  if (position + length > source.sizeBytes) return `the file ends at byte ${source.sizeBytes}, before it`;
  const fields = new Fields(source.read(position, length));
  const { kind } = readPageHeader(fields);
  if (kind !== PageKind.META) return `its page is of kind ${kind}, not 4`;
  return readMeta(new Fields(fields.bytes.subarray(PAGE_HEADER_BYTES)));
}
