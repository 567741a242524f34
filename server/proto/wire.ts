/**
 * Protobuf's wire format: varints, tags, length-delimited fields. A `Reader` walks bytes that a stranger sent and throws
 * `EtcdError("MalformedRequest")` for everything that is not well formed; a `Writer` grows as it is written to.
 *
 * 64-bit values come in two kinds. As `number` they are exact up to 2^53-1 and saturate there when read: such a value can
 * only mean "the future" or "too large", and each has its own answer. As `bigint` (ids) they are exact.
 */
import { assert } from "../base/assert.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";

export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH = 2;
export const START_GROUP = 3;
export const END_GROUP = 4;
export const FIXED32 = 5;

/**
 * How deep messages and unknown groups may lie in each other. A transaction may nest 128 levels (`--max-txn-ops`), each of
 * them two messages; etcd takes 10000, which this reader's stack would not bear.
 */
export const MAX_DEPTH = 1000;

const TWO_32 = 0x1_0000_0000;
const MAX_HIGH = 0x1f_ffff; // the upper half of 2^53-1
const MAX_FIELD = 0x1fff_ffff;

/** A 64-bit value passing between its two halves and a bigint. */
const word = new DataView(new ArrayBuffer(8));
/** Up to this many bytes plain ASCII is put together faster than TextDecoder begins. */
const SHORT_STRING = 48;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const toUtf8 = new TextEncoder();

/** The error for bytes that are no message: `what` says where they stop making sense. */
export function malformed(what: string): EtcdError {
  return new EtcdError("MalformedRequest", `malformed protobuf: ${what}`);
}

/**
 * A place in encoded bytes, and the end of the message that it is in. Reading past the end, whatever the bytes say, is
 * refused; nothing else is thrown.
 */
export class Reader {
  readonly bytes: Uint8Array;
  /** Where the next read begins. */
  at = 0;
  /** Where the message being read ends. */
  end = 0;
  #depth = 0;
  // The upper half of the varint read last; its lower half is what #halves returns.
  #high = 0;

  /** The message are the bytes from `from` up to `to`. */
  constructor(bytes: Uint8Array, from = 0, to: number = bytes.length) {
    this.bytes = bytes;
    this.at = from;
    this.end = to;
  }

  /** Field number and wire type together, as on the wire: `number << 3 | type`. */
  tag(): number {
    const at = this.at;
    if (at < this.end) {
      const first = this.bytes[at] as number;
      if (first < 0x80 && first > 7) {
        this.at = at + 1;
        return first;
      }
    }
    return this.#longTag();
  }

  #longTag(): number {
    const low = this.#halves();
    if (this.#high !== 0 || low >>> 3 === 0) throw malformed(`field number out of 1..${MAX_FIELD}`);
    return low;
  }

  /** A varint as a signed 64-bit number, saturating at +-(2^53-1). */
  int64(): number {
    const at = this.at;
    if (at < this.end) {
      const first = this.bytes[at] as number;
      if (first < 0x80) {
        this.at = at + 1;
        return first;
      }
    }
    const low = this.#halves();
    const high = this.#high | 0;
    if (high > MAX_HIGH) return Number.MAX_SAFE_INTEGER;
    if (high < -MAX_HIGH - 1 || (high === -MAX_HIGH - 1 && low === 0)) return Number.MIN_SAFE_INTEGER;
    return high * TWO_32 + low;
  }

  /** A varint as an unsigned 64-bit number, saturating at 2^53-1. */
  uint64(): number {
    const at = this.at;
    if (at < this.end) {
      const first = this.bytes[at] as number;
      if (first < 0x80) {
        this.at = at + 1;
        return first;
      }
    }
    const low = this.#halves();
    return this.#high > MAX_HIGH ? Number.MAX_SAFE_INTEGER : this.#high * TWO_32 + low;
  }

  /** A varint as uint32: what lies above 32 bits is cut off, as every protobuf does. */
  uint32(): number {
    return this.#halves();
  }

  /** A varint as an enum's value (int32), unknown ones included. */
  enumeration(): number {
    return this.#halves() | 0;
  }

  bool(): boolean {
    return this.#halves() !== 0 || this.#high !== 0;
  }

  /** A varint as an exact int64: lease ids. */
  int64Id(): bigint {
    const low = this.#halves();
    if (low === 0 && this.#high === 0) return 0n;
    word.setUint32(0, this.#high);
    word.setUint32(4, low);
    return word.getBigInt64(0);
  }

  /** A varint as an exact uint64: ids of members, clusters, requests. */
  uint64Id(): bigint {
    const low = this.#halves();
    if (low === 0 && this.#high === 0) return 0n;
    word.setUint32(0, this.#high);
    word.setUint32(4, low);
    return word.getBigUint64(0);
  }

  /** A varint of at most ten bytes: the lower half is returned, the upper is left in #high; both unsigned. */
  #halves(): number {
    const bytes = this.bytes;
    const end = this.end;
    let at = this.at;
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (at >= end) throw malformed("varint cut short");
      const byte = bytes[at++] as number;
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.at = at;
        this.#high = 0;
        return low;
      }
    }
    if (at >= end) throw malformed("varint cut short");
    const middle = bytes[at++] as number;
    low = (low | ((middle & 0x0f) << 28)) >>> 0;
    let high = (middle & 0x7f) >> 4;
    if (middle >= 0x80) high = this.#upperHalf(high, at);
    else this.at = at;
    this.#high = high;
    return low;
  }

  #upperHalf(start: number, from: number): number {
    let high = start;
    let at = from;
    for (let shift = 3; shift < 32; shift += 7) {
      if (at >= this.end) throw malformed("varint cut short");
      const byte = this.bytes[at++] as number;
      high |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (shift === 31 && byte > 1) break;
        this.at = at;
        return high >>> 0;
      }
    }
    throw malformed("varint longer than 64 bits");
  }

  /** The length of a length-delimited field, which then lies wholly before `end`. */
  #length(): number {
    const at = this.at;
    let length = at < this.end ? (this.bytes[at] as number) : 0x80;
    if (length < 0x80) this.at = at + 1;
    else {
      length = this.#halves();
      if (this.#high !== 0) throw malformed("length beyond the end of the message");
    }
    if (length > this.end - this.at) throw malformed("length beyond the end of the message");
    return length;
  }

  /** A view of a bytes field: it shares memory with what is being read. */
  view(): Uint8Array {
    const length = this.#length();
    if (length === 0) return EMPTY_BYTES;
    const from = this.at;
    this.at = from + length;
    const { buffer, byteOffset } = this.bytes;
    return new Uint8Array(buffer, byteOffset + from, length); // subarray of a Buffer would be slower, and a Buffer
  }

  /** Goes behind a bytes field; answers where it begins. */
  pass(): number {
    const length = this.#length();
    const from = this.at;
    this.at = from + length;
    return from;
  }

  /** A string field; text that is not UTF-8 is refused. */
  string(): string {
    const length = this.#length();
    const from = this.at;
    this.at = from + length;
    if (length > SHORT_STRING) return this.#decodeUtf8(from);
    let text = "";
    for (let at = from; at < this.at; at++) {
      const byte = this.bytes[at] as number;
      if (byte >= 0x80) return this.#decodeUtf8(from);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #decodeUtf8(from: number): string {
    try {
      return utf8.decode(this.bytes.subarray(from, this.at));
    } catch {
      throw malformed("string that is not UTF-8");
    }
  }

  /** Goes into the message that begins here; the answer is what `leave` wants back. */
  enter(): number {
    const length = this.#length();
    if (++this.#depth > MAX_DEPTH) throw malformed(`messages nested deeper than ${MAX_DEPTH}`);
    const outer = this.end;
    this.end = this.at + length;
    return outer;
  }

  /** Out of a message, which has been read to its end. */
  leave(outer: number): void {
    assert(this.at === this.end, "a message is left at its end");
    this.#depth--;
    this.end = outer;
  }

  /**
   * Passes over a field that its message does not know. One whose number is at most `lastKnown` is known and has come
   * with the wrong wire type: that is refused.
   */
  unknown(tag: number, lastKnown: number): void {
    if (tag >>> 3 <= lastKnown) throw malformed(`wire type ${tag & 7} in field ${tag >>> 3}`);
    this.skip(tag);
  }

  /** Passes over the value of a field. */
  skip(tag: number): void {
    switch (tag & 7) {
      case VARINT:
        this.#halves();
        return;
      case FIXED64:
        this.#pass(8);
        return;
      case LENGTH:
        this.#pass(this.#length());
        return;
      case START_GROUP:
        this.#skipGroup(tag >>> 3);
        return;
      case FIXED32:
        this.#pass(4);
        return;
      default:
        throw malformed(`wire type ${tag & 7} in field ${tag >>> 3}`);
    }
  }

  #pass(length: number): void {
    if (length > this.end - this.at) throw malformed("fixed-size field cut short");
    this.at += length;
  }

  /** Groups inside groups are kept in a list, not on the stack, and no more than MAX_DEPTH of them. */
  #skipGroup(number: number): void {
    const open = [number];
    while (open.length > 0) {
      const tag = this.tag();
      if ((tag & 7) === START_GROUP) {
        if (open.length >= MAX_DEPTH) throw malformed(`groups nested deeper than ${MAX_DEPTH}`);
        open.push(tag >>> 3);
      } else if ((tag & 7) === END_GROUP) {
        if (open.pop() !== tag >>> 3) throw malformed(`end of a group ${tag >>> 3} that did not begin`);
      } else this.skip(tag);
    }
  }
}

const SLAB_BYTES = 8 * 1024;

/** What is finished at this size or below is copied: V8 keeps such arrays in its own heap, and they pin no slab. */
const SMALL_BYTES = 64;

/**
 * Bytes being written, front to back, one message after another. What `finish` has handed out is never touched again:
 * the next message goes behind it, as long as the slab lasts. One slab for many messages matters, since memory outside
 * of V8's heap costs 600 ns a piece and a message 60. A message too long for the slab gets memory of its own; how long
 * it may be is up to who made it.
 */
export class Writer {
  bytes: Uint8Array;
  /** Where the next byte goes. */
  at = 0;
  /** Where the message being written began. */
  #start = 0;
  #slab: Uint8Array;
  /** Where the slab is free, while `bytes` is other memory. */
  #slabAt = 0;

  constructor(slabBytes = SLAB_BYTES) {
    this.#slab = allocate(Math.max(slabBytes, SMALL_BYTES));
    this.bytes = this.#slab;
  }

  /** How many bytes of this message have been written. */
  get length(): number {
    return this.at - this.#start;
  }

  /**
   * What has been written since the last `finish`; it will not change. It may lie in one ArrayBuffer with other
   * messages, so that buffer must never be transferred.
   */
  finish(): Uint8Array {
    const start = this.#start;
    const length = this.at - start;
    const bytes = this.bytes;
    if (bytes !== this.#slab) {
      this.bytes = this.#slab;
      this.at = this.#slabAt;
    } else if (length <= SMALL_BYTES) {
      this.at = start;
      return length === 0 ? EMPTY_BYTES : bytes.slice(start, start + length);
    }
    this.#start = this.at;
    return new Uint8Array(bytes.buffer, start, length);
  }

  /** Forgets what has been written since the last `finish`. */
  reset(): void {
    this.at = this.#start;
  }

  /** Makes room for `count` more bytes. */
  ensure(count: number): void {
    if (this.at + count > this.bytes.length) this.#grow(count);
  }

  /** Moves the message being written to a new slab, or to memory with room for `count` more bytes and for half of itself. */
  #grow(count: number): void {
    const written = this.bytes.subarray(this.#start, this.at);
    const needed = written.length + count + (written.length >>> 1) + SMALL_BYTES;
    const slabBytes = this.#slab.length;
    if (this.bytes === this.#slab) this.#slabAt = this.#start;
    if (needed <= slabBytes >>> 1) this.#slab = this.bytes = allocate(slabBytes);
    else this.bytes = allocate(needed);
    this.bytes.set(written);
    this.at = written.length;
    this.#start = 0;
  }

  /** One byte, which may be a tag below field 16. */
  byte(value: number): void {
    if (this.at >= this.bytes.length) this.#grow(1);
    this.bytes[this.at++] = value;
  }

  /** `number << 3 | type` */
  tag(tag: number): void {
    if (tag < 0x80) this.byte(tag);
    else this.varint(tag);
  }

  /** An integer within +-(2^53-1) as a varint; a negative one takes ten bytes. */
  varint(value: number): void {
    this.ensure(10);
    const bytes = this.bytes;
    let at = this.at;
    let low = value >>> 0;
    if (low !== value) {
      assert(Number.isSafeInteger(value), "a number field holds a safe integer");
      this.#halves(low, Math.floor(value / TWO_32) >>> 0);
      return;
    }
    while (low >= 0x80) {
      bytes[at++] = (low & 0x7f) | 0x80;
      low >>>= 7;
    }
    bytes[at++] = low;
    this.at = at;
  }

  /** A 64-bit id as a varint: int64 or uint64, which are the same on the wire. */
  id(value: bigint): void {
    this.ensure(10);
    word.setBigUint64(0, value);
    this.#halves(word.getUint32(4), word.getUint32(0));
  }

  /** Room for ten bytes is there. */
  #halves(lower: number, upper: number): void {
    const bytes = this.bytes;
    let at = this.at;
    let low = lower;
    let high = upper;
    while (high !== 0) {
      bytes[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    while (low >= 0x80) {
      bytes[at++] = (low & 0x7f) | 0x80;
      low >>>= 7;
    }
    bytes[at++] = low;
    this.at = at;
  }

  /** Bytes as they are. */
  raw(source: Uint8Array): void {
    const length = source.length;
    if (this.at + length > this.bytes.length) this.#grow(length);
    if (length <= 32) {
      const bytes = this.bytes;
      let at = this.at;
      for (let from = 0; from < length; from++) bytes[at++] = source[from] as number;
    } else this.bytes.set(source, this.at);
    this.at += length;
  }

  /** A number field with a tag below 0x80, left out when it is zero. */
  number(tag: number, value: number): void {
    if (value === 0) return;
    this.byte(tag);
    this.varint(value);
  }

  /** A bool field with a tag below 0x80, left out when it is false. */
  flag(tag: number, value: boolean): void {
    if (!value) return;
    this.byte(tag);
    this.byte(1);
  }

  /** A bytes field with a tag below 0x80, left out when it is empty. */
  field(tag: number, value: Uint8Array): void {
    if (value.length === 0) return;
    this.byte(tag);
    this.delimited(value);
  }

  /** An id field with a tag below 0x80, left out when it is zero. */
  idField(tag: number, value: bigint): void {
    if (value === 0n) return;
    this.byte(tag);
    this.id(value);
  }

  /** A repeated field of bytes or encoded messages, with a tag below 0x80. Grows at most once, however many there are. */
  items(tag: number, items: readonly Uint8Array[]): void {
    let room = 0;
    for (const item of items) room += item.length + 11;
    this.ensure(room);
    for (const item of items) {
      this.byte(tag);
      this.delimited(item);
    }
  }

  /** The length of `source` and then its bytes: a bytes field, or a message encoded before. */
  delimited(source: Uint8Array): void {
    this.varint(source.length);
    this.raw(source);
  }

  /** A string field's value, after its tag. */
  string(text: string): void {
    const length = text.length;
    this.ensure(10 + length);
    this.varint(length);
    const bytes = this.bytes;
    const start = this.at;
    for (let from = 0; from < length; from++) {
      const code = text.charCodeAt(from);
      if (code >= 0x80) {
        this.at = start - varintSize(length);
        this.delimited(toUtf8.encode(text));
        return;
      }
      bytes[start + from] = code;
    }
    this.at = start + length;
  }

  /** After the tag of a message field: room for a length of one byte. The answer is what `end` wants back. */
  begin(): number {
    this.byte(0);
    return this.at - this.#start; // growing moves the message
  }

  /** The message begun at `place` is complete: its length goes before it. A long one is moved to make room. */
  end(place: number): void {
    const start = this.#start + place;
    const length = this.at - start;
    if (length < 0x80) {
      this.bytes[start - 1] = length;
      return;
    }
    const extra = varintSize(length) - 1;
    this.ensure(10);
    const from = this.#start + place;
    this.bytes.copyWithin(from + extra, from, this.at);
    const end = this.at + extra;
    this.at = from - 1;
    this.varint(length);
    this.at = end;
  }
}

/** How many bytes `value` (an integer within +-(2^53-1)) takes as a varint. */
export function varintSize(value: number): number {
  if (value < 0) return 10;
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  let size = 5;
  for (let rest = Math.floor(value / 0x8_0000_0000); rest > 0; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Memory that is not filled with zeros: all of it that is ever handed out has been written before. */
function allocate(size: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
}
