/** KV: refuse what needs no state, ask the member, fill in the header. */
import type {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RangeStreamResponse,
  ResponseHeader,
  TxnRequest,
  TxnResponse,
} from "../proto/etcdserverpb.ts";
import type { Call, Outlet } from "./call.ts";
import { withHeader } from "./header.ts";
import { HeavyReads } from "./heavy-reads.ts";
import { HeavyWrites, isLight } from "./heavy-writes.ts";
import type { MemberApi } from "./member-api.ts";
import { PageSize, pageReader, rangeSteps } from "./range-steps.ts";
import { RangeStream } from "./range-stream.ts";
import { isLongReadOnlyTxn, TxnReader } from "./txn-reader.ts";
import { checkDeleteRange, checkPut, checkRange, checkRangeStream, checkTxn } from "./validate.ts";

export interface KvOptions {
  /** `--max-txn-ops`. */
  readonly maxTxnOperations: number;
  /** `--max-request-bytes`: what a chunk of a range stream aims at. */
  readonly maxRequestBytes: number;
}

export class Kv {
  readonly #member: MemberApi;
  readonly #options: KvOptions;
  readonly #reads: HeavyReads;
  readonly #writes = new HeavyWrites();
  readonly #pages = new PageSize();
  readonly #txns: TxnReader;

  /** `reads`: the turns of all that may be long; without them everything is done at once. */
  constructor(member: MemberApi, options: KvOptions, reads: HeavyReads = new HeavyReads(undefined)) {
    this.#member = member;
    this.#options = options;
    this.#reads = reads;
    this.#txns = new TxnReader(member, reads, this.#pages);
  }

  /** One function for all calls: a closure for each would be the larger part of what they leave behind. */
  readonly #complete = <T extends { header: ResponseHeader | undefined }>(response: T): T =>
    withHeader(response, this.#member);

  range(request: RangeRequest, call: Call): RangeResponse | Promise<RangeResponse> {
    checkRange(request);
    const answer = request.rangeEnd.length === 0 ? this.#member.range(request, call) : this.#readRange(request, call);
    // Most serializable reads are answered at once: a turn of the promise queue would be for nothing.
    if (!(answer instanceof Promise)) return withHeader(answer, this.#member);
    return answer.then((response) => withHeader(response, this.#member));
  }

  #readRange(request: RangeRequest, call: Call): RangeResponse | Promise<RangeResponse> {
    const read = () => this.#reads.run(call, rangeSteps(request, pageReader(this.#member, call), this.#pages));
    return request.serializable ? read() : this.#member.linearizableRead().then(read);
  }

  rangeStream(request: RangeRequest, call: Call, outlet: Outlet<RangeStreamResponse>): void {
    checkRangeStream(request);
    new RangeStream(this.#member, request, call, outlet, this.#options.maxRequestBytes, this.#reads).start();
  }

  put(request: PutRequest, call: Call): Promise<PutResponse> {
    checkPut(request);
    return this.#member.put(request, call).then(this.#complete);
  }

  async deleteRange(request: DeleteRangeRequest, call: Call): Promise<DeleteRangeResponse> {
    checkDeleteRange(request);
    return withHeader(await this.#member.deleteRange(request, call), this.#member);
  }

  txn(request: TxnRequest, call: Call): Promise<TxnResponse> {
    checkTxn(request, this.#options.maxTxnOperations);
    const answer = isLongReadOnlyTxn(request)
      ? this.#txns.read(request, call)
      : isLight(request)
        ? this.#member.txn(request, call)
        : this.#writes.run(call, request, () => this.#member.txn(request, call));
    return answer.then(this.#complete);
  }

  async compact(request: CompactionRequest, call: Call): Promise<CompactionResponse> {
    return withHeader(await this.#member.compact(request, call), this.#member);
  }
}
