/** etcd's messages as the checkers' plain data: for whoever records what a client asked and was told. */
import { toByteString } from "../../server/base/bytes.ts";
import {
  type Compare as CompareMessage,
  CompareResult,
  CompareTarget,
  type RequestOpUnion,
  type ResponseOpUnion,
} from "../../server/proto/etcdserverpb.ts";
import { KeyValue } from "../../server/proto/mvccpb.ts";
import type { Change, ChangeLog, Compare, Kv, KvRequest, Refusal, Result } from "./history.ts";

/** Throws an Error for a request that the checkers have no words for: sorted, filtered, keys only. */
export function requestOf(operation: RequestOpUnion): KvRequest {
  switch (operation.kind) {
    case "put": {
      const { key, value, lease, prevKv, ignoreValue, ignoreLease } = operation.value;
      return {
        kind: "put",
        key: toByteString(key),
        value: toByteString(value),
        lease,
        prevKv,
        ignoreValue,
        ignoreLease,
      };
    }
    case "deleteRange": {
      const { key, rangeEnd, prevKv } = operation.value;
      return { kind: "delete", key: toByteString(key), end: toByteString(rangeEnd), prevKv };
    }
    case "range":
      return rangeOf(operation.value);
    case "txn":
      return {
        kind: "txn",
        compares: operation.value.compare.map(compareOf),
        success: operation.value.success.map(({ request }) => requestOf(present(request))),
        failure: operation.value.failure.map(({ request }) => requestOf(present(request))),
      };
  }
}

/** The result in an answer; its revision is that of the answer's header. */
export function resultOf(operation: ResponseOpUnion): Result {
  switch (operation.kind) {
    case "put":
      return { kind: "put", prevKv: operation.value.prevKv === undefined ? undefined : kvOf(operation.value.prevKv) };
    case "deleteRange":
      return { kind: "delete", deleted: operation.value.deleted, prevKvs: operation.value.prevKvs.map(kvOf) };
    case "range": {
      const { kvs, more, count } = operation.value;
      return { kind: "range", kvs: kvs.map(kvOf), more, count };
    }
    case "txn": {
      const { succeeded, responses } = operation.value;
      return { kind: "txn", succeeded, results: responses.map(({ response }) => resultOf(present(response))) };
    }
  }
}

/** An encoded KeyValue. */
export function kvOf(bytes: Uint8Array): Kv {
  return plainKv(KeyValue.decode(bytes));
}

export function plainKv({ key, value, createRevision, modRevision, version, lease }: KeyValue): Kv {
  return { key: toByteString(key), value: toByteString(value), createRevision, modRevision, version, lease };
}

/** A change as the server's store, its applier and its hub tell of it. */
export interface StoredChange {
  readonly type: "put" | "delete";
  /** An encoded KeyValue. */
  readonly kv: Uint8Array;
  readonly revision: { readonly main: number };
}

/** Changes in their order as a log of all revisions up to `last`; see ChangeLog for `isWhole`. */
export function logOf(stored: Iterable<StoredChange>, { first, last, isWhole }: Omit<ChangeLog, "changes">): ChangeLog {
  const changes = new Map<number, Change[]>();
  for (const { type, kv: bytes, revision } of stored) {
    const kv = kvOf(bytes);
    const change: Change =
      type === "put" ? { kind: "put", kv } : { kind: "delete", key: kv.key, revision: revision.main };
    const all = changes.get(revision.main);
    if (all === undefined) changes.set(revision.main, [change]);
    else all.push(change);
  }
  return { first, last, isWhole, changes };
}

/** The server's own code of a refusal. What leaves the fate of a call open (a timeout, a lost leader) is none. */
export function refusalOf(code: string): Refusal {
  switch (code) {
    case "Compacted":
      return "compacted";
    case "FutureRevision":
      return "future revision";
    case "LeaseNotFound":
      return "lease not found";
    case "KeyNotFound":
      return "key not found";
    default:
      return "other";
  }
}

function rangeOf(message: Extract<RequestOpUnion, { kind: "range" }>["value"]): KvRequest {
  const { key, rangeEnd, revision, limit, countOnly, serializable, keysOnly, sortOrder, sortTarget } = message;
  const isFiltered =
    message.minModRevision + message.maxModRevision + message.minCreateRevision + message.maxCreateRevision > 0;
  if (keysOnly || isFiltered || sortOrder !== 0 || sortTarget !== 0)
    throw new Error(`the checkers know no range that is sorted, filtered or of keys only: "${toByteString(key)}"`);
  return {
    kind: "range",
    key: toByteString(key),
    end: toByteString(rangeEnd),
    revision,
    limit,
    countOnly,
    serializable,
  };
}

function compareOf({ key, rangeEnd, result, target, targetUnion }: CompareMessage): Compare {
  const relations = {
    [CompareResult.EQUAL]: "=",
    [CompareResult.GREATER]: ">",
    [CompareResult.LESS]: "<",
    [CompareResult.NOT_EQUAL]: "!=",
  } as const;
  const targets = {
    [CompareTarget.VERSION]: "version",
    [CompareTarget.CREATE]: "create",
    [CompareTarget.MOD]: "mod",
    [CompareTarget.VALUE]: "value",
    [CompareTarget.LEASE]: "lease",
  } as const;
  const relation = relations[result as keyof typeof relations];
  const kind = targets[target as keyof typeof targets];
  if (relation === undefined || kind === undefined || targetUnion === undefined)
    throw new Error(
      `the checkers know no compare with result ${result} and target ${target} of "${toByteString(key)}"`,
    );
  const operand = targetUnion.kind === "value" ? toByteString(targetUnion.value) : targetUnion.value;
  return { target: kind, key: toByteString(key), end: toByteString(rangeEnd), relation, operand };
}

function present<T>(operation: T | undefined): T {
  if (operation === undefined)
    throw new Error("a transaction with an operation that is nothing has no place in a history");
  return operation;
}
