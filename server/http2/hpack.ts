/**
 * HPACK (RFC 7541): header blocks in and out. What repeats is cheap: a block that has come before, and names only what
 * stands in the tables, is known by its bytes; a field that was sent once is one byte the next time.
 */
import { ConnectionFailure, Http2Code } from "./errors.ts";
import { DynamicTable, HeaderField, STATIC_COUNT, STATIC_FIELDS, staticIndex, staticNameIndex } from "./hpack-table.ts";
import { decodedMax, huffmanDecode, huffmanEncode, huffmanSize } from "./huffman.ts";
import { HEADER_TABLE_BYTES, MAX_HEADER_LIST_BYTES } from "./limits.ts";

/** What one header block said. */
export interface HeaderList {
  readonly fields: readonly HeaderField[];
  /** More than a list may have: `fields` is cut short. */
  readonly tooLarge: boolean;
}

/** Blocks that are remembered, and how long one may be. */
const MEMO_BLOCKS = 8;
const MEMO_BYTES = 48;

interface Memo<T> {
  readonly bytes: Uint8Array;
  /** Of the table when it was read: another table may give the same bytes another meaning. */
  readonly state: number;
  readonly value: T;
}

/** Where a string is decoded before it is one: one for all connections, as nothing comes in between. */
const SCRATCH_MAX_BYTES = 16 * 1024;
let scratch: Buffer = Buffer.allocUnsafe(SCRATCH_MAX_BYTES);

function failed(what: string): ConnectionFailure {
  return new ConnectionFailure(Http2Code.COMPRESSION_ERROR, what);
}

/** Reads header blocks. `T` is what is made of a list; it is shared between equal blocks. */
export class HpackDecoder<T> {
  readonly #table = new DynamicTable(HEADER_TABLE_BYTES);
  readonly #make: (list: HeaderList) => T;
  readonly #memos: Memo<T>[] = [];
  #nextMemo = 0;
  /** Changes whenever the table does. */
  #state = 0;
  #at = 0;

  constructor(make: (list: HeaderList) => T) {
    this.#make = make;
  }

  /** Throws ConnectionFailure. */
  decode(bytes: Buffer, from: number, to: number): T {
    const known = this.#recall(bytes, from, to);
    if (known !== undefined) return known.value;
    const state = this.#state;
    const value = this.#make(this.#read(bytes, from, to));
    if (this.#state === state && to - from <= MEMO_BYTES) this.#remember(bytes, from, to, value);
    return value;
  }

  #recall(bytes: Buffer, from: number, to: number): Memo<T> | undefined {
    const length = to - from;
    for (const memo of this.#memos) {
      if (memo.bytes.length !== length || memo.state !== this.#state) continue;
      let same = 0;
      while (same < length && memo.bytes[same] === bytes[from + same]) same++;
      if (same === length) return memo;
    }
    return undefined;
  }

  #remember(bytes: Buffer, from: number, to: number, value: T): void {
    this.#memos[this.#nextMemo] = { bytes: Uint8Array.from(bytes.subarray(from, to)), state: this.#state, value };
    this.#nextMemo = (this.#nextMemo + 1) % MEMO_BLOCKS;
  }

  #read(bytes: Buffer, from: number, to: number): HeaderList {
    const fields: HeaderField[] = [];
    let size = 0;
    let resizes = 0;
    this.#at = from;
    while (this.#at < to) {
      const first = bytes[this.#at] as number;
      let field: HeaderField;
      if (first >= 0x80) field = this.#indexed(this.#integer(bytes, to, 0x7f));
      else if (first >= 0x40) {
        field = this.#literal(bytes, to, 0x3f);
        this.#table.add(field);
        this.#state++;
      } else if (first >= 0x20) {
        const capacity = this.#integer(bytes, to, 0x1f);
        if (fields.length > 0 || ++resizes > 2) throw failed("a table size update inside of a header block");
        if (capacity > HEADER_TABLE_BYTES) throw failed(`a table of ${capacity} bytes`);
        this.#table.resize(capacity);
        this.#state++;
        continue;
      } else field = this.#literal(bytes, to, 0x0f);
      size += field.size;
      if (size <= MAX_HEADER_LIST_BYTES) fields.push(field);
    }
    return { fields, tooLarge: size > MAX_HEADER_LIST_BYTES };
  }

  #indexed(index: number): HeaderField {
    const field = index <= STATIC_COUNT ? STATIC_FIELDS[index - 1] : this.#table.get(index - STATIC_COUNT - 1);
    if (field === undefined) throw failed(`no header field has the number ${index}`);
    return field;
  }

  #literal(bytes: Buffer, to: number, prefix: number): HeaderField {
    const index = this.#integer(bytes, to, prefix);
    const name = index === 0 ? this.#string(bytes, to) : this.#indexed(index).name;
    return new HeaderField(name, this.#string(bytes, to));
  }

  /** An integer whose first byte has it in the bits of `prefix`. */
  #integer(bytes: Buffer, to: number, prefix: number): number {
    if (this.#at >= to) throw failed("a header block that is cut short");
    let value = (bytes[this.#at++] as number) & prefix;
    if (value < prefix) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.#at >= to) throw failed("a header block that is cut short");
      const byte = bytes[this.#at++] as number;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw failed("an integer beyond any use");
  }

  #string(bytes: Buffer, to: number): string {
    if (this.#at >= to) throw failed("a header block that is cut short");
    const packed = (bytes[this.#at] as number) >= 0x80;
    const length = this.#integer(bytes, to, 0x7f);
    const from = this.#at;
    this.#at = from + length;
    if (this.#at > to) throw failed("a header block that is cut short");
    if (!packed) return bytes.toString("latin1", from, this.#at);
    const room = decodedMax(length);
    if (room > SCRATCH_MAX_BYTES) scratch = Buffer.allocUnsafe(room);
    else if (scratch.length > SCRATCH_MAX_BYTES) scratch = Buffer.allocUnsafe(SCRATCH_MAX_BYTES);
    const decoded = huffmanDecode(bytes, from, this.#at, scratch);
    if (decoded < 0) throw failed("a string that no Huffman code makes");
    return scratch.toString("latin1", 0, decoded);
  }
}

/** A field of answers that comes again and again. Made once; encoders know it by itself. */
export class SharedField extends HeaderField {
  /** In the static table, 0: not there. */
  readonly staticIndex: number;
  readonly nameIndex: number;

  constructor(name: string, value: string) {
    super(name, value);
    this.staticIndex = staticIndex(name, value);
    this.nameIndex = staticNameIndex(name);
  }
}

/** A field that is sent once: it never gets into a table. */
export interface PlainField {
  readonly name: string;
  readonly value: string;
}

export type FieldToSend = SharedField | PlainField;

/** Most bytes that a field can take. */
export function encodedMax({ name, value }: PlainField): number {
  return name.length + value.length + 12;
}

/** Most bytes that the head of a block takes: a change of the table's size. */
export const BLOCK_OVERHEAD = 12;

export class HpackEncoder {
  readonly #table = new DynamicTable(HEADER_TABLE_BYTES);
  /** How many had been added before each field that is in the table. */
  readonly #places = new Map<SharedField, number>();
  /** The smallest capacity since the last block, and the one to have now; undefined: nothing to say. */
  #lowest: number | undefined;
  #wanted: number | undefined;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setPeerCapacity(bytes: number): void {
    const capacity = Math.min(bytes, HEADER_TABLE_BYTES);
    if (this.#wanted === undefined && capacity === this.#table.capacity) return;
    this.#lowest = Math.min(this.#lowest ?? capacity, capacity);
    this.#wanted = capacity;
  }

  /** Writes a block at `start`; there is room. Answers where it ends. */
  encode(fields: readonly FieldToSend[], into: Uint8Array, start: number): number {
    let at = start;
    if (this.#wanted !== undefined) at = this.#resize(into, at);
    for (const field of fields) {
      at = field instanceof SharedField ? this.#shared(field, into, at) : this.#plain(field, into, at);
    }
    return at;
  }

  #resize(into: Uint8Array, start: number): number {
    const wanted = this.#wanted as number;
    const lowest = this.#lowest as number;
    this.#wanted = undefined;
    this.#lowest = undefined;
    let at = start;
    if (lowest < wanted) {
      this.#table.resize(lowest);
      at = writeInteger(into, at, 0x20, 0x1f, lowest);
    }
    this.#table.resize(wanted);
    return writeInteger(into, at, 0x20, 0x1f, wanted);
  }

  #shared(field: SharedField, into: Uint8Array, start: number): number {
    if (field.staticIndex !== 0) {
      into[start] = 0x80 | field.staticIndex;
      return start + 1;
    }
    const table = this.#table;
    const place = this.#places.get(field);
    if (place !== undefined && place >= table.dropped) {
      return writeInteger(into, start, 0x80, 0x7f, STATIC_COUNT + table.added - place);
    }
    if (field.size > table.capacity) return this.#plain(field, into, start);
    const at = writeLiteral(into, start, 0x40, 0x3f, field.nameIndex, field);
    this.#places.set(field, table.added);
    table.add(field);
    return at;
  }

  #plain(field: PlainField, into: Uint8Array, start: number): number {
    return writeLiteral(into, start, 0, 0x0f, staticNameIndex(field.name), field);
  }
}

function writeInteger(into: Uint8Array, start: number, high: number, prefix: number, value: number): number {
  let at = start;
  if (value < prefix) {
    into[at++] = high | value;
    return at;
  }
  into[at++] = high | prefix;
  let rest = value - prefix;
  while (rest >= 0x80) {
    into[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[at++] = rest;
  return at;
}

function writeLiteral(
  into: Uint8Array,
  start: number,
  high: number,
  prefix: number,
  nameIndex: number,
  { name, value }: PlainField,
): number {
  const at = writeInteger(into, start, high, prefix, nameIndex);
  return writeString(into, nameIndex === 0 ? writeString(into, at, name) : at, value);
}

function writeString(into: Uint8Array, start: number, text: string): number {
  const packed = huffmanSize(text);
  if (packed < text.length) return huffmanEncode(text, into, writeInteger(into, start, 0x80, 0x7f, packed));
  let at = writeInteger(into, start, 0, 0x7f, text.length);
  for (let index = 0; index < text.length; index++) into[at++] = text.charCodeAt(index);
  return at;
}
