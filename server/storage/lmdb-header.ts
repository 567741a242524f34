/**
 * A look at the head of a file before LMDB opens it: lmdb-js 3.5.6 does not survive an open that LMDB refuses, it ends
 * the process with a segmentation fault. Here people get a sentence.
 *
 * The first two pages are metas, little-endian: page number (8), transaction (8), padding (2), flags (2), free space (4),
 * then magic (4), data version (4), map address (8), map size (8), page size (4).
 */
import { accessSync, closeSync, constants, existsSync, fstatSync, openSync, readSync } from "node:fs";

const HEADER_BYTES = 52;
const FLAGS_AT = 18;
const META_FLAG = 0x08;
const MAGIC_AT = 24;
const MAGIC = 0xbeefc0de;
const VERSION_AT = 28;
const VERSION = 2;
const PAGE_SIZE_AT = 48;
const MAX_PAGE_BYTES = 65536;

/** Throws an error that says what is wrong with the file. One that is not there, or is empty, will become a new one. */
export function checkLmdbHeader(path: string): void {
  if (!existsSync(path)) return;
  accessSync(path, constants.R_OK | constants.W_OK);
  const descriptor = openSync(path, "r");
  try {
    const { size } = fstatSync(descriptor);
    if (size === 0) return;
    const pageBytes = checkMeta(readAt(descriptor, 0));
    if (size < 2 * pageBytes) throw new Error(`it ends after ${size} bytes, within its own header`);
    checkMeta(readAt(descriptor, pageBytes));
  } finally {
    closeSync(descriptor);
  }
}

function readAt(descriptor: number, position: number): DataView {
  const bytes = new Uint8Array(HEADER_BYTES);
  readSync(descriptor, bytes, 0, HEADER_BYTES, position);
  return new DataView(bytes.buffer);
}

/** Answers the page size. */
function checkMeta(head: DataView): number {
  if (head.getUint32(MAGIC_AT, true) !== MAGIC || (head.getUint16(FLAGS_AT, true) & META_FLAG) === 0) {
    throw new Error("it is not an LMDB file, or its header is damaged");
  }
  const version = head.getUint32(VERSION_AT, true);
  if (version !== VERSION) throw new Error(`it is an LMDB file of data version ${version}; this reads ${VERSION}`);
  const pageBytes = head.getUint32(PAGE_SIZE_AT, true);
  if (pageBytes < HEADER_BYTES || pageBytes > MAX_PAGE_BYTES || (pageBytes & (pageBytes - 1)) !== 0) {
    throw new Error(`its header is damaged: a page of ${pageBytes} bytes cannot be`);
  }
  return pageBytes;
}
