/**
 * What a RangeRequest asks of the KeyValues that were found: which pass, in which order, with or without their values.
 * Rules of the request alone, for whoever answers it: at once or in steps.
 */
import { compareBytes, EMPTY_BYTES } from "../base/bytes.ts";
import { type RangeRequest, SortOrder, SortTarget } from "./etcdserverpb/kv.ts";
import { encodeKeyValue, KeyValue } from "./mvccpb.ts";

/** Whether a revision may keep a key out of the answer. */
export function hasFilters(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

export function passesFilters(request: RangeRequest, kv: KeyValue): boolean {
  return (
    (request.maxModRevision === 0 || kv.modRevision <= request.maxModRevision) &&
    (request.minModRevision === 0 || kv.modRevision >= request.minModRevision) &&
    (request.maxCreateRevision === 0 || kv.createRevision <= request.maxCreateRevision) &&
    (request.minCreateRevision === 0 || kv.createRevision >= request.minCreateRevision)
  );
}

/** Keys come in rising order already; a target other than the key without an order means rising. */
export function needsSort({ sortTarget, sortOrder }: RangeRequest): boolean {
  return sortTarget !== SortTarget.KEY || sortOrder === SortOrder.DESCEND;
}

/** Negative, zero or positive, as the request orders the two. */
export function compareFor({ sortTarget, sortOrder }: RangeRequest, left: KeyValue, right: KeyValue): number {
  const rising = compareBy(sortTarget, left, right);
  return sortOrder === SortOrder.DESCEND ? -rising : rising;
}

function compareBy(target: number, left: KeyValue, right: KeyValue): number {
  switch (target) {
    case SortTarget.VERSION:
      return left.version - right.version;
    case SortTarget.CREATE:
      return left.createRevision - right.createRevision;
    case SortTarget.MOD:
      return left.modRevision - right.modRevision;
    case SortTarget.VALUE:
      return compareBytes(left.value, right.value);
    default:
      return compareBytes(left.key, right.key);
  }
}

/** An encoded KeyValue without its value. */
export function withoutValue(bytes: Uint8Array): Uint8Array {
  return encodeKeyValue({ ...KeyValue.decode(bytes), value: EMPTY_BYTES });
}
