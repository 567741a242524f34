/**
 * A record as it lies in LMDB: four bytes of CRC-32C over bucket name, key and value (big-endian), then the value.
 * LMDB keeps no checksums of its own; this is what stops a flipped bit from ever being served. The name and the key are
 * in it so that a page that landed in the wrong place is noticed too.
 */
import { printableBytes, utf8Bytes } from "../base/bytes.ts";
import { crc32c } from "../base/crc32c.ts";
import { CorruptRecord } from "../ports/backend.ts";

export const CHECKSUM_BYTES = 4;

/** What the checksum of every record of a bucket starts from. */
export function bucketSeed(bucket: string): number {
  return crc32c(utf8Bytes(bucket));
}

/** Writes checksum and value to `target` from `start` on, where there is room for both. */
export function sealRecord(target: Uint8Array, start: number, seed: number, key: Uint8Array, value: Uint8Array): void {
  const checksum = crc32c(value, crc32c(key, seed));
  target[start] = checksum >>> 24;
  target[start + 1] = checksum >>> 16;
  target[start + 2] = checksum >>> 8;
  target[start + 3] = checksum;
  target.set(value, start + CHECKSUM_BYTES);
}

/** Throws `CorruptRecord` unless the first `length` bytes of `record` are what was sealed for that key. */
export function checkRecord(
  bucket: string,
  seed: number,
  key: Uint8Array,
  record: Uint8Array,
  length: number = record.length,
): void {
  if (length < CHECKSUM_BYTES) throw corrupt(bucket, key, `it has ${length} bytes, too few for a checksum`);
  const stored =
    (((record[0] as number) << 24) |
      ((record[1] as number) << 16) |
      ((record[2] as number) << 8) |
      (record[3] as number)) >>>
    0;
  const computed = crc32c(record, crc32c(key, seed), CHECKSUM_BYTES, length);
  if (stored !== computed) throw corrupt(bucket, key, "its bytes do not match their checksum");
}

/** The error for a record that may not be served. */
export function corrupt(bucket: string, key: Uint8Array, what: string): CorruptRecord {
  return new CorruptRecord(`the record "${printableBytes(key)}" in bucket "${bucket}" is damaged on disk: ${what}`);
}
