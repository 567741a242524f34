/**
 * What the log's records hold: entries, hard states and snapshot marks, read strictly. A record's type is outside its
 * checksum, so one kind must not pass for another: fields come once, in order, and nothing else may be there.
 * Writing stands in `batch.ts`.
 */
import { EMPTY_BYTES } from "../base/bytes.ts";
import { ConfState, type Entry, EntryType, type HardState } from "../proto/raftpb.ts";
import type { Snapshot } from "../proto/walpb.ts";
import { readVarint, varintBytes } from "./record.ts";

const VARINT = 0;
const BYTES = 2;

/** Field numbers in order with their wire types. */
type Form = ReadonlyMap<number, number>;

const STATE_FORM: Form = new Map([
  [1, VARINT],
  [2, VARINT],
  [3, VARINT],
]);
const SNAPSHOT_FORM: Form = new Map([
  [1, VARINT],
  [2, VARINT],
  [3, BYTES],
]);

/** Where the fields of a message lie in `bytes`. A varint's place is its first byte. */
type Places = Map<number, { readonly from: number; readonly to: number }>;

/** The places of the fields in `bytes`, or undefined when it is not of this form. */
function placesOf(bytes: Uint8Array, form: Form): Places | undefined {
  const places: Places = new Map();
  let at = 0;
  let before = 0;
  while (at < bytes.length) {
    const tag = bytes[at++] as number;
    const field = tag >>> 3;
    if (field <= before || form.get(field) !== (tag & 7)) return undefined;
    before = field;
    let from = at;
    let to = endOfVarint(bytes, at);
    if (to === undefined) return undefined;
    if ((tag & 7) === BYTES) {
      const length = readVarint(bytes, at, bytes.length);
      if (length === undefined) return undefined;
      from = to;
      to = from + length;
      if (to > bytes.length) return undefined;
    }
    places.set(field, { from, to });
    at = to;
  }
  return places;
}

function endOfVarint(bytes: Uint8Array, at: number): number | undefined {
  for (let next = at; next < bytes.length && next < at + 10; next++)
    if ((bytes[next] as number) < 0x80) return next + 1;
  return undefined;
}

/** A number field; 0 when absent, undefined when it is too large to be true. */
function numberAt(bytes: Uint8Array, places: Places, field: number): number | undefined {
  const place = places.get(field);
  return place === undefined ? 0 : readVarint(bytes, place.from, place.to);
}

function uint64At(bytes: Uint8Array, places: Places, field: number): bigint {
  const place = places.get(field);
  if (place === undefined) return 0n;
  let value = 0n;
  for (let at = place.to - 1; at >= place.from; at--) value = (value << 7n) | BigInt((bytes[at] as number) & 0x7f);
  return BigInt.asUintN(64, value);
}

function bytesAt(bytes: Uint8Array, places: Places, field: number): Uint8Array | undefined {
  const place = places.get(field);
  return place === undefined ? undefined : bytes.subarray(place.from, place.to);
}

/**
 * The entry in `bytes` (its data is a view into them), or undefined when there is none that raft could have made. By
 * hand, as a restart reads hundreds of thousands: [08 type] 10 term 18 index [22 length data].
 */
export function readEntry(bytes: Uint8Array): Entry | undefined {
  const end = bytes.length;
  const typed = bytes[0] === 0x08;
  const type = typed ? (bytes[1] as number) : EntryType.NORMAL;
  let at = typed ? 2 : 0;
  if (bytes[at++] !== 0x10) return undefined;
  const term = readVarint(bytes, at, end);
  if (!term) return undefined;
  at += varintBytes(term);
  if (bytes[at++] !== 0x18) return undefined;
  const index = readVarint(bytes, at, end);
  if (!index) return undefined;
  at += varintBytes(index);
  // A change of members always says which; without this a hard state could pass for one.
  if (at === end) return type === EntryType.NORMAL ? { type, term, index, data: EMPTY_BYTES } : undefined;
  if (type > EntryType.CONF_CHANGE_V2 || bytes[at++] !== 0x22) return undefined;
  const length = readVarint(bytes, at, end);
  if (length === undefined) return undefined;
  at += varintBytes(length);
  return at + length === end ? { type, term, index, data: bytes.subarray(at) } : undefined;
}

/** The hard state in `bytes`, or undefined: one without a term is never written. */
export function readState(bytes: Uint8Array): HardState | undefined {
  const places = placesOf(bytes, STATE_FORM);
  if (places === undefined) return undefined;
  const term = numberAt(bytes, places, 1);
  const commit = numberAt(bytes, places, 3);
  if (!term || commit === undefined) return undefined;
  return { term, vote: uint64At(bytes, places, 2), commit };
}

/** The snapshot mark in `bytes`, or undefined. */
export function readSnapshot(bytes: Uint8Array): Snapshot | undefined {
  const places = placesOf(bytes, SNAPSHOT_FORM);
  if (!places?.has(1) || !places.has(2)) return undefined;
  const index = numberAt(bytes, places, 1);
  const term = numberAt(bytes, places, 2);
  if (index === undefined || term === undefined || (index > 0 && term === 0)) return undefined;
  const confState = bytesAt(bytes, places, 3);
  if (confState === undefined) return { index, term, confState: undefined };
  try {
    return { index, term, confState: ConfState.decode(confState) };
  } catch {
    return undefined;
  }
}
