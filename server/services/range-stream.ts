/**
 * A Range answered in chunks. All chunks are read at one revision, that of the first; put together they are the answer
 * that Range gives. Only the last one carries header, `more` and `count`.
 *
 * A chunk is read when the one before has gone, so a slow reader holds nothing but its place. A compaction past the
 * revision meanwhile ends the stream with its refusal.
 */
import { compareBytes, concatBytes } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { besideFailpoint } from "../base/failpoint.ts";
import { type RangeRequest, RangeResponse, RangeStreamResponse } from "../proto/etcdserverpb.ts";
import { KeyValue } from "../proto/mvccpb.ts";
import type { Call, Outlet } from "./call.ts";
import { headerWithRevision } from "./header.ts";
import type { HeavyReads, Steps } from "./heavy-reads.ts";
import type { MemberApi } from "./member-api.ts";
import { pageReader, type ReadPage } from "./range-steps.ts";

/** Keys in the first chunk: etcd's. The next ones double or halve towards the size aimed at. */
const FIRST_CHUNK_KEYS = 10;

const ONE_ZERO = Uint8Array.of(0);

export class RangeStream {
  readonly #member: MemberApi;
  readonly #request: RangeRequest;
  readonly #call: Call;
  readonly #outlet: Outlet<RangeStreamResponse>;
  readonly #targetBytes: number;
  readonly #reads: HeavyReads;
  readonly #limit: number;
  #chunkKeys: number;
  #sent = 0;
  /** Where the next chunk begins; `revision` is 0 before the first. */
  #next: { readonly key: Uint8Array; readonly revision: number; readonly headerRevision: number };
  #over = false;

  constructor(
    member: MemberApi,
    request: RangeRequest,
    call: Call,
    outlet: Outlet<RangeStreamResponse>,
    targetBytes: number,
    reads: HeavyReads,
  ) {
    this.#member = member;
    this.#request = request;
    this.#call = call;
    this.#outlet = outlet;
    this.#targetBytes = targetBytes;
    this.#reads = reads;
    this.#limit = request.limit > 0 ? request.limit : Number.POSITIVE_INFINITY;
    this.#chunkKeys = Math.min(FIRST_CHUNK_KEYS, this.#limit);
    this.#next = { key: request.key, revision: request.revision, headerRevision: 0 };
  }

  start(): void {
    this.#call.onCanceled(() => {
      this.#over = true;
    });
    this.#outlet.onDrain(() => void this.#pump());
    void this.#pump();
  }

  /** Sends chunks while the caller takes them. Runs once at a time: it waits only for its own reads. */
  async #pump(): Promise<void> {
    try {
      while (!this.#over) {
        if (besideFailpoint !== undefined) await besideFailpoint("beforeRangeStreamChunk");
        const { response, done } = await this.#chunk();
        if (this.#over) return;
        const room = this.#outlet.write(RangeStreamResponse.create({ rangeResponse: response }));
        if (done) {
          this.#over = true;
          this.#outlet.end();
        } else if (!room) return; // the drain goes on
      }
    } catch (error) {
      this.#over = true;
      if (!(error instanceof EtcdError)) throw error;
      this.#outlet.fail(error);
    }
  }

  async #chunk(): Promise<{ response: RangeResponse; done: boolean }> {
    const first = this.#next.headerRevision === 0;
    const request = this.#request;
    if (first && request.countOnly) return { response: await this.#countOnly(), done: true };
    const found = await this.#read({
      ...request,
      key: this.#next.key,
      limit: this.#chunkKeys,
      revision: this.#next.revision,
      // The barrier stands before the first read; the later ones read that same revision.
      serializable: request.serializable || !first,
    });
    const headerRevision = first ? (found.header?.revision ?? 0) : this.#next.headerRevision;
    this.#sent += found.kvs.length;
    const done = !found.more || this.#sent >= this.#limit;
    if (!done) {
      this.#next = {
        key: keyAfter(found.kvs),
        revision: request.revision > 0 ? request.revision : headerRevision,
        headerRevision,
      };
      this.#growOrShrink(found.kvs);
      return { response: RangeResponse.create({ kvs: found.kvs }), done };
    }
    return {
      response: RangeResponse.create({
        header: headerWithRevision(this.#member, headerRevision),
        kvs: found.kvs,
        more: found.more,
        // The last read counted from its own key on; what went before comes on top.
        count: this.#sent - found.kvs.length + found.count,
      }),
      done,
    };
  }

  /** When it is its turn: a chunk is one step. */
  async #read(request: RangeRequest): Promise<RangeResponse> {
    if (!request.serializable) await this.#member.linearizableRead();
    return this.#reads.run(this.#call, chunkSteps(request, pageReader(this.#member, this.#call)));
  }

  async #countOnly(): Promise<RangeResponse> {
    const found = await this.#read(this.#request);
    return RangeResponse.create({
      header: headerWithRevision(this.#member, found.header?.revision ?? 0),
      count: found.count,
    });
  }

  #growOrShrink(kvs: readonly Uint8Array[]): void {
    let bytes = 0;
    for (const kv of kvs) bytes += kv.length;
    if (bytes < this.#targetBytes / 2) this.#chunkKeys *= 2;
    else if (bytes > this.#targetBytes * 2) this.#chunkKeys = Math.max(1, Math.floor(this.#chunkKeys / 2));
    this.#chunkKeys = Math.min(this.#chunkKeys, this.#limit - this.#sent);
  }
}

// biome-ignore lint/correctness/useYield: one step
function* chunkSteps(request: RangeRequest, read: ReadPage): Steps<RangeResponse> {
  return read(request);
}

/**
 * The first key that can come after all of these. A target without an order sorts each chunk by itself, as in etcd, so
 * the last key of a chunk need not be its highest; etcd goes on after the last one, and skips or repeats keys.
 */
function keyAfter(kvs: readonly Uint8Array[]): Uint8Array {
  const keys = kvs.map((kv) => KeyValue.decode(kv).key);
  return concatBytes([keys.reduce((highest, key) => (compareBytes(key, highest) > 0 ? key : highest)), ONE_ZERO]);
}
