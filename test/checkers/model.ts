/**
 * What one call to etcd does to a store, one call after the other: the sequential model that the checkers hold answers
 * against. Written from etcd's documented behaviour and sharing nothing with the server, so that both can be wrong only
 * apart.
 */
import { type Change, type Compare, contains, type Interval, type Kv, type KvRequest, type Result } from "./history.ts";

/** Keys at one moment. */
export interface View {
  get(key: string): Kv | undefined;
  /** In the order of the keys. */
  list(interval: Interval): readonly Kv[];
}

/** What the outcome depends on beside the request. */
export interface Circumstances {
  /** The state before. */
  readonly view: View;
  /** What a change is given. */
  readonly revision: number;
  /** Keys at an earlier revision; undefined when it cannot be asked (then such a range is evaluated on `view`). */
  readonly at?: (revision: number) => View;
  /** Decides a compare instead of the model, where the model does not know; undefined: the model does. */
  readonly decide?: (compare: Compare, kv: Kv | undefined) => boolean | undefined;
}

/** A result and its changes, or why there are none. */
export type Outcome =
  | { readonly kind: "done"; readonly result: Result; readonly changes: readonly Change[] }
  | { readonly kind: "refused"; readonly why: "key not found" };

/** What `request` gives and changes. Whether leases exist is left to whoever knows about time. */
export function evaluate(request: KvRequest, circumstances: Circumstances): Outcome {
  const run = new Run(circumstances);
  const plan = planOf(request, circumstances);
  // Checked before anything is done, on the state before.
  if (plan.some((put) => (put.ignoreValue || put.ignoreLease) && circumstances.view.get(put.key) === undefined))
    return { kind: "refused", why: "key not found" };
  const result = run.execute(request);
  return { kind: "done", result, changes: run.changes };
}

/** The puts on the way that the compares choose; compares of nested transactions too see the state before. */
function planOf(request: KvRequest, circumstances: Circumstances): Extract<KvRequest, { kind: "put" }>[] {
  if (request.kind === "put") return [request];
  if (request.kind !== "txn") return [];
  return chosenBranch(request, circumstances).flatMap((one) => planOf(one, circumstances));
}

function chosenBranch(txn: Extract<KvRequest, { kind: "txn" }>, circumstances: Circumstances): readonly KvRequest[] {
  return txn.compares.every((compare) => holds(compare, circumstances)) ? txn.success : txn.failure;
}

/** One request on the way: later parts of a transaction see what earlier ones wrote. */
class Run {
  readonly changes: Change[] = [];
  readonly #circumstances: Circumstances;
  /** Keys changed so far; undefined for one deleted. */
  readonly #written = new Map<string, Kv | undefined>();

  constructor(circumstances: Circumstances) {
    this.#circumstances = circumstances;
  }

  execute(request: KvRequest): Result {
    switch (request.kind) {
      case "put":
        return this.#put(request);
      case "range":
        return this.#range(request);
      case "delete":
        return this.#delete(request);
      case "txn": {
        const succeeded = request.compares.every((compare) => holds(compare, this.#circumstances));
        const results = (succeeded ? request.success : request.failure).map((one) => this.execute(one));
        return { kind: "txn", succeeded, results };
      }
    }
  }

  #put(request: Extract<KvRequest, { kind: "put" }>): Result {
    const { revision } = this.#circumstances;
    const before = this.#get(request.key);
    const kv: Kv = {
      key: request.key,
      value: request.ignoreValue ? (before?.value ?? "") : request.value,
      createRevision: before?.createRevision ?? revision,
      modRevision: revision,
      version: (before?.version ?? 0) + 1,
      lease: request.ignoreLease ? (before?.lease ?? 0n) : request.lease,
    };
    this.#written.set(kv.key, kv);
    this.changes.push({ kind: "put", kv });
    return { kind: "put", prevKv: request.prevKv ? before : undefined };
  }

  #range(request: Extract<KvRequest, { kind: "range" }>): Result {
    const { at } = this.#circumstances;
    const all = request.revision > 0 && at !== undefined ? at(request.revision).list(request) : this.#list(request);
    return rangeResult(request, all);
  }

  #delete(request: Extract<KvRequest, { kind: "delete" }>): Result {
    const { revision } = this.#circumstances;
    const found = this.#list(request);
    for (const { key } of found) {
      this.#written.set(key, undefined);
      this.changes.push({ kind: "delete", key, revision });
    }
    return { kind: "delete", deleted: found.length, prevKvs: request.prevKv ? found : [] };
  }

  #get(key: string): Kv | undefined {
    return this.#written.has(key) ? this.#written.get(key) : this.#circumstances.view.get(key);
  }

  #list(interval: Interval): readonly Kv[] {
    const before = this.#circumstances.view.list(interval);
    if (this.#written.size === 0) return before;
    const merged = new Map(before.map((kv) => [kv.key, kv]));
    for (const [key, kv] of this.#written)
      if (kv === undefined) merged.delete(key);
      else if (contains(interval, key)) merged.set(key, kv);
    return [...merged.values()].sort(byKey);
  }
}

function rangeResult(request: Extract<KvRequest, { kind: "range" }>, all: readonly Kv[]): Result {
  const count = all.length;
  if (request.countOnly) return { kind: "range", kvs: [], more: false, count };
  const more = request.limit > 0 && count > request.limit;
  return { kind: "range", kvs: more ? all.slice(0, request.limit) : all, more, count };
}

/** Compared with nothing: a value never holds, a number is 0. */
function holds(compare: Compare, { view, decide }: Circumstances): boolean {
  const found: readonly (Kv | undefined)[] = compare.end === "" ? [view.get(compare.key)] : view.list(compare);
  const kvs = found.length === 0 ? [undefined] : found;
  return kvs.every((kv) => {
    const decided = decide?.(compare, kv);
    if (decided !== undefined) return decided;
    if (kv === undefined && compare.target === "value") return false;
    return isTrue(targetOf(compare, kv), compare);
  });
}

function isTrue(actual: Compare["operand"], { relation, operand }: Compare): boolean {
  switch (relation) {
    case "=":
      return actual === operand;
    case "!=":
      return actual !== operand;
    case ">":
      return actual > operand;
    case "<":
      return actual < operand;
  }
}

function targetOf({ target }: Compare, kv: Kv | undefined): Compare["operand"] {
  switch (target) {
    case "value":
      return kv?.value ?? "";
    case "version":
      return kv?.version ?? 0;
    case "create":
      return kv?.createRevision ?? 0;
    case "mod":
      return kv?.modRevision ?? 0;
    case "lease":
      return kv?.lease ?? 0n;
  }
}

function byKey(left: Kv, right: Kv): number {
  return left.key < right.key ? -1 : 1;
}

/**
 * All revisions of a store, in memory: the present one is read at once, an earlier one by search. Keeps every version
 * it was ever given, so a history's length bounds it.
 */
export class Versions implements View {
  /** Of the last change. */
  revision: number;
  readonly #live = new Map<string, Kv>();
  readonly #names: string[] = [];
  readonly #all = new Map<string, { readonly revision: number; readonly kv: Kv | undefined }[]>();
  readonly #byLease = new Map<bigint, Set<string>>();

  /** Begins with `kvs` at `revision`: etcd's empty store is at 1. */
  constructor(revision = 1, kvs: readonly Kv[] = []) {
    this.revision = revision;
    for (const kv of kvs) this.#set(kv.key, kv, kv.modRevision);
  }

  /** Takes the changes of the next revision. */
  apply(revision: number, changes: readonly Change[]): void {
    for (const change of changes)
      if (change.kind === "put") this.#set(change.kv.key, change.kv, revision);
      else this.#set(change.key, undefined, revision);
    this.revision = revision;
  }

  get(key: string): Kv | undefined {
    return this.#live.get(key);
  }

  list(interval: Interval): readonly Kv[] {
    return this.#select(interval, (name) => this.#live.get(name));
  }

  /** Keys as they were after `revision`. */
  at(revision: number): View {
    if (revision >= this.revision) return this;
    const get = (key: string) => this.#all.get(key)?.findLast((version) => version.revision <= revision)?.kv;
    return { get, list: (interval) => this.#select(interval, get) };
  }

  /** Names of the keys that hang on the lease, in order. */
  keysOf(lease: bigint): string[] {
    return [...(this.#byLease.get(lease) ?? [])].sort();
  }

  #select({ key, end }: Interval, get: (name: string) => Kv | undefined): Kv[] {
    if (end === "") return [get(key)].filter((kv) => kv !== undefined);
    const found: Kv[] = [];
    for (let at = this.#place(key); at < this.#names.length; at++) {
      const name = this.#names[at] as string;
      if (end !== "\0" && name >= end) break;
      const kv = get(name);
      if (kv !== undefined) found.push(kv);
    }
    return found;
  }

  #set(key: string, kv: Kv | undefined, revision: number): void {
    const before = this.#live.get(key);
    if (before !== undefined && before.lease !== 0n) this.#byLease.get(before.lease)?.delete(key);
    if (kv === undefined) this.#live.delete(key);
    else {
      this.#live.set(key, kv);
      if (kv.lease !== 0n) this.#keysOfLease(kv.lease).add(key);
    }
    const versions = this.#all.get(key);
    if (versions !== undefined) {
      versions.push({ revision, kv });
      return;
    }
    this.#all.set(key, [{ revision, kv }]);
    this.#names.splice(this.#place(key), 0, key);
  }

  #keysOfLease(lease: bigint): Set<string> {
    const keys = this.#byLease.get(lease) ?? new Set();
    this.#byLease.set(lease, keys);
    return keys;
  }

  /** Where `key` stands or would stand among the names ever used. */
  #place(key: string): number {
    let [low, high] = [0, this.#names.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#names[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
