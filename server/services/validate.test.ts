import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Bytes } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  SortOrder,
  SortTarget,
  TxnRequest,
} from "../proto/etcdserverpb.ts";
import { checkDeleteRange, checkPut, checkRange, checkRangeStream, checkTxn } from "./validate.ts";

/** The refusal's code, "" when there is none. */
function refusal(check: () => void): string {
  try {
    check();
    return "";
  } catch (error) {
    assert.ok(error instanceof EtcdError);
    return error.detail === undefined ? error.code : `${error.code}: ${error.detail}`;
  }
}

const key = utf8Bytes("k");

function put(name: string): RequestOp {
  return RequestOp.create({ request: { kind: "put", value: PutRequest.create({ key: utf8Bytes(name) }) } });
}

function del(name: string, end = ""): RequestOp {
  const value = DeleteRangeRequest.create({ key: utf8Bytes(name), rangeEnd: utf8Bytes(end) });
  return RequestOp.create({ request: { kind: "deleteRange", value } });
}

function range(name: string): RequestOp {
  return RequestOp.create({ request: { kind: "range", value: RangeRequest.create({ key: utf8Bytes(name) }) } });
}

function txn(success: RequestOp[], failure: RequestOp[] = []): RequestOp {
  return RequestOp.create({ request: { kind: "txn", value: TxnRequest.create({ success, failure }) } });
}

function txnRefusal(success: RequestOp[], failure: RequestOp[] = [], maxOperations = 128): string {
  return refusal(() => checkTxn(TxnRequest.create({ success, failure }), maxOperations));
}

test("a range without a key, or in an order that does not exist, is refused", () => {
  const check = (fields: Partial<RangeRequest>) => refusal(() => checkRange(RangeRequest.create(fields)));
  assert.equal(check({ key }), "");
  assert.equal(check({ key, sortOrder: SortOrder.DESCEND, sortTarget: SortTarget.VALUE }), "");
  assert.equal(check({}), "EmptyKey");
  assert.equal(check({ sortOrder: 9 }), "EmptyKey");
  assert.equal(check({ key, sortOrder: 3 }), "InvalidSortOption");
  assert.equal(check({ key, sortOrder: -1 }), "InvalidSortOption");
  assert.equal(check({ key, sortTarget: 5 }), "InvalidSortOption");
});

test("a range stream has the keys' own order and no filters", () => {
  const check = (fields: Partial<RangeRequest>) =>
    refusal(() => checkRangeStream(RangeRequest.create({ key, ...fields })));
  const noOrder = "Unimplemented: RangeStream does not support custom sort orders";
  const noFilter = "Unimplemented: RangeStream does not support revision filters";
  assert.equal(check({}), "");
  assert.equal(check({ sortOrder: SortOrder.ASCEND }), "");
  assert.equal(check({ sortTarget: SortTarget.MOD }), "", "a target without an order is let through, as in etcd");
  assert.equal(check({ sortOrder: SortOrder.DESCEND }), noOrder);
  assert.equal(check({ sortOrder: SortOrder.ASCEND, sortTarget: SortTarget.MOD }), noOrder);
  assert.equal(check({ minModRevision: 1 }), noFilter);
  assert.equal(check({ maxCreateRevision: -1 }), noFilter);
  assert.equal(check({ sortOrder: 7 }), "InvalidSortOption");
});

test("a put that keeps the value brings none, and the same with the lease", () => {
  const check = (fields: Partial<PutRequest>) => refusal(() => checkPut(PutRequest.create(fields)));
  assert.equal(check({ key }), "");
  assert.equal(check({ key, ignoreValue: true, ignoreLease: true }), "");
  assert.equal(check({ ignoreValue: true, value: key }), "EmptyKey");
  assert.equal(check({ key, ignoreValue: true, value: key, ignoreLease: true, lease: 1n }), "ValueProvided");
  assert.equal(check({ key, ignoreLease: true, lease: -1n }), "LeaseProvided");
  assert.equal(
    refusal(() => checkDeleteRange(DeleteRangeRequest.create())),
    "EmptyKey",
  );
});

test("a transaction's faults are found in etcd's order", () => {
  const noKey = Compare.create();
  const check = (fields: Partial<TxnRequest>, max = 2) => refusal(() => checkTxn(TxnRequest.create(fields), max));
  assert.equal(check({}), "");
  assert.equal(check({ compare: [noKey, noKey, noKey] }), "TooManyOps", "counted before looked at");
  assert.equal(check({ compare: [noKey], success: [RequestOp.create()] }), "EmptyKey");
  assert.equal(check({ success: [RequestOp.create()] }), "KeyNotFound", "an operation without content");
  assert.equal(check({ success: [put("a"), put("a")], failure: [put("")] }), "EmptyKey", "overlaps come last");
  assert.equal(check({ success: [put("a"), put("a")], failure: [put("b"), put("b")] }), "DuplicateKey");
  assert.equal(check({ failure: [put("b"), put("b")] }), "DuplicateKey");
});

test("a nested transaction lives on what its parent has left", () => {
  const nested = (depth: number): RequestOp => (depth === 0 ? put("k") : txn([nested(depth - 1)]));
  assert.equal(txnRefusal([nested(2)], [], 3), "");
  assert.equal(txnRefusal([nested(3)], [], 3), "TooManyOps");
  assert.equal(txnRefusal([txn([put("a"), put("b")]), put("c")], [], 4), "");
  assert.equal(txnRefusal([txn([put("a"), put("b"), put("c")]), put("d")], [], 4), "TooManyOps");
  assert.equal(txnRefusal([txn([put("a")])], [put("b"), put("c")], 2), "TooManyOps", "the longest list counts");
  assert.equal(txnRefusal([nested(127)]), "");
  assert.equal(txnRefusal([nested(128)]), "TooManyOps");
});

test("no key is written twice in one branch", () => {
  assert.equal(txnRefusal([put("a"), put("b")], [put("a"), put("b")]), "");
  assert.equal(txnRefusal([put("a"), range("a"), put("a")]), "DuplicateKey");
  assert.equal(txnRefusal([put("a"), del("a")]), "DuplicateKey");
  assert.equal(txnRefusal([del("a", "c"), put("b")]), "DuplicateKey");
  assert.equal(txnRefusal([del("a", "c"), put("c")]), "", "the end is exclusive");
  assert.equal(txnRefusal([del("a"), put("a\0")]), "", "one key is one key");
  assert.equal(txnRefusal([del("a", "c"), del("b", "d"), del("a")]), "", "deletes may overlap");
  assert.equal(txnRefusal([del("a", "c"), del("b", "d"), put("c")]), "DuplicateKey");
  assert.equal(txnRefusal([del("c", "d"), del("a", "b"), del("b", "c"), put("bb")]), "DuplicateKey");
});

test("a delete to the end of all keys covers nothing here, nor does one that ends before it begins", () => {
  assert.equal(txnRefusal([del("a", "\0"), put("b")]), "");
  assert.equal(txnRefusal([del("c", "a"), put("b")]), "");
  assert.equal(txnRefusal([del("c", "a"), put("c")]), "");
});

test("overlaps are seen into nested transactions as far as etcd sees", () => {
  assert.equal(txnRefusal([txn([put("a")], [put("a")])]), "", "one of the two is taken");
  assert.equal(txnRefusal([txn([put("a")]), txn([put("a")])]), "DuplicateKey");
  assert.equal(txnRefusal([txn([put("a")]), txn([], [put("a")])]), "DuplicateKey");
  assert.equal(txnRefusal([txn([put("a")]), put("a")]), "DuplicateKey");
  assert.equal(txnRefusal([put("a"), txn([put("a")])]), "DuplicateKey");
  assert.equal(txnRefusal([txn([put("a")]), del("a")]), "DuplicateKey");
  assert.equal(txnRefusal([txn([del("a")]), txn([put("a")])]), "DuplicateKey");
  assert.equal(txnRefusal([txn([put("a")]), txn([del("a")])]), "", "an earlier put under a later delete is not seen");
  assert.equal(txnRefusal([txn([put("a")], [del("a")])]), "");
  assert.equal(txnRefusal([txn([txn([put("a")], [put("b")])]), put("b")]), "DuplicateKey");
  assert.equal(txnRefusal([txn([txn([del("a", "z")])]), put("b")]), "DuplicateKey");
});

test("a large transaction of overlapping deletes is judged in reasonable time", () => {
  const half = (from: number) =>
    txn(Array.from({ length: 100 }, (_, at) => del(`${String(from + at).padStart(5, "0")}`, "9")));
  const success = Array.from({ length: 27 }, (_, at) => half(at * 100));
  assert.equal(txnRefusal([...success, put("a")]), "");
  assert.equal(txnRefusal([...success, put("02650")]), "DuplicateKey");
});
