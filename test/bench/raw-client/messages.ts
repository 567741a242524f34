/** Just so much of protobuf as tells an answer that is right from one that is not, without an object for it. */

/** Reads numbers up to 2^53; `at` is where the last one ended. */
export class Cursor {
  at = 0;

  varint(bytes: Buffer, from: number): number {
    let value = 0;
    let factor = 1;
    let at = from;
    for (;;) {
      const byte = bytes[at++] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
      factor *= 128;
    }
    this.at = at;
    return value;
  }
}

const cursor = new Cursor();
const VARINT = 0;
const LENGTH = 2;

/** How often field `number`, a message, stands in the message from `from` to `to`. */
export function countField(bytes: Buffer, from: number, to: number, number: number): number {
  let count = 0;
  for (let at = from; at < to; ) {
    const tag = cursor.varint(bytes, at);
    if (tag >>> 3 === number) count++;
    at = skip(bytes, tag, cursor.at);
  }
  return count;
}

/** The value of field `number`, a varint; 0 when it is not there. */
export function varintField(bytes: Buffer, from: number, to: number, number: number): number {
  for (let at = from; at < to; ) {
    const tag = cursor.varint(bytes, at);
    if (tag === ((number << 3) | VARINT)) return cursor.varint(bytes, cursor.at);
    at = skip(bytes, tag, cursor.at);
  }
  return 0;
}

/** `header.revision` of an answer of the store. */
export function headerRevision(bytes: Buffer, from: number, to: number): number {
  if (bytes[from] !== ((1 << 3) | LENGTH)) throw new Error("an answer without a header");
  const length = cursor.varint(bytes, from + 1);
  const start = cursor.at;
  if (start + length > to) throw new Error("an answer that is cut short");
  return varintField(bytes, start, start + length, 3);
}

function skip(bytes: Buffer, tag: number, at: number): number {
  if ((tag & 7) === VARINT) {
    cursor.varint(bytes, at);
    return cursor.at;
  }
  if ((tag & 7) === LENGTH) {
    const length = cursor.varint(bytes, at);
    return cursor.at + length;
  }
  throw new Error(`an answer with a field of wire type ${tag & 7}`);
}

/** Puts the messages of one stream together, however they were cut into frames. */
export class MessageReader {
  #cut: Buffer | undefined;

  /** Calls `take` for each whole message (without gRPC's five bytes). */
  read(bytes: Buffer, from: number, to: number, take: (bytes: Buffer, from: number, to: number) => void): void {
    let all = bytes;
    let at = from;
    let end = to;
    if (this.#cut !== undefined) {
      all = Buffer.concat([this.#cut, bytes.subarray(from, to)]);
      at = 0;
      end = all.length;
      this.#cut = undefined;
    }
    while (end - at >= 5) {
      const next = at + 5 + all.readUInt32BE(at + 1);
      if (next > end) break;
      take(all, at + 5, next);
      at = next;
    }
    if (at < end) this.#cut = Buffer.from(all.subarray(at, end));
  }
}
