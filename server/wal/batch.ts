/**
 * The records of one save, encoded one after another into memory that is kept from batch to batch, so that a save is
 * one write and makes no garbage. Written as etcd 3.7 writes them: the type of a normal entry is left out (3.6 writes
 * its zero; both read both), all fields of a hard state are there.
 */
import { crc32c } from "../base/crc32c.ts";
import { type Entry, EntryType, type HardState } from "../proto/raftpb.ts";
import { RecordType, Snapshot } from "../proto/walpb.ts";
import { FRAME_BYTES, HEADER_BYTES_MAX, putFrame, putVarint } from "./record.ts";

const INITIAL_BYTES = 64 * 1024;
/** A batch that needed more gives its memory back. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;
/** An entry's fields before its data, at most: type, term, index, length. */
const ENTRY_HEAD_BYTES_MAX = 2 + 9 + 9 + 9;

export class Batch {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #length = 0;
  #crc = 0;
  /** The fields of the payload being written, before an entry's data. */
  readonly #head = new Uint8Array(64);
  /** The last vote as a varint: it hardly ever changes, and bigints are slow. */
  #vote = 0n;
  #voteBytes: Uint8Array = Uint8Array.of(0);

  /** Empty, its checksum going on from `crc`. */
  begin(crc: number): void {
    if (this.#bytes.length > KEPT_BYTES_MAX) this.#bytes = new Uint8Array(INITIAL_BYTES);
    this.#length = 0;
    this.#crc = crc;
  }

  /** The rolling checksum after the last record. */
  get crc(): number {
    return this.#crc;
  }

  get length(): number {
    return this.#length;
  }

  /** What was encoded since `begin`; good until the next `begin`. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** The checksum so far, as a file begins. Has no data and so leaves the checksum as it is. */
  addCrc(): void {
    this.#reserve(0);
    const start = this.#length;
    this.#endRecord(start, this.#putHeader(start, RecordType.CRC, undefined));
  }

  addMetadata(metadata: Uint8Array): void {
    this.#add(RecordType.METADATA, metadata, metadata.length);
  }

  addState(state: HardState): void {
    if (state.vote !== this.#vote) {
      this.#vote = state.vote;
      this.#voteBytes = uint64Varint(state.vote);
    }
    const head = this.#head;
    head[0] = 0x08;
    let at = putVarint(head, 1, state.term);
    head[at++] = 0x10;
    head.set(this.#voteBytes, at);
    at += this.#voteBytes.length;
    head[at++] = 0x18;
    at = putVarint(head, at, state.commit);
    this.#add(RecordType.STATE, head, at);
  }

  addSnapshot(snapshot: Snapshot): void {
    const bytes = Snapshot.encode(snapshot);
    this.#add(RecordType.SNAPSHOT, bytes, bytes.length);
  }

  addEntry(entry: Entry): void {
    const { data } = entry;
    const head = this.#head;
    let headBytes = 0;
    if (entry.type !== EntryType.NORMAL) {
      head[headBytes++] = 0x08;
      head[headBytes++] = entry.type;
    }
    head[headBytes++] = 0x10;
    headBytes = putVarint(head, headBytes, entry.term);
    head[headBytes++] = 0x18;
    headBytes = putVarint(head, headBytes, entry.index);
    if (data.length > 0) {
      head[headBytes++] = 0x22;
      headBytes = putVarint(head, headBytes, data.length);
    }
    this.#reserve(ENTRY_HEAD_BYTES_MAX + data.length);
    this.#crc = crc32c(data, crc32c(head, this.#crc, 0, headBytes));
    const start = this.#length;
    const dataAt = this.#putHeader(start, RecordType.ENTRY, headBytes + data.length);
    const bytes = this.#bytes;
    for (let at = 0; at < headBytes; at++) bytes[dataAt + at] = head[at] as number;
    bytes.set(data, dataAt + headBytes);
    this.#endRecord(start, dataAt + headBytes + data.length);
  }

  /** A record whose data is the first `length` bytes of `data`. */
  #add(type: number, data: Uint8Array, length: number): void {
    this.#reserve(length);
    this.#crc = crc32c(data, this.#crc, 0, length);
    const start = this.#length;
    const dataAt = this.#putHeader(start, type, length);
    this.#bytes.set(data.subarray(0, length), dataAt);
    this.#endRecord(start, dataAt + length);
  }

  /** Type, checksum and data length; returns where the data begins. */
  #putHeader(start: number, type: number, dataBytes: number | undefined): number {
    const bytes = this.#bytes;
    let at = start + FRAME_BYTES;
    bytes[at++] = 0x08;
    bytes[at++] = type;
    bytes[at++] = 0x10;
    at = putVarint(bytes, at, this.#crc);
    if (dataBytes === undefined) return at;
    bytes[at++] = 0x1a;
    return putVarint(bytes, at, dataBytes);
  }

  #endRecord(start: number, end: number): void {
    const padding = putFrame(this.#bytes, start, end - start - FRAME_BYTES);
    this.#bytes.fill(0, end, end + padding);
    this.#length = end + padding;
  }

  #reserve(payloadBytes: number): void {
    const needed = this.#length + FRAME_BYTES + HEADER_BYTES_MAX + payloadBytes + 7;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

function uint64Varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
