/**
 * One record of the log, in etcd's bytes: an 8-byte little-endian length field, the record {1 type, 2 crc, 3 data},
 * and zeros up to a multiple of 8, so that a length field never lies across two sectors.
 *
 *   | length 56 bits | 0x80 + padding, or 0 | 08 type | 10 crc | 1a length data | 0..7 zeros |
 *
 * The crc is CRC-32C over the data of every record so far, carried from file to file. It covers neither the type nor
 * the frame; so the reader takes only the exact form that etcd writes, and a flipped bit there is seen as well.
 */

/** Bytes of the length field. */
export const FRAME_BYTES = 8;

/** The most that a record's type, crc and data length take; its data starts within them. */
export const HEADER_BYTES_MAX = 2 + 6 + 11;

/** What a length field says. */
export interface Frame {
  /** Bytes of the record, without padding. */
  readonly recordBytes: number;
  /** 0 to 7. */
  readonly paddingBytes: number;
}

/** A record inside `bytes`: its data is `bytes[dataFrom..dataTo]`; undefined `dataFrom` when it has none. */
export interface RecordHeader {
  /** A `RecordType`. */
  readonly type: number;
  readonly crc: number;
  readonly dataFrom: number | undefined;
  readonly dataTo: number;
}

/** Writes the length field of a record of `recordBytes`; returns how many bytes of padding belong after it. */
export function putFrame(target: Uint8Array, at: number, recordBytes: number): number {
  const padding = -recordBytes & 7;
  const high = Math.floor(recordBytes / 0x1_0000_0000);
  target[at] = recordBytes;
  target[at + 1] = recordBytes >>> 8;
  target[at + 2] = recordBytes >>> 16;
  target[at + 3] = recordBytes >>> 24;
  target[at + 4] = high;
  target[at + 5] = high >>> 8;
  target[at + 6] = high >>> 16;
  target[at + 7] = padding === 0 ? 0 : 0x80 | padding;
  return padding;
}

/**
 * The length field at `at`: "zero" where nothing was written yet, "damaged" when no writer makes such a field: one byte
 * of it cannot be torn off, as it never lies across sectors.
 */
export function readFrame(bytes: Uint8Array, at: number): Frame | "zero" | "damaged" {
  const low =
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24);
  const high = (bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8) | ((bytes[at + 6] as number) << 16);
  const top = bytes[at + 7] as number;
  if (low === 0 && high === 0 && top === 0) return "zero";
  const recordBytes = high * 0x1_0000_0000 + (low >>> 0);
  const padding = -recordBytes & 7;
  const wanted = padding === 0 ? 0 : 0x80 | padding;
  return top === wanted && recordBytes > 0 && high < 0x20_0000 ? { recordBytes, paddingBytes: padding } : "damaged";
}

/**
 * The record in `bytes[from..to]`: "cut" when `bytes` ends before its data begins, undefined when it is not in the form
 * that etcd writes. Its data may end behind the end of `bytes`; `to` is where the frame says that it ends.
 */
export function readHeader(bytes: Uint8Array, from: number, to: number): RecordHeader | "cut" | undefined {
  const end = Math.min(to, bytes.length);
  let at = from;
  if (at + 2 > end) return cutOrWrong(bytes, to);
  const type = bytes[at + 1] as number;
  if (bytes[at] !== 0x08 || type < 1 || type > 5) return undefined;
  at += 2;
  if (at + 1 > end) return cutOrWrong(bytes, to);
  if (bytes[at++] !== 0x10) return undefined;
  const crc = readVarint(bytes, at, end);
  if (crc === undefined) return end - at < 10 ? cutOrWrong(bytes, to) : undefined;
  if (crc > 0xffff_ffff) return undefined;
  at += varintBytes(crc);
  if (at === to) return { type, crc, dataFrom: undefined, dataTo: to };
  if (at + 1 > end) return cutOrWrong(bytes, to);
  if (bytes[at++] !== 0x1a) return undefined;
  const length = readVarint(bytes, at, end);
  if (length === undefined) return end - at < 10 ? cutOrWrong(bytes, to) : undefined;
  at += varintBytes(length);
  return at + length === to ? { type, crc, dataFrom: at, dataTo: to } : undefined;
}

function cutOrWrong(bytes: Uint8Array, to: number): "cut" | undefined {
  return bytes.length < to ? "cut" : undefined;
}

/** Writes `value` (an exact integer >= 0) as a varint; returns where it ends. */
export function putVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 0x80) {
    target[next++] = (rest & 0x7f) | 0x80;
    rest = rest > 0x7fff_ffff ? Math.floor(rest / 128) : rest >>> 7;
  }
  target[next++] = rest;
  return next;
}

/** Bytes that `putVarint` needs for `value`. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/**
 * The varint at `at`, which must be in its shortest form, end before `end` and be below 2^53; undefined when it is not:
 * no term, index or length in a log is larger.
 */
export function readVarint(bytes: Uint8Array, at: number, end: number): number | undefined {
  let value = 0;
  let scale = 1;
  for (let next = at; next < end; next++) {
    const byte = bytes[next] as number;
    value += (byte & 0x7f) * scale;
    if (value > Number.MAX_SAFE_INTEGER) return undefined;
    if (byte < 0x80) return byte === 0 && next > at ? undefined : value;
    scale *= 128;
  }
  return undefined;
}
