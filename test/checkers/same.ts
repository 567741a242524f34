/** Whether two results or lists of changes are the same, field by field. */
import type { Change, Kv, Result } from "./history.ts";

/** `kv`: how keys are compared; by default every field counts. */
export function sameResult(left: Result, right: Result, kv: typeof sameKv = sameKv): boolean {
  switch (left.kind) {
    case "put":
      return right.kind === "put" && sameOptional(left.prevKv, right.prevKv, kv);
    case "range":
      return (
        right.kind === "range" &&
        left.count === right.count &&
        left.more === right.more &&
        sameList(left.kvs, right.kvs, kv)
      );
    case "delete":
      return right.kind === "delete" && left.deleted === right.deleted && sameList(left.prevKvs, right.prevKvs, kv);
    case "txn":
      return (
        right.kind === "txn" &&
        left.succeeded === right.succeeded &&
        sameList(left.results, right.results, (one, other) => sameResult(one, other, kv))
      );
    case "grant":
    case "renew":
      return right.kind === left.kind && left.ttlSeconds === right.ttlSeconds;
    default:
      return left.kind === right.kind;
  }
}

export function sameKv(left: Kv, right: Kv): boolean {
  return (
    left === right ||
    (left.key === right.key &&
      left.value === right.value &&
      left.modRevision === right.modRevision &&
      left.createRevision === right.createRevision &&
      left.version === right.version &&
      left.lease === right.lease)
  );
}

/** Without what only a revision can tell. */
export function sameWithoutRevisions(left: Kv, right: Kv): boolean {
  return (
    left.key === right.key && left.value === right.value && left.version === right.version && left.lease === right.lease
  );
}

export function sameChanges(left: readonly Change[], right: readonly Change[]): boolean {
  return sameList(left, right, sameChange);
}

function sameChange(left: Change, right: Change): boolean {
  if (left.kind === "put") return right.kind === "put" && sameKv(left.kv, right.kv);
  return right.kind === "delete" && left.key === right.key && left.revision === right.revision;
}

function sameOptional<T>(left: T | undefined, right: T | undefined, same: (left: T, right: T) => boolean): boolean {
  if (left === undefined || right === undefined) return left === right;
  return same(left, right);
}

function sameList<T>(left: readonly T[], right: readonly T[], same: (left: T, right: T) => boolean): boolean {
  return left.length === right.length && left.every((one, at) => same(one, right[at] as T));
}
