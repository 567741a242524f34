/**
 * What clients of a store asked and were told, as plain data: the one form that all checkers read. Keys and values are
 * byte strings (a char is a byte), so that they order as etcd orders them. Times are of one clock that all clients share;
 * what returned before another was called has taken effect before it.
 */

/** A key with its value and history, as etcd's mvccpb.KeyValue. */
export interface Kv {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  /** Changes since the creation, which is 1; 0 on the key of a delete event. */
  readonly version: number;
  /** 0n: none. */
  readonly lease: bigint;
}

/** `end` "": the one key; "\0": all from `key` on; otherwise all from `key` up to `end`, without it. */
export interface Interval {
  readonly key: string;
  readonly end: string;
}

export interface Put {
  readonly kind: "put";
  readonly key: string;
  /** "" with `ignoreValue`. */
  readonly value: string;
  /** 0n: none, or kept with `ignoreLease`. */
  readonly lease: bigint;
  readonly prevKv: boolean;
  readonly ignoreValue: boolean;
  readonly ignoreLease: boolean;
}

export interface Range extends Interval {
  readonly kind: "range";
  /** 0: the present one. */
  readonly revision: number;
  /** 0: none. */
  readonly limit: number;
  readonly countOnly: boolean;
  readonly serializable: boolean;
}

export interface Delete extends Interval {
  readonly kind: "delete";
  readonly prevKv: boolean;
}

export interface Compare extends Interval {
  readonly target: "value" | "version" | "create" | "mod" | "lease";
  readonly relation: "=" | "!=" | ">" | "<";
  /** Of the target's type: a string, a number, a bigint. */
  readonly operand: string | number | bigint;
}

export interface Txn {
  readonly kind: "txn";
  readonly compares: readonly Compare[];
  readonly success: readonly KvRequest[];
  readonly failure: readonly KvRequest[];
}

/** What a transaction may hold too. */
export type KvRequest = Put | Range | Delete | Txn;

export type Request =
  | KvRequest
  | { readonly kind: "compact"; readonly revision: number }
  | { readonly kind: "grant"; readonly lease: bigint; readonly ttlSeconds: number }
  | { readonly kind: "renew"; readonly lease: bigint }
  | { readonly kind: "revoke"; readonly lease: bigint };

export type Result =
  | { readonly kind: "put"; readonly prevKv: Kv | undefined }
  | { readonly kind: "range"; readonly kvs: readonly Kv[]; readonly more: boolean; readonly count: number }
  | { readonly kind: "delete"; readonly deleted: number; readonly prevKvs: readonly Kv[] }
  | { readonly kind: "txn"; readonly succeeded: boolean; readonly results: readonly Result[] }
  | { readonly kind: "compact" }
  | { readonly kind: "grant"; readonly ttlSeconds: number }
  /** 0: there is no such lease. */
  | { readonly kind: "renew"; readonly ttlSeconds: number }
  | { readonly kind: "revoke" };

/** Why a call had no effect. What is none of the four has no effect either, and is not looked at further. */
export type Refusal = "compacted" | "future revision" | "lease not found" | "key not found" | "other";

/** `revision` is that of the header. */
export type Answer =
  | { readonly kind: "done"; readonly revision: number; readonly result: Result }
  | { readonly kind: "refused"; readonly why: Refusal };

export interface Operation {
  /** Unique in its history. */
  readonly id: number;
  readonly client: string;
  readonly calledMs: number;
  /** When the answer came; without one, when the client gave up: what it asked may still take effect later. */
  readonly returnedMs: number;
  readonly request: Request;
  /** Undefined: nobody knows whether it took effect, or will. */
  readonly answer: Answer | undefined;
}

/** A key as it was left, or the name of one that was deleted. */
export type Change =
  | { readonly kind: "put"; readonly kv: Kv }
  | { readonly kind: "delete"; readonly key: string; readonly revision: number };

/** All changes of the revisions `first` to `last`: of a store, a log, or a watcher of every key. */
export interface ChangeLog {
  readonly first: number;
  readonly last: number;
  /** Whether `last` is where the store ended: then a revision beyond it was lost. */
  readonly isWhole: boolean;
  /** In the order in which they happened within the revision. */
  readonly changes: ReadonlyMap<number, readonly Change[]>;
}

export interface Violation {
  /** The broken rule, in two or three words: what tests and statistics go by. */
  readonly rule: string;
  /** For a person, with the operations in words. */
  readonly text: string;
}

/** "unknown": not decided within the bounds, or not by what is known; never a reason to call a run right. */
export type Verdict =
  | { readonly verdict: "right" }
  | { readonly verdict: "wrong"; readonly violations: readonly Violation[] }
  | { readonly verdict: "unknown"; readonly reason: string };

/** As many violations are reported; one mistake often shows in thousands of answers. */
export const VIOLATIONS_MAX = 20;

/** Gathers violations up to the bound. */
export class Violations {
  readonly list: Violation[] = [];

  get isFull(): boolean {
    return this.list.length >= VIOLATIONS_MAX;
  }

  add(rule: string, text: string): void {
    if (!this.isFull) this.list.push({ rule, text: `${rule}: ${text}` });
  }

  verdict(): Verdict {
    return this.list.length === 0 ? { verdict: "right" } : { verdict: "wrong", violations: this.list };
  }
}

/** Throws an Error with the first violations, or with why nothing was decided. */
export function assertRight(verdict: Verdict): void {
  if (verdict.verdict === "unknown") throw new Error(`not decided: ${verdict.reason}`);
  if (verdict.verdict === "wrong") throw new Error(verdict.violations.map(({ text }) => text).join("\n"));
}

/** Throws an Error when `operations` are no history: a time that runs backwards, an id used twice. */
export function assertHistory(operations: readonly Operation[]): void {
  const ids = new Set<number>();
  for (const { id, calledMs, returnedMs, client } of operations) {
    if (!(calledMs <= returnedMs))
      throw new Error(
        `operation #${id} of ${client} returned at ${returnedMs} and was called at ${calledMs}: record both times by one clock`,
      );
    if (ids.has(id)) throw new Error(`operation #${id} is there twice: give each its own id`);
    ids.add(id);
  }
}

/** Whether `key` lies in the interval. */
export function contains({ key, end }: Interval, name: string): boolean {
  if (end === "") return name === key;
  return name >= key && (end === "\0" || name < end);
}

/** Whether a result tells of a change: a put, a delete that found something, a transaction with one of them. */
export function wrote(result: Result): boolean {
  switch (result.kind) {
    case "put":
      return true;
    case "delete":
      return result.deleted > 0;
    case "txn":
      return result.results.some(wrote);
    default:
      return false;
  }
}

/**
 * Whether the answer may come from a member that lags: serializable ranges, transactions of nothing else, and renewals,
 * whose header is filled before they are done.
 */
export function mayLag(request: Request): boolean {
  if (request.kind === "renew") return true;
  if (request.kind === "range") return request.serializable;
  if (request.kind !== "txn") return false;
  return [...request.success, ...request.failure].every((one) => one.kind === "range" && one.serializable);
}
