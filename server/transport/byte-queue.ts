/**
 * Bytes as they come from a socket, in pieces, taken out in the lengths that a format asks for. A piece is copied only
 * when what is taken lies across its end, and then once.
 */
import { assert } from "../base/assert.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import { readUint64 } from "../base/int64.ts";

/** Pieces taken up before the list is cut: rare enough to cost nothing. */
const CUT_AT = 64;

export class ByteQueue {
  #pieces: Uint8Array[] = [];
  /** The first piece that is not used up, and where in it. */
  #first = 0;
  #offset = 0;
  #length = 0;

  /** How many bytes wait. */
  get length(): number {
    return this.#length;
  }

  /** Adds a piece; its memory must stay as it is. */
  push(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#length += piece.length;
  }

  /** The next byte, which must be there. */
  byte(): number {
    assert(this.#length > 0, "only bytes that have come are taken");
    const byte = (this.#pieces[this.#first] as Uint8Array)[this.#offset] as number;
    this.#use(1);
    return byte;
  }

  /** The next 8 bytes as a big-endian number; above 2^53 it is only good for being found too large. */
  uint64(): number {
    const piece = this.#pieces[this.#first];
    const from = this.#offset;
    if (piece === undefined || from + 8 > piece.length) return readUint64(this.take(8), 0);
    const value = readUint64(piece, from);
    this.#use(8);
    return value;
  }

  /** The next `count` bytes, which must be there: a view, or memory of their own. */
  take(count: number): Uint8Array {
    assert(count <= this.#length, "only bytes that have come are taken");
    if (count === 0) return EMPTY_BYTES;
    const piece = this.#pieces[this.#first] as Uint8Array;
    const from = this.#offset;
    if (from + count > piece.length) return this.#gather(count);
    const view = new Uint8Array(piece.buffer, piece.byteOffset + from, count);
    this.#use(count);
    return view;
  }

  /** All that wait, piece by piece. */
  takeAll(): Uint8Array[] {
    const rest = this.#pieces.slice(this.#first);
    if (this.#offset > 0 && rest[0] !== undefined) rest[0] = rest[0].subarray(this.#offset);
    this.#pieces = [];
    this.#first = this.#offset = this.#length = 0;
    return rest;
  }

  #gather(count: number): Uint8Array {
    const gathered = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      const piece = this.#pieces[this.#first] as Uint8Array;
      const part = Math.min(count - at, piece.length - this.#offset);
      gathered.set(piece.subarray(this.#offset, this.#offset + part), at);
      at += part;
      this.#use(part);
    }
    return gathered;
  }

  /** `count` bytes, all of the first piece, are used up. */
  #use(count: number): void {
    this.#offset += count;
    this.#length -= count;
    if (this.#offset < (this.#pieces[this.#first] as Uint8Array).length) return;
    this.#pieces[this.#first] = EMPTY_BYTES; // its memory may go
    this.#first++;
    this.#offset = 0;
    if (this.#length === 0 || this.#first >= CUT_AT) {
      this.#pieces = this.#pieces.slice(this.#first);
      this.#first = 0;
    }
  }
}
