/** What a write will take, as etcd estimates it before it is written: the quota compares with this. */
import type { InternalRequest, PutRequest, RequestOp, TxnRequest } from "../proto/etcdserverpb.ts";

const PUT_OVERHEAD_BYTES = 256;
const LEASE_OVERHEAD_BYTES = 64;

/** Bytes that a request adds at most; 0 for what only reads or deletes. */
export function costBytes(request: InternalRequest): number {
  switch (request.kind) {
    case "put":
      return putCostBytes(request.value);
    case "txn":
      return txnCostBytes(request.value);
    case "leaseGrant":
      return LEASE_OVERHEAD_BYTES;
    default:
      return 0;
  }
}

function putCostBytes(put: PutRequest): number {
  return PUT_OVERHEAD_BYTES + put.key.length + put.value.length;
}

/** The dearer of the two branches, nested transactions included. */
export function txnCostBytes(txn: TxnRequest): number {
  return Math.max(branchCostBytes(txn.success), branchCostBytes(txn.failure));
}

function branchCostBytes(operations: readonly RequestOp[]): number {
  let total = 0;
  for (const { request } of operations) {
    if (request?.kind === "put") total += putCostBytes(request.value);
    else if (request?.kind === "txn") total += txnCostBytes(request.value);
  }
  return total;
}
