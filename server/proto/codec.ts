/**
 * What a message type offers, in two ways of making it. Messages on the hot path are written out by hand (`codec`);
 * the others are a table of fields (`message`) that is walked, and their TypeScript type follows from the table.
 *
 * A field that comes more than once: the last one wins, for singular messages too (protobuf would merge these; no client
 * of etcd splits one). Unknown fields are passed over and not kept.
 */
import { EMPTY_BYTES } from "../base/bytes.ts";
import { LENGTH, malformed, Reader, VARINT, Writer } from "./wire.ts";

/** How values of one message type become bytes and come back. */
export interface Codec<T> {
  /** With the package: "etcdserverpb.PutRequest". */
  readonly typeName: string;
  /**
   * The message in `bytes`. Throws EtcdError("MalformedRequest"). Byte fields are views into `bytes`. Looks at nothing but
   * its first argument, so that a list's `map` may have it.
   */
  decode(bytes: Uint8Array): T;
  /** The same of the message that begins at `from` and goes to the end of `bytes`. */
  decodeFrom(bytes: Uint8Array, from: number): T;
  /** Canonical bytes (ascending field numbers) that nobody will change. Their ArrayBuffer must not be transferred. */
  encode(message: T): Uint8Array;
  /** Appends what `encode` answers. */
  encodeTo(writer: Writer, message: T): void;
  /** A message with defaults for what is not given. */
  create(fields?: Partial<T>): T;
}

/** A codec as its own room sees it: able to read a message that lies inside another. */
export interface MessageCodec<T> extends Codec<T> {
  /** Reads from `reader.at` to `reader.end`. */
  readFrom(reader: Reader): T;
}

/** The hand-written parts of a codec. */
export interface Parts<T> {
  /** A new message in which every field has its default. */
  empty(): T;
  read(reader: Reader): T;
  write(writer: Writer, message: T): void;
}

/** Where `encode` writes. Encoding is never interrupted, so one is enough. */
const shared = new Writer();

/** A codec from its hand-written parts. */
export function codec<T extends object>(typeName: string, { empty, read, write }: Parts<T>): MessageCodec<T> {
  return {
    typeName,
    decode: (bytes) => read(new Reader(bytes)),
    decodeFrom: (bytes, from) => read(new Reader(bytes, from)),
    encode(message) {
      shared.reset(); // an assertion may have cut the last message short
      write(shared, message);
      return shared.finish();
    },
    encodeTo: write,
    readFrom: read,
    create: (fields) => (fields === undefined ? empty() : Object.assign(empty(), fields)),
  };
}

/** Encodes with `write` alone, for what has no message type of its own. */
export function encodeWith(write: (writer: Writer) => void): Uint8Array {
  shared.reset();
  write(shared);
  return shared.finish();
}

/** One field of a table. `T` is the type of its value in the message. */
export interface Field<T> {
  readonly number: number;
  /** The wire type it comes with. */
  readonly wireType: number;
  /** Repeated numbers may also come packed, in one length-delimited field. */
  readonly packable: boolean;
  empty(): T;
  /** The value after one more occurrence; `before` is the value so far. */
  read(reader: Reader, before: T): T;
  /** Writes tag and value, or nothing for a default that is left out. */
  write(writer: Writer, value: T): void;
}

// biome-ignore lint/suspicious/noExplicitAny: the table mixes fields of all types; MessageOf gives each its own back
export type Fields = Readonly<Record<string, Field<any>>>;

/** The message that a table of fields describes. */
export type MessageOf<F extends Fields> = { [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** The message type of a codec. */
export type TypeOf<C> = C extends Codec<infer T> ? T : never;

/** A codec that walks a table of fields, in ascending order of their numbers when it writes. */
export function message<F extends Fields>(typeName: string, fields: F): MessageCodec<MessageOf<F>> {
  type Values = Record<string, unknown>;
  const ordered = Object.entries(fields).sort(([, left], [, right]) => left.number - right.number);
  const byNumber = new Map(ordered.map((entry) => [entry[1].number, entry]));
  const empty = (): Values => {
    const values: Values = {};
    for (const [name, field] of Object.entries(fields)) values[name] = field.empty();
    return values;
  };
  const built = codec<Values>(typeName, {
    empty,
    read(reader) {
      const values = empty();
      while (reader.at < reader.end) {
        const tag = reader.tag();
        const known = byNumber.get(tag >>> 3);
        if (known === undefined) {
          reader.skip(tag);
          continue;
        }
        const [name, field] = known;
        const wireType = tag & 7;
        if (wireType === field.wireType) values[name] = field.read(reader, values[name]);
        else if (wireType === LENGTH && field.packable) readPacked(reader, field, values[name]);
        else throw malformed(`wire type ${wireType} in field ${tag >>> 3} of ${typeName}`);
      }
      return values;
    },
    write(writer, values) {
      for (const [name, field] of ordered) field.write(writer, values[name]);
    },
  });
  return built as unknown as MessageCodec<MessageOf<F>>;
}

function readPacked(reader: Reader, field: Field<unknown>, values: unknown): void {
  const outer = reader.enter();
  while (reader.at < reader.end) field.read(reader, values);
  reader.leave(outer);
}

function scalar<T>(
  number: number,
  wireType: number,
  zero: T,
  read: (reader: Reader) => T,
  write: (writer: Writer, value: T) => void,
): Field<T> {
  const tag = (number << 3) | wireType;
  return {
    number,
    wireType,
    packable: false,
    empty: () => zero,
    read,
    write(writer, value) {
      if (value === zero) return;
      writer.tag(tag);
      write(writer, value);
    },
  };
}

const writeNumber = (writer: Writer, value: number): void => writer.varint(value);
const writeId = (writer: Writer, value: bigint): void => writer.id(value);
const readUint64Id = (reader: Reader): bigint => reader.uint64Id();

/** int64 as a number that saturates. */
export function int64(number: number): Field<number> {
  return scalar(number, VARINT, 0, (reader) => reader.int64(), writeNumber);
}

/** uint64 as a number that saturates. */
export function uint64(number: number): Field<number> {
  return scalar(number, VARINT, 0, (reader) => reader.uint64(), writeNumber);
}

export function uint32(number: number): Field<number> {
  return scalar(number, VARINT, 0, (reader) => reader.uint32(), writeNumber);
}

/** An enum's number; unknown ones are kept. */
export function enumeration(number: number): Field<number> {
  return scalar(number, VARINT, 0, (reader) => reader.enumeration(), writeNumber);
}

/** int64, exact: a lease id. */
export function int64Id(number: number): Field<bigint> {
  return scalar(number, VARINT, 0n, (reader) => reader.int64Id(), writeId);
}

/** uint64, exact: the id of a member, a cluster, a request. */
export function uint64Id(number: number): Field<bigint> {
  return scalar(number, VARINT, 0n, readUint64Id, writeId);
}

export function bool(number: number): Field<boolean> {
  return scalar(
    number,
    VARINT,
    false,
    (reader) => reader.bool(),
    (writer, value) => writer.byte(value ? 1 : 0),
  );
}

export function string(number: number): Field<string> {
  return scalar(
    number,
    LENGTH,
    "",
    (reader) => reader.string(),
    (writer, value) => writer.string(value),
  );
}

export function bytes(number: number): Field<Uint8Array> {
  const tag = (number << 3) | LENGTH;
  return {
    number,
    wireType: LENGTH,
    packable: false,
    empty: () => EMPTY_BYTES,
    read: (reader) => reader.view(),
    write(writer, value) {
      if (value.length === 0) return;
      writer.tag(tag);
      writer.delimited(value);
    },
  };
}

/** A message in a message; undefined when it is not there. */
export function submessage<T>(number: number, type: Codec<T>): Field<T | undefined> {
  const inner = type as MessageCodec<T>;
  const tag = (number << 3) | LENGTH;
  return {
    number,
    wireType: LENGTH,
    packable: false,
    empty: () => undefined,
    read: (reader) => readSubmessage(reader, inner),
    write(writer, value) {
      if (value === undefined) return;
      writer.tag(tag);
      writeSubmessage(writer, inner, value);
    },
  };
}

/** A message that lies at `reader`, behind its length. */
export function readSubmessage<T>(reader: Reader, type: MessageCodec<T>): T {
  const outer = reader.enter();
  const value = type.readFrom(reader);
  reader.leave(outer);
  return value;
}

/** A message and its length before it; the tag has been written. */
export function writeSubmessage<T>(writer: Writer, type: Codec<T>, value: T): void {
  const start = writer.begin();
  type.encodeTo(writer, value);
  writer.end(start);
}

function repeated<T>(
  number: number,
  wireType: number,
  read: (reader: Reader) => T,
  write: (writer: Writer, value: T) => void,
): Field<T[]> {
  const tag = (number << 3) | wireType;
  return {
    number,
    wireType,
    packable: wireType === VARINT,
    empty: () => [],
    read(reader, before) {
      before.push(read(reader));
      return before;
    },
    write(writer, values) {
      for (const value of values) {
        writer.tag(tag);
        write(writer, value);
      }
    },
  };
}

/** Each is written, an empty one too. */
export function strings(number: number): Field<string[]> {
  return repeated(
    number,
    LENGTH,
    (reader) => reader.string(),
    (writer, value) => writer.string(value),
  );
}

export function byteStrings(number: number): Field<Uint8Array[]> {
  return repeated(
    number,
    LENGTH,
    (reader) => reader.view(),
    (writer, value) => writer.delimited(value),
  );
}

export function submessages<T>(number: number, type: Codec<T>): Field<T[]> {
  const inner = type as MessageCodec<T>;
  return repeated(
    number,
    LENGTH,
    (reader) => readSubmessage(reader, inner),
    (writer, value) => writeSubmessage(writer, inner, value),
  );
}

/** Repeated uint64 ids of proto2: written one by one, read packed too. */
export function uint64Ids(number: number): Field<bigint[]> {
  return repeated(number, VARINT, readUint64Id, writeId);
}

/**
 * A proto2 scalar that is written even when it is zero, as etcd's encoder does for raft's types. Not for message fields.
 */
export function always<T extends number | bigint | boolean>(field: Field<T>): Field<T> {
  const tag = (field.number << 3) | field.wireType;
  return {
    ...field,
    write(writer, value) {
      if (value !== field.empty()) field.write(writer, value);
      else {
        writer.tag(tag);
        writer.byte(0);
      }
    },
  };
}
