/**
 * A transaction of nothing but ranges, in steps: the compares at once, then its reads one after another, all at the
 * revision at which the compares were judged. So it is one moment's answer although others have their turns in between.
 */
import { EtcdError } from "../base/error.ts";
import {
  RangeRequest,
  RequestOp,
  ResponseHeader,
  ResponseOp,
  type TxnRequest,
  TxnResponse,
} from "../proto/etcdserverpb.ts";
import type { Call } from "./call.ts";
import type { HeavyReads, Steps } from "./heavy-reads.ts";
import type { MemberApi } from "./member-api.ts";
import { type PageSize, pageReader, rangeSteps } from "./range-steps.ts";

/** How often it begins again when a compaction takes its revision away, before it is done in one go. */
const ATTEMPTS = 3;

/**
 * Whether it only reads, and may be long: a nested one goes through the log, and one key is soon read. A negative
 * revision has rules of its own here, which the member knows.
 */
export function isLongReadOnlyTxn({ success, failure, compare }: TxnRequest): boolean {
  if (!success.every(isRead) || !failure.every(isRead)) return false;
  return success.some(isLongRead) || failure.some(isLongRead) || compare.some(({ rangeEnd }) => rangeEnd.length > 0);
}

function isRead({ request }: RequestOp): boolean {
  return request?.kind === "range" && request.value.revision >= 0;
}

function isLongRead({ request }: RequestOp): boolean {
  return request?.kind === "range" && request.value.rangeEnd.length > 0;
}

export class TxnReader {
  readonly #member: MemberApi;
  readonly #reads: HeavyReads;
  readonly #pages: PageSize;

  constructor(member: MemberApi, reads: HeavyReads, pages: PageSize) {
    this.#member = member;
    this.#reads = reads;
    this.#pages = pages;
  }

  /** Of one that `isLongReadOnlyTxn`. */
  async read(request: TxnRequest, call: Call): Promise<TxnResponse> {
    for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
      if (!isSerializable(request)) await this.#member.linearizableRead();
      const judged = await this.#reads.run(call, compareSteps(this.#member, request, call));
      try {
        return await this.#reads.run(call, this.#branchSteps(request, judged, call));
      } catch (error) {
        if (!(error instanceof EtcdError) || error.code !== "Compacted") throw error;
      }
    }
    return this.#member.txn(request, call);
  }

  *#branchSteps(request: TxnRequest, judged: TxnResponse, call: Call): Steps<TxnResponse> {
    const revision = judged.header?.revision ?? 0;
    const ranges = rangesOf(judged.succeeded ? request.success : request.failure);
    const read = pageReader(this.#member, call);
    const responses: ResponseOp[] = [];
    let heldBytes = 0;
    for (const range of ranges) {
      if (responses.length > 0) yield heldBytes;
      const steps = rangeSteps({ ...range, revision: range.revision || revision }, read, this.#pages);
      let step = steps.next();
      for (; step.done !== true; step = steps.next()) yield heldBytes + step.value;
      for (const { length } of step.value.kvs) heldBytes += length;
      const value = { ...step.value, header: ResponseHeader.create({ revision }) };
      responses.push(ResponseOp.create({ response: { kind: "range", value } }));
    }
    return TxnResponse.create({ header: judged.header, succeeded: judged.succeeded, responses });
  }
}

/**
 * One step: the compares, the revisions that its reads ask for, in their order, and at which revision all that was
 * judged. To that end each read counts one key only.
 */
// biome-ignore lint/correctness/useYield: one step
function* compareSteps(member: MemberApi, request: TxnRequest, call: Call): Steps<Promise<TxnResponse>> {
  const { success, failure } = request;
  return member.txn({ ...request, success: success.map(countOfOne), failure: failure.map(countOfOne) }, call);
}

function countOfOne(operation: RequestOp): RequestOp {
  const { request } = operation;
  if (request?.kind !== "range") return operation;
  const { key, revision } = request.value;
  const value = RangeRequest.create({ key, revision, countOnly: true, serializable: true });
  return RequestOp.create({ request: { kind: "range", value } });
}

function isSerializable({ success, failure }: TxnRequest): boolean {
  return [success, failure].every((branch) => rangesOf(branch).every(({ serializable }) => serializable));
}

function rangesOf(branch: readonly RequestOp[]): RangeRequest[] {
  return branch.flatMap(({ request }) => (request?.kind === "range" ? [request.value] : []));
}
