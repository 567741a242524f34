/**
 * etcd's keys as a sequential model that knows no revisions: of revisions in answers only "the same write" and "there is
 * no key" are used, never their order. And how a history falls into parts that share no key.
 */
import { type Compare, contains, type Interval, type Kv, type KvRequest, mayLag, type Operation } from "./history.ts";
import type { SequentialModel } from "./linearizable.ts";
import { evaluate, type View } from "./model.ts";
import { sameResult, sameWithoutRevisions } from "./same.ts";
import { kvWords, quoted, resultWords } from "./words.ts";

/** Keys by name; never changed, only copied. */
export interface KvState {
  readonly kvs: ReadonlyMap<string, Kv>;
  readonly name: string;
}

export const kvModel: SequentialModel<KvState> = {
  initial: { kvs: new Map(), name: "" },

  step(state, operation) {
    const { request, answer } = operation;
    if (request.kind === "revoke") return endLease(state, request.lease);
    const outcome = evaluateHere(state, operation);
    if (outcome === undefined || outcome.kind === "refused") return answer === undefined ? state : undefined;
    if (answer?.kind === "done" && !sameResult(outcome.result, answer.result, sameWithoutRevisions)) return undefined;
    if (outcome.changes.length === 0) return state;
    const kvs = new Map(state.kvs);
    for (const change of outcome.changes)
      if (change.kind === "put") kvs.set(change.kv.key, change.kv);
      else kvs.delete(change.key);
    return stateOf(kvs);
  },

  nameOf: ({ name }) => name,

  wordsFor(state, operation) {
    const outcome = evaluateHere(state, operation);
    if (outcome?.kind === "done") {
      const words = resultWords(outcome.result);
      if (words !== "") return `it had to answer ${words}`;
    }
    const kvs = [...state.kvs.values()].map(kvWords);
    return kvs.length === 0 ? "there is no key" : `the keys are ${kvs.join("; ")}`;
  },
};

/** What is left of a history that can be judged without revisions, in parts that share no key. */
export function partsOf(operations: readonly Operation[]): Operation[][] {
  const judged = [...operations.filter(isJudged), ...endings(operations)];
  const names = [...new Set(judged.flatMap((operation) => intervalsOf(operation).map(({ key }) => key)))].sort();
  const groups = new Groups();
  const namesOf = (operation: Operation) => {
    const { request } = operation;
    // A lease takes all keys with it that were ever put on it.
    const leases = leasesOf(request).map((lease) => `lease ${lease}`);
    const keys = intervalsOf(operation).flatMap((interval) => [
      `key ${interval.key}`,
      ...(interval.end === "" ? [] : names.filter((name) => contains(interval, name)).map((name) => `key ${name}`)),
    ]);
    return [...leases, ...keys];
  };
  const labels = judged.map((operation) => {
    const all = namesOf(operation);
    for (const name of all) groups.join(all[0] as string, name);
    return all[0] ?? "";
  });
  const parts = new Map<string, Operation[]>();
  for (const [at, operation] of judged.entries()) {
    const root = groups.rootOf(labels[at] as string);
    const part = parts.get(root);
    if (part === undefined) parts.set(root, [operation]);
    else part.push(operation);
  }
  return [...parts.values()];
}

function evaluateHere({ kvs }: KvState, { id, request, answer }: Operation) {
  if (!isKv(request)) return undefined;
  const view: View = {
    get: (key) => kvs.get(key),
    list: (interval) => [...kvs.values()].filter(({ key }) => contains(interval, key)).sort(byKey),
  };
  // A name for the write: the revision that it was told, or one that cannot be.
  const revision = answer?.kind === "done" ? answer.revision : -id;
  const believed = answer?.kind === "done" && answer.result.kind === "txn" ? answer.result.succeeded : undefined;
  return evaluate(request, { view, revision, decide: (compare, kv) => decided(compare, kv, believed) });
}

/**
 * Compares with revisions: whether the key is there, or is of the same write, can be told; what was written by a call
 * without an answer has no known revision, and there the answer is believed.
 */
function decided({ target, operand }: Compare, kv: Kv | undefined, believed: boolean | undefined): boolean | undefined {
  if ((target !== "mod" && target !== "create") || kv === undefined || operand === 0) return undefined;
  const actual = target === "mod" ? kv.modRevision : kv.createRevision;
  return actual < 0 ? believed : undefined;
}

function endLease(state: KvState, lease: bigint): KvState {
  const kvs = new Map([...state.kvs].filter(([, kv]) => kv.lease !== lease));
  return kvs.size === state.kvs.size ? state : stateOf(kvs);
}

function stateOf(kvs: ReadonlyMap<string, Kv>): KvState {
  const name = [...kvs.values()]
    .sort(byKey)
    .map(({ key, value, version, lease, modRevision, createRevision }) =>
      [quoted(key), value.length, value, version, lease, modRevision, createRevision].join(" "),
    )
    .join("\n");
  return { kvs, name };
}

function isJudged({ request, answer }: Operation): boolean {
  if (answer?.kind === "refused" || hasRevision(request)) return false;
  // A revocation's answer does not say when; a transaction of nothing but serializable reads may be of any time.
  return request.kind === "revoke" || (isKv(request) && !mayLag(request));
}

/** A lease may end at any time after it was first used: once, without an answer. */
function endings(operations: readonly Operation[]): Operation[] {
  const firstUseMs = new Map<bigint, number>();
  for (const { request, calledMs, answer } of operations) {
    if (answer?.kind === "refused" || request.kind === "revoke") continue;
    for (const lease of leasesOf(request)) firstUseMs.set(lease, Math.min(calledMs, firstUseMs.get(lease) ?? calledMs));
  }
  return [...firstUseMs].map(([lease, calledMs], at) => ({
    id: -1 - at,
    client: `the end of lease ${lease}`,
    calledMs,
    returnedMs: Number.POSITIVE_INFINITY,
    request: { kind: "revoke", lease },
    answer: undefined,
  }));
}

function hasRevision(request: Operation["request"]): boolean {
  if (request.kind === "range") return request.revision > 0;
  return request.kind === "txn" && [...request.success, ...request.failure].some(hasRevision);
}

function isKv(request: Operation["request"]): request is KvRequest {
  return request.kind === "put" || request.kind === "range" || request.kind === "delete" || request.kind === "txn";
}

function leasesOf(request: Operation["request"]): bigint[] {
  if (request.kind === "put") return request.lease === 0n ? [] : [request.lease];
  if (request.kind === "revoke") return [request.lease];
  return request.kind === "txn" ? [...request.success, ...request.failure].flatMap(leasesOf) : [];
}

function intervalsOf({ request }: Operation): Interval[] {
  return isKv(request) ? touched(request) : [];
}

function touched(request: KvRequest): Interval[] {
  if (request.kind === "put") return [{ key: request.key, end: "" }];
  if (request.kind !== "txn") return [request];
  return [...request.compares, ...[...request.success, ...request.failure].flatMap(touched)];
}

function byKey(left: Kv, right: Kv): number {
  return left.key < right.key ? -1 : 1;
}

/** Union-find. */
class Groups {
  readonly #parent = new Map<string, string>();

  rootOf(name: string): string {
    let root = name;
    for (let up = this.#parent.get(root); up !== undefined; up = this.#parent.get(root)) root = up;
    return root;
  }

  join(left: string, right: string): void {
    const [one, other] = [this.rootOf(left), this.rootOf(right)];
    if (one !== other) this.#parent.set(other, one);
  }
}
