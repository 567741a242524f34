/**
 * Refusals that need no state: what a request says of itself. Asked before anything else, in etcd's order, so that a
 * request with several faults is refused for the same one.
 */
import { EtcdError } from "../base/error.ts";
import {
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  SortOrder,
  SortTarget,
  type TxnRequest,
} from "../proto/etcdserverpb.ts";
import { checkOverlaps } from "./txn-overlap.ts";

/** Throws EmptyKey or InvalidSortOption. */
export function checkRange(request: RangeRequest): void {
  if (request.key.length === 0) throw new EtcdError("EmptyKey");
  if (!isKnown(request.sortOrder, SortOrder.DESCEND) || !isKnown(request.sortTarget, SortTarget.VALUE)) {
    throw new EtcdError("InvalidSortOption");
  }
}

/** Enums here count up from 0 without holes. */
function isKnown(value: number, last: number): boolean {
  return value >= 0 && value <= last;
}

/** Beside what every range is held to: a stream has no order but the keys', and no filters. */
export function checkRangeStream(request: RangeRequest): void {
  checkRange(request);
  const byKey = request.sortTarget === SortTarget.KEY && request.sortOrder === SortOrder.ASCEND;
  if (request.sortOrder !== SortOrder.NONE && !byKey) {
    throw new EtcdError("Unimplemented", "RangeStream does not support custom sort orders");
  }
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  if (minModRevision !== 0 || maxModRevision !== 0 || minCreateRevision !== 0 || maxCreateRevision !== 0) {
    throw new EtcdError("Unimplemented", "RangeStream does not support revision filters");
  }
}

/** Throws EmptyKey, ValueProvided or LeaseProvided. */
export function checkPut(request: PutRequest): void {
  if (request.key.length === 0) throw new EtcdError("EmptyKey");
  if (request.ignoreValue && request.value.length !== 0) throw new EtcdError("ValueProvided");
  if (request.ignoreLease && request.lease !== 0n) throw new EtcdError("LeaseProvided");
}

/** Throws EmptyKey. */
export function checkDeleteRange(request: DeleteRangeRequest): void {
  if (request.key.length === 0) throw new EtcdError("EmptyKey");
}

/**
 * Throws TooManyOps, DuplicateKey, KeyNotFound for an operation without content, or what its operations are refused
 * for. At most `maxOperations` compares, and as many operations in either branch.
 */
export function checkTxn(request: TxnRequest, maxOperations: number): void {
  checkOperations(request, maxOperations);
  // Only after the sizes are known to be bounded: this costs more.
  checkOverlaps(request.success);
  checkOverlaps(request.failure);
}

/**
 * A nested transaction may use what its parent's longest list has left. So the depth is bounded too: every level takes
 * at least one.
 */
function checkOperations(request: TxnRequest, maxOperations: number): void {
  const { compare, success, failure } = request;
  const operations = Math.max(compare.length, success.length, failure.length);
  if (operations > maxOperations) throw new EtcdError("TooManyOps");
  for (const { key } of compare) if (key.length === 0) throw new EtcdError("EmptyKey");
  const left = maxOperations - operations;
  for (const operation of success) checkOperation(operation, left);
  for (const operation of failure) checkOperation(operation, left);
}

function checkOperation({ request }: RequestOp, maxOperations: number): void {
  switch (request?.kind) {
    case "range":
      checkRange(request.value);
      break;
    case "put":
      checkPut(request.value);
      break;
    case "deleteRange":
      checkDeleteRange(request.value);
      break;
    case "txn":
      checkOperations(request.value, maxOperations);
      break;
    default:
      throw new EtcdError("KeyNotFound");
  }
}
