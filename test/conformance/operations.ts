/** Words for what transactions are made of. */
import { utf8Bytes } from "../../server/base/bytes.ts";
import {
  Compare,
  CompareResult,
  CompareTarget,
  type CompareTargetUnion,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../server/proto/etcdserverpb.ts";
import { type Fields, made } from "./store.ts";

export function put(key: string, value = "", fields: Fields<PutRequest> = {}): RequestOp {
  return RequestOp.create({ request: { kind: "put", value: made(PutRequest, { key, value, ...fields }) } });
}

export function range(key: string, fields: Fields<RangeRequest> = {}): RequestOp {
  return RequestOp.create({ request: { kind: "range", value: made(RangeRequest, { key, ...fields }) } });
}

export function remove(key: string, fields: Fields<DeleteRangeRequest> = {}): RequestOp {
  return RequestOp.create({ request: { kind: "deleteRange", value: made(DeleteRangeRequest, { key, ...fields }) } });
}

export function nested(request: Partial<TxnRequest>): RequestOp {
  return RequestOp.create({ request: { kind: "txn", value: TxnRequest.create(request) } });
}

const RESULTS = {
  "=": CompareResult.EQUAL,
  ">": CompareResult.GREATER,
  "<": CompareResult.LESS,
  "!=": CompareResult.NOT_EQUAL,
} as const;

const TARGETS = {
  version: CompareTarget.VERSION,
  createRevision: CompareTarget.CREATE,
  modRevision: CompareTarget.MOD,
  value: CompareTarget.VALUE,
  lease: CompareTarget.LEASE,
} as const;

export type Relation = keyof typeof RESULTS;

/** A condition on one key, or on every key before `rangeEnd`: `compare("a", "version", "=", 1)`. */
export function compare(
  key: string,
  kind: keyof typeof TARGETS,
  relation: Relation,
  value: number | bigint | string,
  rangeEnd = "",
): Compare {
  const operand = typeof value === "string" ? utf8Bytes(value) : value;
  return Compare.create({
    result: RESULTS[relation],
    target: TARGETS[kind],
    key: utf8Bytes(key),
    targetUnion: { kind, value: operand } as CompareTargetUnion,
    rangeEnd: utf8Bytes(rangeEnd),
  });
}
