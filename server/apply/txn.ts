/**
 * A transaction. First the path: every compare, in nested transactions too, is judged against the state before, so that
 * the branches taken are fixed up front. Then the checks of the operations on that path. Only then the operations, in
 * order, each seeing what the earlier ones wrote; nothing can refuse any more.
 */
import { compareBytes, EMPTY_BYTES } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import type { Version } from "../mvcc/key-index.ts";
import type { WriteTxn } from "../mvcc/write-txn.ts";
import {
  type Compare,
  CompareResult,
  CompareTarget,
  type RangeRequest,
  type RequestOp,
  ResponseOp,
  revisionHeader,
  type TxnRequest,
  type TxnResponse,
} from "../proto/etcdserverpb.ts";
import { KeyValue } from "../proto/mvccpb.ts";
import { executeDeleteRange } from "./delete-range.ts";
import { checkPut, executePut } from "./put.ts";
import { executeRange, type RangeView } from "./range.ts";
import type { State } from "./state.ts";

/** The branch that a transaction takes, and those of the nested ones in it, in the order of its operations. */
interface Path {
  readonly succeeded: boolean;
  readonly nested: readonly Path[];
}

/** What compares and the checks of reads need beside ranges. */
export interface TxnView extends RangeView {
  readonly currentRevision: number;
  readonly compactRevision: number;
  /** Revisions and version of a key that exists now, without its value. */
  version(key: Uint8Array): Version | undefined;
}

/** Applies `request` in `write`. Throws `EtcdError` with nothing changed. */
export function executeTxn(state: State, write: WriteTxn, request: TxnRequest): TxnResponse {
  const path = choosePath(state.store, request);
  check(state.store, request, path, (put) => checkPut(state, state.store, put));
  const response = run(request, path, (operation) => runWriting(state, write, operation));
  response.header = revisionHeader(write.currentRevision);
  return response;
}

/** Answers a transaction of nothing but ranges from a view of the store, without the log. */
export function executeReadOnlyTxn(view: TxnView, request: TxnRequest): TxnResponse {
  const path = choosePath(view, request);
  check(view, request, path, () => undefined);
  const response = run(request, path, (operation) => runReading(view, operation));
  response.header = revisionHeader(view.currentRevision);
  return response;
}

/** Of one with no transaction in it, as nearly all are; never added to. */
const NO_PATHS: Path[] = [];

function choosePath(view: TxnView, request: TxnRequest): Path {
  const succeeded = allHold(view, request.compare);
  let nested = NO_PATHS;
  for (const { request: operation } of branch(request, succeeded)) {
    if (operation?.kind !== "txn") continue;
    if (nested === NO_PATHS) nested = [];
    nested.push(choosePath(view, operation.value));
  }
  return { succeeded, nested };
}

function allHold(view: TxnView, compares: readonly Compare[]): boolean {
  for (const compare of compares) if (!holds(view, compare)) return false;
  return true;
}

function branch(request: TxnRequest, succeeded: boolean): readonly RequestOp[] {
  return succeeded ? request.success : request.failure;
}

type PutOf = Extract<RequestOp["request"], { kind: "put" }>["value"];

function check(view: TxnView, request: TxnRequest, path: Path, checkOnePut: (put: PutOf) => void): void {
  let next = 0;
  for (const { request: operation } of branch(request, path.succeeded)) {
    if (operation?.kind === "range") checkRange(view, operation.value);
    else if (operation?.kind === "put") checkOnePut(operation.value);
    else if (operation?.kind === "txn") check(view, operation.value, path.nested[next++] as Path, checkOnePut);
  }
}

/** A transaction is stricter than a plain Range: a negative revision is not "latest" here. */
function checkRange(view: TxnView, request: RangeRequest): void {
  if (request.revision === 0) return;
  if (request.revision > view.currentRevision) throw new EtcdError("FutureRevision");
  if (request.revision < view.compactRevision) throw new EtcdError("Compacted");
}

function run(request: TxnRequest, path: Path, one: (operation: RequestOp) => ResponseOp | undefined): TxnResponse {
  let next = 0;
  const responses = branch(request, path.succeeded).map((operation) => {
    if (operation.request?.kind === "txn") {
      const value = run(operation.request.value, path.nested[next++] as Path, one);
      return { response: { kind: "txn" as const, value } };
    }
    return one(operation) ?? ResponseOp.create();
  });
  return { header: revisionHeader(0), succeeded: path.succeeded, responses };
}

function runWriting(state: State, write: WriteTxn, { request }: RequestOp): ResponseOp | undefined {
  switch (request?.kind) {
    case "range":
      return { response: { kind: "range", value: executeRange(write, request.value) } };
    case "put":
      return { response: { kind: "put", value: executePut(state, write, request.value) } };
    case "deleteRange":
      return { response: { kind: "deleteRange", value: executeDeleteRange(state, write, request.value) } };
    default:
      return undefined;
  }
}

function runReading(view: RangeView, { request }: RequestOp): ResponseOp | undefined {
  if (request?.kind !== "range") return undefined;
  return { response: { kind: "range", value: executeRange(view, request.value) } };
}

/** Whether every key of the compare satisfies it. A key that is not there has no value, and 0 for all else. */
function holds(view: TxnView, compare: Compare): boolean {
  const keysOnly = isInIndex(compare.target);
  if (keysOnly && compare.rangeEnd.length === 0) return keyHolds(compare, indexed(view, compare.key));
  const { kvs } = view.range(compare.key, compare.rangeEnd, { revision: 0, limit: 0, countOnly: false, keysOnly });
  if (kvs.length === 0) return compare.target !== CompareTarget.VALUE && keyHolds(compare, ABSENT);
  return kvs.every((kv) => keyHolds(compare, KeyValue.decode(kv)));
}

const ABSENT = KeyValue.create();

/** Whether the index knows what is asked, so that no value is read: so it is in most transactions of Kubernetes. */
function isInIndex(target: number): boolean {
  return target === CompareTarget.VERSION || target === CompareTarget.CREATE || target === CompareTarget.MOD;
}

function indexed(view: TxnView, key: Uint8Array): KeyValue {
  const found = view.version(key);
  if (found === undefined) return ABSENT;
  const { created, main, version } = found;
  return { key: EMPTY_BYTES, createRevision: created, modRevision: main, version, value: EMPTY_BYTES, lease: 0n };
}

function keyHolds(compare: Compare, kv: KeyValue): boolean {
  const order = orderOf(compare, kv);
  switch (compare.result) {
    case CompareResult.EQUAL:
      return order === 0;
    case CompareResult.NOT_EQUAL:
      return order !== 0;
    case CompareResult.GREATER:
      return order > 0;
    case CompareResult.LESS:
      return order < 0;
    default:
      return true; // etcd lets a result that it does not know pass
  }
}

/** How the key stands to the asked value: negative, zero or positive. A union that names another target counts as 0. */
function orderOf(compare: Compare, kv: KeyValue): number {
  const asked = compare.targetUnion;
  switch (compare.target) {
    case CompareTarget.VALUE:
      return compareBytes(kv.value, asked?.kind === "value" ? asked.value : EMPTY_BYTES);
    case CompareTarget.VERSION:
      return kv.version - (asked?.kind === "version" ? asked.value : 0);
    case CompareTarget.CREATE:
      return kv.createRevision - (asked?.kind === "createRevision" ? asked.value : 0);
    case CompareTarget.MOD:
      return kv.modRevision - (asked?.kind === "modRevision" ? asked.value : 0);
    case CompareTarget.LEASE: {
      const lease = asked?.kind === "lease" ? asked.value : 0n;
      return kv.lease < lease ? -1 : kv.lease > lease ? 1 : 0;
    }
    default:
      return 0;
  }
}

/** Whether a transaction only reads at its top level: it is then answered without the log. Nested ones never are. */
export function isReadOnlyTxn(request: TxnRequest): boolean {
  return request.success.every(isRange) && request.failure.every(isRange);
}

function isRange({ request }: RequestOp): boolean {
  return request?.kind === "range";
}

/** Whether all its reads may be stale; true for one without any operation. */
export function isSerializableTxn(request: TxnRequest): boolean {
  return [...request.success, ...request.failure].every(
    (operation) => operation.request?.kind === "range" && operation.request.value.serializable,
  );
}
