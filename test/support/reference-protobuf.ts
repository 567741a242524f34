/**
 * A second opinion on every message: protobufjs, told etcd's own field numbers (etcd-schema.ts), and random messages in the
 * shape in which our codecs hold them.
 */
import protobuf from "protobufjs";
import { EMPTY_BYTES } from "../../server/base/bytes.ts";
import type { Prng } from "../../server/base/prng.ts";
import * as authpb from "../../server/proto/authpb.ts";
import type { Codec } from "../../server/proto/codec.ts";
import * as etcdserverpb from "../../server/proto/etcdserverpb.ts";
import * as healthpb from "../../server/proto/healthpb.ts";
import * as leasepb from "../../server/proto/leasepb.ts";
import * as membershippb from "../../server/proto/membershippb.ts";
import * as mvccpb from "../../server/proto/mvccpb.ts";
import * as raftpb from "../../server/proto/raftpb.ts";
import * as v3electionpb from "../../server/proto/v3electionpb.ts";
import * as v3lockpb from "../../server/proto/v3lockpb.ts";
import * as walpb from "../../server/proto/walpb.ts";
import { type FieldFact, MESSAGES, type MessageFact } from "./etcd-schema.ts";

export type Values = Record<string, unknown>;

const rooms = [
  authpb,
  etcdserverpb,
  healthpb,
  leasepb,
  membershippb,
  mvccpb,
  raftpb,
  v3electionpb,
  v3lockpb,
  walpb,
] as const;

/** Every codec of server/proto by the name of its message. */
export const CODECS: ReadonlyMap<string, Codec<Values>> = new Map(
  rooms
    .flatMap((room) => Object.values(room) as unknown[])
    .filter((value): value is Codec<Values> => typeof (value as Partial<Codec<Values>>)?.typeName === "string")
    .map((codec) => [codec.typeName, codec]),
);

/** Messages that travel as the bytes they are, without being looked into. */
const RAW = new Set([
  "etcdserverpb.RangeResponse.kvs",
  "etcdserverpb.PutResponse.prev_kv",
  "etcdserverpb.DeleteRangeResponse.prev_kvs",
  "etcdserverpb.WatchResponse.events",
]);

/** Sub-messages of proto2 that are always written. */
const ALWAYS = new Set(["raftpb.SnapshotMetadata.conf_state", "raftpb.Snapshot.metadata"]);

const ID_NAMES = /^(lease|leader|to|from|vote|voters|learners|voters_outgoing|learners_next)$|I[Dd]$|_id$/;

/** 64-bit values that must stay exact; all other integers are numbers. */
function isId(field: FieldFact): boolean {
  return (
    (field.type.endsWith("int64") && ID_NAMES.test(field.name) && field.name !== "watch_id") || field.name === "id"
  );
}

/** etcd's field name as our property: "prev_kv" -> "prevKv", "peerURLs" -> "peerUrls", "remaining_TTL" -> "remainingTtl". */
export function propertyName(name: string): string {
  const words = name.replace("URLs", "Urls").replace("TTL", "Ttl").replace("ID", "Id");
  const camel = words.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return camel.charAt(0).toLowerCase() + camel.slice(1);
}

/** The oneof property and the kind under which a field is found, if it is in one. */
function oneofOf(message: MessageFact, field: FieldFact): { property: string; kind: string } | undefined {
  if (message.name === "etcdserverpb.InternalRaftRequest" && field.number > 1 && field.number !== 100)
    return { property: "request", kind: propertyName(field.name) };
  if (field.oneof === undefined) return undefined;
  const kind = field.name.replace(/^(request|response)_/, "").replace(/_request$/, "");
  return { property: propertyName(field.oneof), kind: propertyName(kind) };
}

const flat = (name: string): string => name.replaceAll(".", "_");

const root = protobuf.Root.fromJSON({
  nested: Object.fromEntries([...MESSAGES.values()].map((message) => [flat(message.name), describe(message)])),
});

/** Each field is alone in a oneof: then protobufjs writes it when it is set, zero or not, and `toReference` decides. */
function describe(message: MessageFact): protobuf.IType {
  const oneofs: Record<string, protobuf.IOneOf> = {};
  const fields: Record<string, protobuf.IField> = {};
  for (const field of message.fields) {
    const raw = RAW.has(`${message.name}.${field.name}`);
    const type = raw ? "bytes" : field.type === "enum" ? "int32" : flat(field.type);
    fields[field.name] = { id: field.number, type, options: { packed: field.packed } };
    if (field.repeated) Object.assign(fields[field.name] as object, { rule: "repeated" });
    else oneofs[`_${field.name}`] = { oneof: [field.name] };
  }
  return { fields, oneofs };
}

/** What protobufjs makes of `values`, with ascending fields, defaults left out in proto3 and written in proto2. */
export function referenceBytes(name: string, values: Values): Uint8Array {
  const type = root.lookupType(flat(name));
  return Uint8Array.from(type.encode(toReference(factOf(name), values)).finish());
}

function factOf(name: string): MessageFact {
  const fact = MESSAGES.get(name);
  if (fact === undefined) throw new Error(`etcd has no message ${name}`);
  return fact;
}

function toReference(message: MessageFact, values: Values): Values {
  const reference: Values = {};
  for (const field of message.fields) {
    const oneof = oneofOf(message, field);
    if (oneof !== undefined) {
      const chosen = values[oneof.property] as { kind: string; value: unknown } | undefined;
      if (chosen?.kind === oneof.kind) reference[field.name] = convert(message, field, chosen.value);
      continue;
    }
    const value = values[propertyName(field.name)];
    if (isLeftOut(message, field, value)) continue;
    reference[field.name] = field.repeated
      ? (value as unknown[]).map((item) => convert(message, field, item))
      : convert(message, field, value);
  }
  return reference;
}

function isLeftOut(message: MessageFact, field: FieldFact, value: unknown): boolean {
  if (field.repeated) return (value as unknown[]).length === 0;
  if (field.type === "bytes" || field.type === "string") return (value as { length: number }).length === 0;
  if (value === undefined) return true;
  return !message.proto2 && (value === 0 || value === 0n || value === false);
}

function convert(message: MessageFact, field: FieldFact, value: unknown): unknown {
  if (RAW.has(`${message.name}.${field.name}`)) return value;
  if (MESSAGES.has(field.type)) return toReference(factOf(field.type), value as Values);
  if (field.type.endsWith("int64")) return halves(BigInt(value as number | bigint));
  return value;
}

/** A 64-bit value as protobufjs takes it. */
function halves(value: bigint): { low: number; high: number; unsigned: boolean } {
  const word = BigInt.asUintN(64, value);
  return { low: Number(word & 0xffff_ffffn) | 0, high: Number(word >> 32n) | 0, unsigned: true };
}

/** A random message in our own shape: every default and every edge of a varint turns up. */
export function randomMessage(name: string, prng: Prng, depth = 0): Values {
  const message = factOf(name);
  const values = defaults(message);
  for (const field of message.fields) {
    const oneof = oneofOf(message, field);
    if (oneof !== undefined) {
      if (prng.chance(1 / 2) && depth < 4)
        values[oneof.property] = { kind: oneof.kind, value: randomValue(message, field, prng, depth) };
      continue;
    }
    const must = ALWAYS.has(`${name}.${field.name}`);
    if (!must && (prng.chance(1 / 3) || (depth >= 4 && MESSAGES.has(field.type)))) continue;
    const property = propertyName(field.name);
    if (field.repeated)
      values[property] = Array.from({ length: prng.below(4) }, () => randomValue(message, field, prng, depth));
    else values[property] = randomValue(message, field, prng, depth);
  }
  return values;
}

function defaults(message: MessageFact): Values {
  const values: Values = {};
  for (const field of message.fields) {
    const oneof = oneofOf(message, field);
    if (oneof !== undefined) values[oneof.property] = undefined;
    else values[propertyName(field.name)] = defaultOf(message, field);
  }
  return values;
}

function defaultOf(message: MessageFact, field: FieldFact): unknown {
  if (field.repeated) return [];
  if (MESSAGES.has(field.type) || RAW.has(`${message.name}.${field.name}`)) return undefined;
  if (field.type === "bytes") return EMPTY_BYTES;
  if (field.type === "string") return "";
  if (field.type === "bool") return false;
  return isId(field) ? 0n : 0;
}

function randomValue(message: MessageFact, field: FieldFact, prng: Prng, depth: number): unknown {
  if (RAW.has(`${message.name}.${field.name}`)) return prng.bytes(1 + prng.below(200));
  if (MESSAGES.has(field.type)) return randomMessage(field.type, prng, depth + 1);
  switch (field.type) {
    case "bytes":
      return randomBytes(prng);
    case "string":
      return prng.pick(STRINGS);
    case "bool":
      return prng.chance(1 / 2);
    case "enum":
      return prng.pick([0, 1, 2, 3, 4, 127, 128, 2147483647, -1, -2147483648]);
    case "uint32":
      return prng.pick([0, 1, 127, 128, 2147483648, 4294967295]);
    default:
      return randomInteger(field, prng);
  }
}

const STRINGS = [
  "",
  "a",
  "root",
  "http://127.0.0.1:2379",
  "x".repeat(48),
  "x".repeat(49),
  "x".repeat(200),
  "ä",
  "\ufeffmark",
  "k\u0000v",
  `${"y".repeat(60)}\u{1f600}`,
];

function randomBytes(prng: Prng): Uint8Array {
  const length = prng.pick([0, 1, 3, 31, 32, 33, 63, 64, 65, 127, 128, 300]);
  if (length === 0) return EMPTY_BYTES;
  return prng.bytes(prng.chance(1 / 100) ? 20_000 : length);
}

/** A 64-bit value by its number of bits, so that varints of all lengths come equally often. */
function randomInteger(field: FieldFact, prng: Prng): number | bigint {
  const exact = isId(field);
  const signed = field.type === "int64";
  const bits = prng.below(exact ? 65 : 54);
  const word = (BigInt(prng.uint32()) << 32n) | BigInt(prng.uint32());
  const size = bits === 0 ? 0n : BigInt.asUintN(bits, word) | (1n << BigInt(bits - 1));
  if (exact) return signed ? BigInt.asIntN(64, size) : size;
  return Number(signed && prng.chance(1 / 4) ? -size : size) || 0;
}
