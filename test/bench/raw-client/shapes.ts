/** The requests of the loads, each once: as they are sent by every load generator, and as templates for the raw client. */
import type { Codec } from "../../../server/proto/codec.ts";
import { SERVICES } from "../../../server/proto/services.ts";
import { ANY_REVISION, keyOf, Template } from "./template.ts";

export const VALUE_BYTES = 256;
export const UPDATE_BYTES = 1024;
/** Puts in one txn that fills a store: both servers take no more by default. */
export const FILL_PUTS = 128;
export const LIST_KEYS = 500;
export const PREFIX = "bench/";
export const LIST_PREFIX = "list/";

const { range, put, txn } = SERVICES.kv.methods;
const EQUAL = 0;
const MOD_REVISION = 2;

/** A request by name; what its keys are called follows from it. */
export const SHAPES = {
  "range serializable": { method: range, template: () => rangeOf(true) },
  "range linearizable": { method: range, template: () => rangeOf(false) },
  put: { method: put, template: () => putOf(PREFIX, VALUE_BYTES) },
  "list put": { method: put, template: () => putOf(LIST_PREFIX, UPDATE_BYTES) },
  list: { method: range, template: listOf },
  update: { method: txn, template: updateOf },
} as const satisfies Record<
  string,
  { method: { path: string; request: Codec<never> | object }; template: () => Template }
>;

export type ShapeName = keyof typeof SHAPES;

/** A value that nobody could make smaller by seeing that it repeats. */
export function someValue(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => 33 + (((index * 2_654_435_761) >>> 8) % 90));
}

/** One txn with `puts` puts; the n-th place of its template is the n-th put's key. */
export function fillOf(prefix: string, keyBytes: number, valueBytes: number, puts: number): Template {
  const value = someValue(valueBytes);
  const key = keyOf(prefix, 0, keyBytes);
  const success = Array.from({ length: puts }, () => ({
    request: { kind: "put" as const, value: put.request.create({ key, value }) },
  }));
  return Template.of(txn.request, { success }, key);
}

function rangeOf(serializable: boolean): Template {
  const key = keyOf(PREFIX, 0);
  return Template.of(range.request, { key, serializable }, key);
}

function putOf(prefix: string, bytes: number): Template {
  const key = keyOf(prefix, 0);
  return Template.of(put.request, { key, value: someValue(bytes) }, key);
}

function listOf(): Template {
  const key = keyOf(LIST_PREFIX, 0).subarray(0, LIST_PREFIX.length);
  const rangeEnd = Uint8Array.from(key);
  (rangeEnd[rangeEnd.length - 1] as number)++;
  return Template.of(range.request, { key, rangeEnd, limit: LIST_KEYS }, keyOf(LIST_PREFIX, 0));
}

/** How Kubernetes updates: the value is put when nobody has changed it since it was read, else it is read again. */
function updateOf(): Template {
  const key = keyOf(PREFIX, 0);
  const compare = [
    { result: EQUAL, target: MOD_REVISION, key, targetUnion: { kind: "modRevision" as const, value: ANY_REVISION } },
  ];
  const value = put.request.create({ key, value: someValue(UPDATE_BYTES) });
  const fields = {
    compare: compare.map((one) => ({ ...one, rangeEnd: new Uint8Array(0) })),
    success: [{ request: { kind: "put" as const, value } }],
    failure: [{ request: { kind: "range" as const, value: range.request.create({ key }) } }],
  };
  return Template.of(txn.request, fields, key);
}
