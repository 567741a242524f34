/** CRC-32C (Castagnoli), the checksum of etcd's WAL records, its HashKV and our stored records. Eight bytes a step. */

const POLYNOMIAL = 0x82f63b78; // reflected

const tables: Uint32Array[] = buildTables();

function buildTables(): Uint32Array[] {
  const built = Array.from({ length: 8 }, () => new Uint32Array(256));
  const first = built[0] as Uint32Array;
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    first[byte] = value >>> 0;
  }
  for (let table = 1; table < 8; table++) {
    const before = built[table - 1] as Uint32Array;
    for (let byte = 0; byte < 256; byte++) {
      const value = before[byte] as number;
      (built[table] as Uint32Array)[byte] = ((first[value & 0xff] as number) ^ (value >>> 8)) >>> 0;
    }
  }
  return built;
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

/**
 * The checksum of `bytes` continued from `crc` (0 at the start), as Go's `crc32.Update(crc, Castagnoli, bytes)`:
 * `crc32c(b, crc32c(a))` equals the checksum of a followed by b.
 */
export function crc32c(bytes: Uint8Array, crc = 0, from = 0, to: number = bytes.length): number {
  let state = ~crc;
  let at = from;
  for (const end = to - 7; at < end; at += 8) {
    const low =
      state ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    state =
      (t7[low & 0xff] as number) ^
      (t6[(low >>> 8) & 0xff] as number) ^
      (t5[(low >>> 16) & 0xff] as number) ^
      (t4[low >>> 24] as number) ^
      (t3[bytes[at + 4] as number] as number) ^
      (t2[bytes[at + 5] as number] as number) ^
      (t1[bytes[at + 6] as number] as number) ^
      (t0[bytes[at + 7] as number] as number);
  }
  for (; at < to; at++) state = (t0[(state ^ (bytes[at] as number)) & 0xff] as number) ^ (state >>> 8);
  return ~state >>> 0;
}
