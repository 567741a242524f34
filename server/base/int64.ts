/**
 * 64-bit values at the edges. Revisions, terms, indexes, counts and sizes are `number` (exact below 2^53, and none of
 * them gets there); ids of members, clusters and leases are `bigint` (random 63 or 64 bits, compared, never added to).
 */

const TWO_32 = 0x1_0000_0000;

/** Writes `value` (an exact integer >= 0) as 8 bytes, big-endian, at `at`. */
export function writeUint64(target: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  const low = value >>> 0;
  target[at] = high >>> 24;
  target[at + 1] = high >>> 16;
  target[at + 2] = high >>> 8;
  target[at + 3] = high;
  target[at + 4] = low >>> 24;
  target[at + 5] = low >>> 16;
  target[at + 6] = low >>> 8;
  target[at + 7] = low;
}

/** Reads 8 big-endian bytes at `at`; a value above 2^53-1 loses its last bits, so only for fields that stay below. */
export function readUint64(source: Uint8Array, at: number): number {
  const high =
    (((source[at] as number) << 24) |
      ((source[at + 1] as number) << 16) |
      ((source[at + 2] as number) << 8) |
      (source[at + 3] as number)) >>>
    0;
  const low =
    (((source[at + 4] as number) << 24) |
      ((source[at + 5] as number) << 16) |
      ((source[at + 6] as number) << 8) |
      (source[at + 7] as number)) >>>
    0;
  return high * TWO_32 + low;
}

/** 8 big-endian bytes of a 64-bit id (two's complement for a negative one). */
export function idBytes(id: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, id));
  return bytes;
}

/** The signed 64-bit id in 8 big-endian bytes at `at`: lease ids are int64. */
export function readSignedId(source: Uint8Array, at = 0): bigint {
  return new DataView(source.buffer, source.byteOffset, source.byteLength).getBigInt64(at);
}

/** The unsigned 64-bit id in 8 big-endian bytes at `at`: member and cluster ids are uint64. */
export function readUnsignedId(source: Uint8Array, at = 0): bigint {
  return new DataView(source.buffer, source.byteOffset, source.byteLength).getBigUint64(at);
}

/** A member or cluster id as etcd prints it: lower-case hex, no padding. */
export function memberIdText(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16);
}

/** A lease id as etcdctl prints it: lower-case hex, 16 digits. */
export function leaseIdText(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16).padStart(16, "0");
}
