/** Requests that random choice rarely or never makes: each edge of the contract, once. */
import { EMPTY_BYTES, utf8Bytes } from "../../server/base/bytes.ts";
import {
  CompactionRequest,
  DeleteRangeRequest,
  HashKVRequest,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../server/proto/etcdserverpb.ts";
import type { Request } from "./generator.ts";

const key = utf8Bytes("directed");

function put(name: string): RequestOp {
  return RequestOp.create({
    request: { kind: "put", value: PutRequest.create({ key: utf8Bytes(name), value: utf8Bytes("v") }) },
  });
}

function remove(name: string, rangeEnd = ""): RequestOp {
  const value = DeleteRangeRequest.create({ key: utf8Bytes(name), rangeEnd: utf8Bytes(rangeEnd) });
  return RequestOp.create({ request: { kind: "deleteRange", value } });
}

function nested(value: Partial<TxnRequest>): RequestOp {
  return RequestOp.create({ request: { kind: "txn", value: TxnRequest.create(value) } });
}

function txn(message: Partial<TxnRequest>): Request {
  return { method: "txn", message: TxnRequest.create(message) };
}

function many(count: number): RequestOp[] {
  return Array.from({ length: count }, (_, at) => put(`many/${at}`));
}

export function directedRequests(): Request[] {
  return [
    { method: "put", message: PutRequest.create({ key, value: utf8Bytes("v") }) },
    { method: "put", message: PutRequest.create() },
    { method: "put", message: PutRequest.create({ key, value: new Uint8Array(1_572_864) }) },
    { method: "put", message: PutRequest.create({ key, value: new Uint8Array(2_200_000) }) },
    { method: "put", message: PutRequest.create({ key, value: utf8Bytes("v"), ignoreValue: true }) },
    { method: "put", message: PutRequest.create({ key, value: utf8Bytes("v"), lease: 1n, ignoreLease: true }) },
    { method: "put", message: PutRequest.create({ key: utf8Bytes("nowhere"), ignoreValue: true }) },
    { method: "put", message: PutRequest.create({ key, lease: 404n }) },
    { method: "put", message: PutRequest.create({ key, lease: -1n }) },
    { method: "range", message: RangeRequest.create() },
    { method: "range", message: RangeRequest.create({ key, sortOrder: 9 }) },
    { method: "range", message: RangeRequest.create({ key, sortTarget: -1 }) },
    { method: "range", message: RangeRequest.create({ key, revision: Number.MAX_SAFE_INTEGER }) },
    { method: "range", message: RangeRequest.create({ key, limit: Number.MAX_SAFE_INTEGER }) },
    { method: "range", message: RangeRequest.create({ key, limit: -7, rangeEnd: Uint8Array.of(0) }) },
    { method: "rangeStream", message: RangeRequest.create({ key, sortOrder: 1, sortTarget: 1 }) },
    { method: "rangeStream", message: RangeRequest.create({ key, minModRevision: 1 }) },
    { method: "rangeStream", message: RangeRequest.create() },
    { method: "rangeStream", message: RangeRequest.create({ key, rangeEnd: Uint8Array.of(0), countOnly: true }) },
    { method: "deleteRange", message: DeleteRangeRequest.create() },
    txn({}),
    txn({ success: many(128) }),
    txn({ success: many(129) }),
    txn({ success: [nested({ success: many(127) })] }),
    txn({ success: [nested({ success: many(128) })] }),
    txn({ success: [...many(64), nested({ success: [put("x"), put("y")] })] }),
    txn({ success: [put("dup"), put("dup")] }),
    txn({ success: [put("dup/1"), remove("dup/", "dup0")] }),
    txn({ success: [remove("dup/", "dup0"), put("dup/1")] }),
    txn({ success: [remove("dup/", "dup0"), remove("dup/", "dup0")] }),
    txn({ success: [put("dup")], failure: [put("dup")] }),
    txn({ success: [nested({ success: [put("n")], failure: [put("n")] })] }),
    txn({ success: [nested({ success: [put("n")] }), nested({ success: [put("n")] })] }),
    txn({ success: [nested({ success: [put("n/1")] }), remove("n/", "n0")] }),
    txn({ success: [nested({ success: [put("n/1")] }), nested({ success: [remove("n/", "n0")] })] }),
    txn({ success: [nested({ success: [remove("n/", "n0")] }), nested({ success: [put("n/1")] })] }),
    txn({ success: [put("o"), remove("a", "\0")] }),
    txn({ success: [RequestOp.create()] }),
    txn({ success: [put("")] }),
    txn({ success: [remove("")] }),
    { method: "compact", message: CompactionRequest.create({ revision: Number.MAX_SAFE_INTEGER }) },
    { method: "compact", message: CompactionRequest.create({ revision: -1 }) },
    { method: "hashKv", message: HashKVRequest.create({ revision: Number.MAX_SAFE_INTEGER }) },
    { method: "leaseGrant", message: LeaseGrantRequest.create({ id: 900n, ttl: 9_000_000_001 }) },
    { method: "leaseGrant", message: LeaseGrantRequest.create({ id: 901n, ttl: 9_000_000_000 }) },
    { method: "leaseGrant", message: LeaseGrantRequest.create({ id: 901n, ttl: 50 }) },
    { method: "leaseGrant", message: LeaseGrantRequest.create({ id: 902n, ttl: 0 }) },
    { method: "leaseGrant", message: LeaseGrantRequest.create({ id: 903n, ttl: -5 }) },
    { method: "leaseGrant", message: LeaseGrantRequest.create({ id: -904n, ttl: 100_000 }) },
    { method: "leaseRevoke", message: LeaseRevokeRequest.create({ id: 901n }) },
    { method: "leaseRevoke", message: LeaseRevokeRequest.create({ id: 901n }) },
    { method: "leaseRevoke", message: LeaseRevokeRequest.create({ id: 0n }) },
    { method: "leaseRevoke", message: LeaseRevokeRequest.create({ id: 902n }) },
    { method: "leaseRevoke", message: LeaseRevokeRequest.create({ id: 903n }) },
    {
      method: "range",
      message: RangeRequest.create({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), keysOnly: true }),
    },
    { method: "range", message: RangeRequest.create({ key: Uint8Array.of(0), rangeEnd: EMPTY_BYTES }) },
  ];
}
