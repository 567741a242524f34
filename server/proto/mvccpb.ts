/**
 * mvccpb: keys with their values and history, and what happened to them. A `KeyValue` travels through the store, the
 * answers and the watch streams as bytes; only who looks inside decodes it. Encoded canonically, because HashKV is
 * taken over these bytes.
 */
import { EMPTY_BYTES } from "../base/bytes.ts";
import { codec, encodeWith, type MessageCodec, readSubmessage, writeSubmessage } from "./codec.ts";
import { Reader, type Writer } from "./wire.ts";

export interface KeyValue {
  key: Uint8Array;
  /** Revision of the key's creation. */
  createRevision: number;
  /** Revision of its last change. */
  modRevision: number;
  /** Changes since its creation; 1 is the creation, 0 a deletion. */
  version: number;
  value: Uint8Array;
  /** The lease that it is attached to, 0n for none. */
  lease: bigint;
}

export const KeyValue: MessageCodec<KeyValue> = codec("mvccpb.KeyValue", {
  empty: () => ({ key: EMPTY_BYTES, createRevision: 0, modRevision: 0, version: 0, value: EMPTY_BYTES, lease: 0n }),
  read: readKeyValue,
  write: writeKeyValue,
});

function readKeyValue(reader: Reader): KeyValue {
  let key = EMPTY_BYTES;
  let createRevision = 0;
  let modRevision = 0;
  let version = 0;
  let value = EMPTY_BYTES;
  let lease = 0n;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        key = reader.view();
        break;
      case 0x10:
        createRevision = reader.int64();
        break;
      case 0x18:
        modRevision = reader.int64();
        break;
      case 0x20:
        version = reader.int64();
        break;
      case 0x2a:
        value = reader.view();
        break;
      case 0x30:
        lease = reader.int64Id();
        break;
      default:
        reader.unknown(tag, 6);
    }
  }
  return { key, createRevision, modRevision, version, value, lease };
}

/** What an index wants to know of a KeyValue. The key are the bytes from `keyFrom` up to `keyTo` of those it was read from. */
export interface KeyFacts {
  keyFrom: number;
  keyTo: number;
  createRevision: number;
  modRevision: number;
  version: number;
  lease: bigint;
}

/**
 * Decodes the bytes from `from` up to `to` into `facts`, without making anything of key and value. Throws
 * EtcdError("MalformedRequest").
 */
export function readKeyFacts(bytes: Uint8Array, from: number, to: number, facts: KeyFacts): void {
  const reader = new Reader(bytes, from, to);
  facts.keyFrom = facts.keyTo = from;
  facts.createRevision = facts.modRevision = facts.version = 0;
  facts.lease = 0n;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        facts.keyFrom = reader.pass();
        facts.keyTo = reader.at;
        break;
      case 0x10:
        facts.createRevision = reader.int64();
        break;
      case 0x18:
        facts.modRevision = reader.int64();
        break;
      case 0x20:
        facts.version = reader.int64();
        break;
      case 0x30:
        facts.lease = reader.int64Id();
        break;
      case 0x2a:
        reader.skip(tag);
        break;
      default:
        reader.unknown(tag, 6);
    }
  }
}

function writeKeyValue(writer: Writer, kv: KeyValue): void {
  writer.field(0x0a, kv.key);
  writer.number(0x10, kv.createRevision);
  writer.number(0x18, kv.modRevision);
  writer.number(0x20, kv.version);
  writer.field(0x2a, kv.value);
  writer.idField(0x30, kv.lease);
}

/** The canonical bytes of a KeyValue: ascending fields, zeros left out. */
export function encodeKeyValue(kv: KeyValue): Uint8Array {
  return KeyValue.encode(kv);
}

/**
 * Whether an encoded KeyValue is that of the bytes of `key` from `from` up to `to`, seen from its first bytes alone. Undefined: they do not say, as the key is
 * long or the encoding is not the canonical one.
 */
export function beginsWithKey(kv: Uint8Array, key: Uint8Array, from: number, to: number): boolean | undefined {
  const length = to - from;
  if (kv.length < 2 || kv[0] !== 0x0a || (kv[1] as number) >= 0x80 || length >= 0x80) return undefined;
  if (kv[1] !== length || kv.length < length + 2) return false;
  for (let at = length - 1; at >= 0; at--) if (kv[at + 2] !== key[from + at]) return false;
  return true;
}

export const EventType = { PUT: 0, DELETE: 1 } as const;

export interface Event {
  /** An `EventType`. */
  type: number;
  /** After the event; for a deletion only key and modRevision. */
  kv: KeyValue | undefined;
  prevKv: KeyValue | undefined;
}

export const Event: MessageCodec<Event> = codec("mvccpb.Event", {
  empty: () => ({ type: 0, kv: undefined, prevKv: undefined }),
  read(reader) {
    let type = 0;
    let kv: KeyValue | undefined;
    let prevKv: KeyValue | undefined;
    while (reader.at < reader.end) {
      const tag = reader.tag();
      switch (tag) {
        case 0x08:
          type = reader.enumeration();
          break;
        case 0x12:
          kv = readSubmessage(reader, KeyValue);
          break;
        case 0x1a:
          prevKv = readSubmessage(reader, KeyValue);
          break;
        default:
          reader.unknown(tag, 3);
      }
    }
    return { type, kv, prevKv };
  },
  write(writer, event) {
    writer.number(0x08, event.type);
    if (event.kv !== undefined) {
      writer.byte(0x12);
      writeSubmessage(writer, KeyValue, event.kv);
    }
    if (event.prevKv !== undefined) {
      writer.byte(0x1a);
      writeSubmessage(writer, KeyValue, event.prevKv);
    }
  },
});

/** The bytes of an Event from those of its KeyValues, which are copied once and not looked into. */
export function encodeEvent(type: number, kv: Uint8Array, prevKv: Uint8Array | undefined): Uint8Array {
  return encodeWith((writer) => {
    writer.ensure(kv.length + (prevKv === undefined ? 0 : prevKv.length) + 24);
    writer.number(0x08, type);
    writer.byte(0x12);
    writer.delimited(kv);
    if (prevKv !== undefined) {
      writer.byte(0x1a);
      writer.delimited(prevKv);
    }
  });
}
