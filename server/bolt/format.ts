/**
 * What a bbolt file is made of, in one place; reader and writer both go by it. Numbers are little-endian.
 *
 *   page     | id 8 | kind 2 | count 2 | overflow 4 | elements, then what they point to ...     `overflow` pages more
 *   meta     | magic 4 | version 4 | page size 4 | flags 4 | root 8 | sequence 8 | freelist 8 | pages 8 | txid 8 | FNV 8 |
 *   leaf     | flags 4 | position 4 | key bytes 4 | value bytes 4 |      a position counts from its own element
 *   branch   | position 4 | key bytes 4 | page 8 |
 *   bucket   | root 8 | sequence 8 |      the value of a leaf element with flag 1; root 0: its one page follows at once
 *
 * Pages 0 and 1 are metas, written in turn: the valid one with the higher txid counts.
 */

export const MAGIC = 0xed0cdaed;
export const VERSION = 2;

export const PageKind = { BRANCH: 1, LEAF: 2, META: 4, FREELIST: 16 } as const;

export const PAGE_HEADER_BYTES = 16;
export const ELEMENT_BYTES = 16;
export const BUCKET_HEADER_BYTES = 16;
export const META_BYTES = 64;
/** The flag of a leaf element whose value is a bucket. */
export const BUCKET_FLAG = 1;
/** A count of pages in a freelist that did not fit its field: the first number in it then is the count. */
export const COUNT_ELSEWHERE = 0xffff;

export const SMALLEST_PAGE_BYTES = 1024;
export const LARGEST_PAGE_BYTES = 16 * 2 ** 20;
/** bbolt takes no longer key. */
export const LONGEST_KEY_BYTES = 32768;
/** bbolt takes no longer value. */
export const LONGEST_VALUE_BYTES = 2 ** 31 - 2;

const TWO_32 = 2 ** 32;

/** A file that is not what bbolt writes; the message says where and what. */
export class BoltError extends Error {
  override readonly name = "BoltError";
}

/** Bytes with little-endian numbers in them. A 64-bit one above 2^53 loses its last bits: it is out of every range. */
export class Fields {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u16(at: number): number {
    return this.#view.getUint16(at, true);
  }

  u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  u64(at: number): number {
    return this.#view.getUint32(at + 4, true) * TWO_32 + this.#view.getUint32(at, true);
  }

  setU16(at: number, value: number): void {
    this.#view.setUint16(at, value, true);
  }

  setU32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  setU64(at: number, value: number): void {
    this.#view.setUint32(at, value % TWO_32, true);
    this.#view.setUint32(at + 4, Math.floor(value / TWO_32), true);
  }

  /** All bits set: "none" where a page number is expected. */
  setNone(at: number): void {
    this.#view.setUint32(at, 0xffffffff, true);
    this.#view.setUint32(at + 4, 0xffffffff, true);
  }

  isNone(at: number): boolean {
    return this.u32(at) === 0xffffffff && this.u32(at + 4) === 0xffffffff;
  }

  big(at: number): bigint {
    return this.#view.getBigUint64(at, true);
  }

  setBig(at: number, value: bigint): void {
    this.#view.setBigUint64(at, value, true);
  }
}

/** What a meta page says. */
export interface Meta {
  readonly pageBytes: number;
  /** Page of the tree whose leaves name the buckets. */
  readonly root: number;
  /** Undefined: none is stored. */
  readonly freelist: number | undefined;
  /** Pages of the file; those from here on are not its. */
  readonly pageCount: number;
  readonly txid: number;
}

/** Reads the meta at the start of `fields` (behind its page's header). A string says why it does not count. */
export function readMeta(fields: Fields): Meta | string {
  const magic = fields.u32(0);
  if (magic !== MAGIC) return `its magic number is 0x${magic.toString(16)}, not 0x${MAGIC.toString(16)}`;
  const version = fields.u32(4);
  if (version !== VERSION) return `its version is ${version}, not ${VERSION}`;
  if (fields.big(META_BYTES - 8) !== metaChecksum(fields)) return "its checksum does not match";
  const pageBytes = fields.u32(8);
  if (!isPageSize(pageBytes)) return `its page size is ${pageBytes}`;
  return {
    pageBytes,
    root: fields.u64(16),
    freelist: fields.isNone(32) ? undefined : fields.u64(32),
    pageCount: fields.u64(40),
    txid: fields.u64(48),
  };
}

export function writeMeta(fields: Fields, meta: Meta): void {
  fields.setU32(0, MAGIC);
  fields.setU32(4, VERSION);
  fields.setU32(8, meta.pageBytes);
  fields.setU32(12, 0);
  fields.setU64(16, meta.root);
  fields.setU64(24, 0);
  if (meta.freelist === undefined) fields.setNone(32);
  else fields.setU64(32, meta.freelist);
  fields.setU64(40, meta.pageCount);
  fields.setU64(48, meta.txid);
  fields.setBig(META_BYTES - 8, metaChecksum(fields));
}

export function isPageSize(bytes: number): boolean {
  return bytes >= SMALLEST_PAGE_BYTES && bytes <= LARGEST_PAGE_BYTES && Number.isInteger(Math.log2(bytes));
}

/** FNV-1a, 64 bits, of what stands before the checksum. */
function metaChecksum(fields: Fields): bigint {
  let hash = 0xcbf29ce484222325n;
  for (let at = 0; at < META_BYTES - 8; at++) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(fields.bytes[at] as number)) * 0x100000001b3n);
  }
  return hash;
}
