/**
 * A RangeResponse as bytes that are written out bit by bit: its length is known at once, and each KeyValue is copied once,
 * to where it leaves. A whole answer of 100 MB would cost a slice of a tenth of a second, and as much memory again.
 */
import { assert } from "../../base/assert.ts";
import { EMPTY_BYTES } from "../../base/bytes.ts";
import { encodeWith } from "../codec.ts";
import { varintSize } from "../wire.ts";
import { writeHeader } from "./header.ts";
import type { RangeResponse } from "./kv.ts";

const KVS_TAG = 0x12;
/** A tag and a length that a number of 32 bits holds. */
const ITEM_HEAD_BYTES = 6;

/** The same bytes as `RangeResponse.encode`, front to back, each once. A KeyValue is let go of when it has been copied. */
export class RangeParts {
  /** Of the whole message. */
  readonly length: number;
  readonly #kvs: Uint8Array[];
  /** The KeyValue that comes next. */
  #next = 0;
  /** What is being copied, and how far that has come: the head, the head of a KeyValue, a KeyValue, the tail. */
  #piece: Uint8Array;
  #at = 0;
  #isItemHead = false;
  readonly #tail: Uint8Array;

  constructor({ header, kvs, more, count }: RangeResponse) {
    this.#kvs = kvs.slice();
    this.#piece = encodeWith((writer) => writeHeader(writer, header));
    this.#tail = encodeWith((writer) => {
      writer.flag(0x18, more);
      writer.number(0x20, count);
    });
    let length = this.#piece.length + this.#tail.length;
    for (const kv of kvs) length += 1 + varintSize(kv.length) + kv.length;
    this.length = length;
  }

  /** Writes the next `count` bytes to `into` at `from`. */
  copyTo(into: Uint8Array, from: number, count: number): void {
    const end = from + count;
    let at = from;
    while (at < end) {
      const left = this.#piece.length - this.#at;
      if (left === 0) {
        at = this.#copyWhole(into, at, end);
        if (at < end) this.#step();
        continue;
      }
      const take = Math.min(left, end - at);
      into.set(take === this.#piece.length ? this.#piece : this.#piece.subarray(this.#at, this.#at + take), at);
      this.#at += take;
      at += take;
    }
  }

  /** As many KeyValues as fit before `end`; the answer is where they end. */
  #copyWhole(into: Uint8Array, from: number, end: number): number {
    if (this.#isItemHead) return from;
    const kvs = this.#kvs;
    let at = from;
    while (this.#next < kvs.length) {
      const kv = kvs[this.#next] as Uint8Array;
      if (end - at < ITEM_HEAD_BYTES + kv.length) break;
      at = writeItemHead(into, at, kv.length);
      into.set(kv, at);
      at += kv.length;
      kvs[this.#next++] = EMPTY_BYTES;
    }
    return at;
  }

  /** The piece has been copied: on to the one behind it. */
  #step(): void {
    this.#at = 0;
    const kv = this.#kvs[this.#next];
    if (this.#isItemHead) {
      this.#isItemHead = false;
      this.#piece = kv as Uint8Array;
      this.#kvs[this.#next++] = EMPTY_BYTES;
    } else if (kv !== undefined) {
      this.#isItemHead = true;
      const head = new Uint8Array(ITEM_HEAD_BYTES);
      this.#piece = head.subarray(0, writeItemHead(head, 0, kv.length));
    } else {
      assert(this.#piece !== this.#tail, "no more is copied than there is");
      this.#piece = this.#tail;
    }
  }
}

/** Tag and length of a KeyValue; the answer is where they end. */
function writeItemHead(into: Uint8Array, from: number, length: number): number {
  let at = from;
  into[at++] = KVS_TAG;
  let rest = length;
  while (rest >= 0x80) {
    into[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[at++] = rest;
  return at;
}
