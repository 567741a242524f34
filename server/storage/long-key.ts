/**
 * LMDB's keys end at 1978 bytes; names of users and roles come from clients and may be longer. A long key is stored
 * under its first 1024 bytes and a digest of the whole, with the whole in front of the value. Records that share those
 * 1024 bytes lie beside each other, though in the order of their digests: the reader sorts such a group.
 *
 *   stored key    first 1024 bytes | first 16 bytes of SHA-256(key)        always 1040 bytes, no short key has as many
 *   stored value  key length (4 bytes, big-endian) | key | value
 */
import { concatBytes } from "../base/bytes.ts";
import { sha256 } from "../base/digest.ts";

const KEPT_BYTES = 1024;
const DIGEST_BYTES = 16;
const LENGTH_BYTES = 4;

/** What every long key is stored under. */
export const STORED_LONG_KEY_BYTES = KEPT_BYTES + DIGEST_BYTES;

/** Keys of this length and above are long. */
export const LONG_KEY_BYTES = KEPT_BYTES;

export function isLongKey(key: Uint8Array): boolean {
  return key.length >= LONG_KEY_BYTES;
}

/** Whether a key found in LMDB stands for a long one. */
export function isStoredLongKey(stored: Uint8Array): boolean {
  return stored.length === STORED_LONG_KEY_BYTES;
}

/** The key under which a long key is stored. */
export function storedLongKey(key: Uint8Array): Uint8Array {
  return concatBytes([key.subarray(0, KEPT_BYTES), sha256(key).subarray(0, DIGEST_BYTES)]);
}

/** The value that is stored for a long key. */
export function storedLongValue(key: Uint8Array, value: Uint8Array): Uint8Array {
  const length = Uint8Array.of(key.length >>> 24, key.length >>> 16, key.length >>> 8, key.length);
  return concatBytes([length, key, value]);
}

/** What all the stored keys that share their first bytes with `key` are not below. */
export function storedLongStart(key: Uint8Array): Uint8Array {
  return key.subarray(0, KEPT_BYTES);
}

/** Whether two long keys lie in one group. */
export function sameGroup(left: Uint8Array, right: Uint8Array): boolean {
  for (let at = 0; at < KEPT_BYTES; at++) if (left[at] !== right[at]) return false;
  return true;
}

/** Takes a stored value apart. The bytes are views of it. */
export function readLongValue(stored: Uint8Array): { readonly key: Uint8Array; readonly value: Uint8Array } {
  const length = new DataView(stored.buffer, stored.byteOffset, stored.byteLength).getUint32(0);
  return {
    key: stored.subarray(LENGTH_BYTES, LENGTH_BYTES + length),
    value: stored.subarray(LENGTH_BYTES + length),
  };
}
