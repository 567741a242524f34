/**
 * A revision: `main` counts the changes of the store, `sub` the keys changed in one of them, from 0. As a key of the
 * bucket it is what etcd writes: main (8 bytes, big-endian), "_", sub (8 bytes), and "t" when it deletes its key. The
 * order of these bytes is the order in time.
 */
import { assert } from "../base/assert.ts";
import { readUint64, writeUint64 } from "../base/int64.ts";

export interface Revision {
  readonly main: number;
  readonly sub: number;
}

const PLAIN_BYTES = 17;
const TOMBSTONE_BYTES = 18;
const SEPARATOR_AT = 8;
const SEPARATOR = 0x5f;
const SUB_AT = 9;
const TOMBSTONE = 0x74;

/** Negative, zero or positive. */
export function compareRevisions(left: Revision, right: Revision): number {
  return left.main - right.main || left.sub - right.sub;
}

/** The bucket's key for a version of a key; with `tombstone` for its deletion. */
export function revisionKey(main: number, sub: number, tombstone = false): Uint8Array {
  const key = new Uint8Array(tombstone ? TOMBSTONE_BYTES : PLAIN_BYTES);
  writeUint64(key, 0, main);
  key[SEPARATOR_AT] = SEPARATOR;
  writeUint64(key, SUB_AT, sub);
  if (tombstone) key[PLAIN_BYTES] = TOMBSTONE;
  return key;
}

export function isRevisionKey(key: Uint8Array): boolean {
  const marked = key.length === TOMBSTONE_BYTES && key[PLAIN_BYTES] === TOMBSTONE;
  return (key.length === PLAIN_BYTES || marked) && key[SEPARATOR_AT] === SEPARATOR;
}

export function readRevision(key: Uint8Array): Revision {
  return { main: mainOf(key), sub: subOf(key) };
}

export function mainOf(key: Uint8Array): number {
  if (!isRevisionKey(key)) assert(false, `${key.length} bytes of the key bucket are a revision`);
  return readUint64(key, 0);
}

export function subOf(key: Uint8Array): number {
  return readUint64(key, SUB_AT);
}

export function isTombstone(key: Uint8Array): boolean {
  return key.length === TOMBSTONE_BYTES;
}
