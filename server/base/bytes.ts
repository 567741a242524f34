/**
 * Bytes and byte strings. At the edges keys are `Uint8Array`; inside an index a key is a latin1 string with one
 * character a byte, whose order is the order of the bytes and which works as a Map key. Only this file converts.
 */

/** A key as an index holds it: one character (0-255) a byte. Never printed raw. */
export type ByteString = string;

/** No bytes. Shared; never written to. */
export const EMPTY_BYTES: Uint8Array = new Uint8Array(0);

const ascii = new TextEncoder();

/** Node's own, which takes any Uint8Array; `toString` would need a Buffer made first, for three times the time. */
const { latin1Slice } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
};

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The byte string of `bytes`, from `from` up to `to`. */
export function toByteString(bytes: Uint8Array, from = 0, to: number = bytes.length): ByteString {
  return latin1Slice.call(bytes, from, to);
}

/** The bytes of a byte string, in memory of their own. */
export function fromByteString(text: ByteString): Uint8Array {
  return Buffer.from(text, "latin1");
}

/** The UTF-8 bytes of `text`. */
export function utf8Bytes(text: string): Uint8Array {
  return ascii.encode(text);
}

/** Text of UTF-8 bytes; a malformed sequence becomes U+FFFD. */
export function utf8Text(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("utf8");
}

/** Order of two byte sequences: negative, zero or positive. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  return Buffer.compare(left, right);
}

/** Whether both hold the same bytes. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && Buffer.compare(left, right) === 0;
}

/** A copy in memory of its own: what is kept past a call must not alias an input buffer that is reused. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes);
}

/** All of `parts`, one after another. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

/**
 * The end of the range of all keys that begin with `prefix`: the prefix with its last byte raised, 0xff bytes
 * dropped; "\0", etcd's "to the end", when nothing remains.
 */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  for (let last = prefix.length - 1; last >= 0; last--) {
    const byte = prefix[last] as number;
    if (byte === 0xff) continue;
    const end = Uint8Array.prototype.slice.call(prefix, 0, last + 1);
    end[last] = byte + 1;
    return end;
  }
  return Uint8Array.of(0);
}

/** `bytes` for people: printable ASCII as it is, the rest as \xNN, at most `limit` bytes. */
export function printableBytes(bytes: Uint8Array, limit = 64): string {
  let text = "";
  for (const byte of bytes.subarray(0, limit)) {
    text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return bytes.length > limit ? `${text}...` : text;
}
