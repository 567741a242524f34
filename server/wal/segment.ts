/**
 * One file of the log: its name, and reading it front to back.
 *
 *   | crc | metadata | snapshot {0,0} or hard state | records ...                        | zeros ... |
 *   0                                                                                   end
 *
 * What may stand at the end of the *last* file after a crash, and is therefore no reason to refuse it:
 *   - zeros: space made ready for what comes;
 *   - a torn record: of one written and not synced some 512-byte sectors are still zero, or the file ends within it;
 *   - a hole: the sector with the next length field is still zero and later sectors of the same write are not.
 * Everything else is damage. Etcd looks for a zero sector in any record of the last file; here the record's inner length
 * must agree with its frame first, so that a damaged length field does not pass for a torn write.
 */
import { equalBytes } from "../base/bytes.ts";
import { crc32c } from "../base/crc32c.ts";
import type { DiskFile } from "../ports/disk.ts";
import { RecordType } from "../proto/walpb.ts";
import { CorruptLog } from "./corrupt-log.ts";
import { FRAME_BYTES, HEADER_BYTES_MAX, type RecordHeader, readFrame, readHeader } from "./record.ts";

/** The smallest unit that a disk writes whole. */
export const SECTOR_BYTES = 512;

/** Bytes read at a time. */
const PIECE_BYTES = 1024 * 1024;

const ZEROS = new Uint8Array(PIECE_BYTES);

export interface SegmentName {
  readonly name: string;
  readonly sequence: number;
  /** The index after the last entry saved before this file began. */
  readonly firstIndex: number;
}

export function segmentName(sequence: number, firstIndex: number): SegmentName {
  return { name: `${hex16(sequence)}-${hex16(firstIndex)}.wal`, sequence, firstIndex };
}

/** The segment that a file of this name is; undefined when it is none. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const match = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/.exec(name);
  if (match === null) return undefined;
  const sequence = Number.parseInt(match[1] as string, 16);
  const firstIndex = Number.parseInt(match[2] as string, 16);
  return Number.isSafeInteger(sequence) && Number.isSafeInteger(firstIndex)
    ? { name, sequence, firstIndex }
    : undefined;
}

function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}

/** A record as the reader hands it on; `data` is a view that stays good. */
export interface LogRecord {
  /** A `RecordType`. */
  readonly type: number;
  readonly data: Uint8Array | undefined;
  /** Where it begins in its file. */
  readonly offset: number;
}

/** How a file ends. */
export interface SegmentEnd {
  /** Where the next record belongs. */
  readonly end: number;
  /** The rolling checksum there. */
  readonly crc: number;
  /** What an unfinished write left behind `end`; undefined when only zeros, or nothing, follow. */
  readonly remains: Remains | undefined;
}

export interface Remains {
  readonly torn: boolean;
  /** From here on further records of the same write may stand. */
  readonly resumeAt: number;
  /** Behind this all is zero. */
  readonly dirtyTo: number;
}

/** Reads a file; `crc`: the checksum at the end of the file before it, undefined for the first one read. */
export function readSegment(
  file: DiskFile,
  options: { readonly last: boolean; readonly crc: number | undefined },
  visit: (record: LogRecord) => void,
): SegmentEnd {
  return new SegmentReader(file, options.last, options.crc).read(visit);
}

class SegmentReader {
  readonly #file: DiskFile;
  readonly #size: number;
  readonly #last: boolean;
  #crc: number | undefined;
  #at = 0;
  #records = 0;
  #piece: Uint8Array = ZEROS.subarray(0, 0);
  #pieceFrom = 0;

  constructor(file: DiskFile, last: boolean, crc: number | undefined) {
    this.#file = file;
    this.#size = file.sizeBytes();
    this.#last = last;
    this.#crc = crc;
  }

  read(visit: (record: LogRecord) => void): SegmentEnd {
    while (this.#at < this.#size) {
      const field = this.#view(this.#at, FRAME_BYTES);
      const frame = field.length < FRAME_BYTES ? "short" : readFrame(field, 0);
      if (frame === "short") return this.#endOfShortField(field);
      if (frame === "zero") return this.#endOfZeroField();
      if (frame === "damaged") throw this.#corrupt("the length field of a record is damaged");
      const dataAt = this.#at + FRAME_BYTES;
      const whole = frame.recordBytes + frame.paddingBytes;
      const bytes = this.#view(dataAt, Math.min(whole, this.#size - dataAt));
      const header = readHeader(bytes, 0, frame.recordBytes);
      if (header === undefined) {
        if (!hasZeroSector(bytes, dataAt, HEADER_BYTES_MAX)) throw this.#corrupt("what stands here is not a record");
        return this.#torn(dataAt + whole, "what stands here is not a record");
      }
      if (header === "cut" || bytes.length < whole) return this.#torn(this.#size, "the file ends within a record");
      if (!this.#matches(header, bytes)) {
        const problem = `the checksum of a record does not match`;
        if (!hasZeroSector(bytes, dataAt, bytes.length)) throw this.#corrupt(problem);
        return this.#torn(dataAt + whole, problem);
      }
      if (!isZero(bytes.subarray(frame.recordBytes))) throw this.#corrupt("the padding of a record is not zero");
      const data = header.dataFrom === undefined ? undefined : bytes.subarray(header.dataFrom, header.dataTo);
      this.#checkPlace(header.type, data);
      visit({ type: header.type, data, offset: this.#at });
      this.#records++;
      this.#at = dataAt + whole;
    }
    return this.#endAt(undefined);
  }

  /** Whether the record carries on the checksum; a crc record states it and may begin it in the first file read. */
  #matches(header: RecordHeader, bytes: Uint8Array): boolean {
    if (header.type === RecordType.CRC) {
      const expected = this.#crc ?? header.crc;
      this.#crc = expected;
      return header.crc === expected;
    }
    if (this.#crc === undefined) return false;
    const crc = header.dataFrom === undefined ? this.#crc : crc32c(bytes, this.#crc, header.dataFrom, header.dataTo);
    if (crc !== header.crc) return false;
    this.#crc = crc;
    return true;
  }

  /** A file begins with the checksum so far and the metadata; a crc record has no data, all others have. */
  #checkPlace(type: number, data: Uint8Array | undefined): void {
    const expected = this.#records === 0 ? RecordType.CRC : this.#records === 1 ? RecordType.METADATA : undefined;
    if (expected !== undefined && type !== expected)
      throw this.#corrupt(`record ${this.#records + 1} of a file must be of type ${expected}, not ${type}`);
    if ((data === undefined) !== (type === RecordType.CRC))
      throw this.#corrupt(`a record of type ${type} ${data === undefined ? "lacks its" : "has"} data`);
  }

  #endOfShortField(field: Uint8Array): SegmentEnd {
    return isZero(field) ? this.#endAt(undefined) : this.#torn(this.#size, "the file ends within a length field");
  }

  /** A zero length field: the end, if the rest of its sector was not written either. */
  #endOfZeroField(): SegmentEnd {
    const sectorEnd = Math.min(this.#size, (Math.floor(this.#at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    if (!isZero(this.#view(this.#at, sectorEnd - this.#at)))
      throw this.#corrupt("the length field of a record is zero, but data follows it in its sector");
    const dirtyTo = this.#dirtyTo(sectorEnd);
    if (dirtyTo === sectorEnd) return this.#endAt(undefined);
    if (!this.#last) throw this.#corrupt("zeros stand where a record should, with data behind them");
    return this.#endAt({ torn: false, resumeAt: this.#at, dirtyTo });
  }

  #torn(resumeAt: number, problem: string): SegmentEnd {
    if (!this.#last) throw this.#corrupt(`${problem}, and this is not the last file of the log`);
    const from = Math.min(resumeAt, this.#size);
    return this.#endAt({ torn: true, resumeAt: from, dirtyTo: this.#dirtyTo(from) });
  }

  /** A file gets its name only once its first two records are synced: without them it is damaged, not unfinished. */
  #endAt(remains: Remains | undefined): SegmentEnd {
    if (this.#records < 2 || this.#crc === undefined)
      throw this.#corrupt("the file does not begin with a checksum and the metadata of the log");
    return { end: this.#at, crc: this.#crc, remains };
  }

  /** The end of the last non-zero byte behind `from`; `from` when there is none. */
  #dirtyTo(from: number): number {
    let dirtyTo = from;
    for (let at = from; at < this.#size; at += PIECE_BYTES) {
      const piece = this.#file.read(at, Math.min(PIECE_BYTES, this.#size - at));
      if (isZero(piece)) continue;
      let end = piece.length;
      while (piece[end - 1] === 0) end--;
      dirtyTo = at + end;
    }
    return dirtyTo;
  }

  /** Up to `length` bytes at `from`; fewer only at the end of the file. Pieces are never reused, so views stay good. */
  #view(from: number, length: number): Uint8Array {
    const offset = from - this.#pieceFrom;
    if (offset >= 0 && offset + length <= this.#piece.length) return this.#piece.subarray(offset, offset + length);
    this.#piece = this.#file.read(from, Math.min(this.#size - from, Math.max(length, PIECE_BYTES)));
    this.#pieceFrom = from;
    return this.#piece.subarray(0, length);
  }

  #corrupt(problem: string): CorruptLog {
    return new CorruptLog(this.#file.path, this.#at, problem);
  }
}

/** Whether all of `bytes` are zero. */
export function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const part = bytes.subarray(at, at + PIECE_BYTES);
    if (!equalBytes(part, ZEROS.subarray(0, part.length))) return false;
  }
  return true;
}

/** Whether the part of a sector that `bytes` fill is all zero, for a sector that begins before `limit` of them. */
function hasZeroSector(bytes: Uint8Array, fileOffset: number, limit: number): boolean {
  let at = 0;
  while (at < Math.min(limit, bytes.length)) {
    const next = Math.min(bytes.length, at + SECTOR_BYTES - ((fileOffset + at) % SECTOR_BYTES));
    if (isZero(bytes.subarray(at, next))) return true;
    at = next;
  }
  return false;
}
