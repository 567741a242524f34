/**
 * Transactions on lists, as Elle has them: each reads some lists and appends to some, all at once. The lists are read
 * first, and the transaction is refused by its own compares when one of them has changed since.
 */
import { utf8Bytes } from "../../server/base/bytes.ts";
import type { Prng } from "../../server/base/prng.ts";
import {
  Compare,
  CompareResult,
  CompareTarget,
  PutRequest,
  RangeRequest,
  RequestOp,
  type RequestOpUnion,
  TxnRequest,
} from "../../server/proto/etcdserverpb.ts";
import type { Operation, Result } from "../checkers/history.ts";
import { decodeList, encodeList, type ListStep, type ListTransaction } from "../checkers/list-transactions.ts";

const LISTS = 3;
/** Then new lists are begun: a list is written whole each time. */
const TRANSACTIONS_OF_A_SET = 60;

/** What a client means to do, and with what it compares. */
export interface ListPlan {
  readonly steps: readonly { readonly key: string; readonly value: number | undefined }[];
}

export class Lists {
  readonly #begun: { readonly operation: Operation; readonly plan: ListPlan }[] = [];
  #values = 0;

  plan(random: Prng): ListPlan {
    const set = Math.floor(this.#begun.length / TRANSACTIONS_OF_A_SET);
    const keys = Array.from({ length: LISTS }, (_, at) => `list ${set}.${at}`);
    // Each list once, in an order by lot: etcd refuses two puts of one key.
    const chosen = keys.filter(() => random.chance(0.6));
    if (random.chance(0.5)) chosen.reverse();
    if (chosen.length === 0) chosen.push(random.pick(keys));
    return { steps: chosen.map((key) => ({ key, value: random.chance(0.6) ? ++this.#values : undefined })) };
  }

  began(operation: Operation, plan: ListPlan): void {
    this.#begun.push({ operation, plan });
  }

  /** As they came out. */
  transactions(): ListTransaction[] {
    return this.#begun.map(({ operation, plan }) => transactionOf(operation, plan));
  }
}

/** The read that comes first. */
export function listRead({ steps }: ListPlan): RequestOpUnion {
  return txnOf({ success: steps.map(({ key }) => rangeOf(key)) });
}

/** The transaction, on lists as `read` has shown them, and `compares` that they are; undefined: they were not shown. */
export function listTxn({ steps }: ListPlan, read: Result, compares: boolean): RequestOpUnion | undefined {
  if (read.kind !== "txn") return undefined;
  const compare: Compare[] = [];
  const success: RequestOp[] = [];
  for (const [at, { key, value }] of steps.entries()) {
    const shown = read.results[at];
    if (shown?.kind !== "range") return undefined;
    const [kv] = shown.kvs;
    success.push(rangeOf(key));
    if (value === undefined) continue;
    if (compares) compare.push(unchanged(key, kv?.modRevision ?? 0));
    success.push(putOf(key, encodeList([...decodeList(kv?.value ?? ""), value])));
  }
  return txnOf({ compare, success });
}

function transactionOf({ id, client, calledMs, returnedMs, answer }: Operation, plan: ListPlan): ListTransaction {
  const result = answer?.kind === "done" && answer.result.kind === "txn" ? answer.result : undefined;
  const outcome = answer === undefined ? "unknown" : result?.succeeded === true ? "committed" : "aborted";
  const results = [...(outcome === "committed" ? (result?.results ?? []) : [])];
  const steps = plan.steps.flatMap(({ key, value }): ListStep[] => {
    const shown = results.shift();
    if (value !== undefined) results.shift(); // the put
    const list = shown?.kind === "range" ? decodeList(shown.kvs[0]?.value ?? "") : undefined;
    const read: ListStep = { kind: "read", key, list };
    return value === undefined ? [read] : [read, { kind: "append", key, value }];
  });
  return { id, client, calledMs, returnedMs, steps, outcome };
}

function txnOf(parts: { readonly compare?: Compare[]; readonly success: RequestOp[] }): RequestOpUnion {
  return { kind: "txn", value: TxnRequest.create(parts) };
}

function rangeOf(key: string): RequestOp {
  return RequestOp.create({ request: { kind: "range", value: RangeRequest.create({ key: utf8Bytes(key) }) } });
}

function putOf(key: string, value: string): RequestOp {
  const request = PutRequest.create({ key: utf8Bytes(key), value: utf8Bytes(value) });
  return RequestOp.create({ request: { kind: "put", value: request } });
}

function unchanged(key: string, modRevision: number): Compare {
  return Compare.create({
    key: utf8Bytes(key),
    result: CompareResult.EQUAL,
    target: CompareTarget.MOD,
    targetUnion: { kind: "modRevision", value: modRevision },
  });
}
