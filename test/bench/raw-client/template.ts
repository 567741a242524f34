/**
 * A request that is encoded once and then changed in place: the number in its key, and a revision, each in as many bytes
 * whatever its value. So a request of a load costs a copy and no object.
 */
import { utf8Bytes } from "../../../server/base/bytes.ts";
import type { Codec } from "../../../server/proto/codec.ts";

/** Digits of a key's number. */
export const KEY_DIGITS = 7;
export const KEYS_MAX: number = 10 ** KEY_DIGITS;

/** Stands for the revision until one is set; its varint has five bytes, as all that follow then have. */
export const ANY_REVISION = 0x7_1234_5678;
const REVISION_BYTES = 5;

/** `prefix` and the number of the key, filled up to `keyBytes` when given. */
export function keyOf(prefix: string, index: number, keyBytes = 0): Uint8Array {
  return utf8Bytes(prefix.padEnd(keyBytes - KEY_DIGITS, "-") + String(index).padStart(KEY_DIGITS, "0"));
}

export class Template {
  /** The message with gRPC's five bytes. Changed by the setters. */
  readonly bytes: Buffer;
  /** Where the digits of keys begin, in the order of the message. */
  readonly #keys: readonly number[];
  readonly #revisions: readonly number[];

  /** Wherever `key` (the one of number 0) stands in the message, another key can be put. */
  constructor(message: Uint8Array, key: Uint8Array) {
    this.bytes = grpcFrame(message);
    this.#keys = placesOf(this.bytes, key).map((at) => at + key.length - KEY_DIGITS);
    this.#revisions = placesOf(this.bytes, varint5(ANY_REVISION));
  }

  static of<T>(codec: Codec<T>, fields: Partial<T>, key: Uint8Array): Template {
    return new Template(codec.encode(codec.create(fields)), key);
  }

  /** Puts one key everywhere. */
  setKey(index: number): void {
    for (const at of this.#keys) this.#digits(at, index);
  }

  /** Puts a key at one of the places alone. */
  setKeyAt(place: number, index: number): void {
    this.#digits(this.#keys[place] as number, index);
  }

  setRevision(revision: number): void {
    for (const at of this.#revisions) {
      let rest = revision;
      for (let byte = 0; byte < REVISION_BYTES - 1; byte++) {
        this.bytes[at + byte] = (rest % 128) | 0x80;
        rest = Math.floor(rest / 128);
      }
      this.bytes[at + REVISION_BYTES - 1] = rest;
    }
  }

  #digits(at: number, index: number): void {
    let rest = index;
    for (let digit = at + KEY_DIGITS - 1; digit >= at; digit--) {
      const next = (rest / 10) | 0;
      this.bytes[digit] = 48 + rest - next * 10;
      rest = next;
    }
  }
}

/** gRPC's prefix before a message that is not compressed. */
export function grpcFrame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(5 + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}

function placesOf(bytes: Buffer, part: Uint8Array): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(part); at >= 0; at = bytes.indexOf(part, at + part.length)) places.push(at);
  return places;
}

function varint5(value: number): Uint8Array {
  return Uint8Array.from([0, 1, 2, 3, 4], (byte) => (Math.floor(value / 128 ** byte) % 128) | (byte < 4 ? 0x80 : 0));
}
