/**
 * A Range in steps: pages of one revision, put together to the answer that the whole would have been. Filters are applied
 * page by page, an order other than the keys' at the end, in slices too.
 *
 * The first page says at which revision; the others read that. When a compaction takes the revision away meanwhile, a
 * read of "now" begins again: any moment between question and answer is a right one.
 */
import { assert } from "../base/assert.ts";
import { concatBytes } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { sortInSlices } from "../base/sliced-sort.ts";
import { RangeRequest, RangeResponse, SortOrder, SortTarget } from "../proto/etcdserverpb.ts";
import { KeyValue } from "../proto/mvccpb.ts";
import { compareFor, hasFilters, needsSort, passesFilters, withoutValue } from "../proto/range-rules.ts";
import type { Steps } from "./heavy-reads.ts";
import type { MemberApi, Patience } from "./member-api.ts";

/** One page, read at once. */
export type ReadPage = (request: RangeRequest) => RangeResponse;

/** What a page aims at, and how many keys it may have. */
const PAGE_BYTES = 256 * 1024;
const PAGE_KEYS_MAX = 512;

/** How often a read of "now" begins again before it is done in one go. */
const ATTEMPTS = 3;

const ONE_ZERO = Uint8Array.of(0);

/** How large pages are: what keys and values had lately. */
export class PageSize {
  #keyBytes = 1024;

  get keys(): number {
    return Math.max(1, Math.min(PAGE_KEYS_MAX, Math.floor(PAGE_BYTES / this.#keyBytes)));
  }

  /** A page of `keys` KeyValues had so many bytes. */
  seen(keys: number, bytes: number): void {
    if (keys > 0) this.#keyBytes = Math.max(64, (this.#keyBytes + bytes / keys) / 2);
  }
}

/** Pages of the member, without a barrier: it stands before the first step. */
export function pageReader(member: Pick<MemberApi, "range">, patience: Patience): ReadPage {
  return (page) => {
    const answer = member.range({ ...page, serializable: true }, patience);
    assert(!(answer instanceof Promise), "a serializable read is answered at once");
    return answer;
  };
}

/** Answers as `read(request)` would, which must not be a promise. Throws what it throws. */
export function* rangeSteps(request: RangeRequest, read: ReadPage, pages: PageSize): Steps<RangeResponse> {
  if (request.rangeEnd.length === 0 || request.countOnly) return read(request);
  for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
    try {
      return yield* pagedRange(request, read, pages);
    } catch (error) {
      if (!(error instanceof EtcdError) || error.code !== "Compacted" || request.revision > 0) throw error;
    }
  }
  return read(request);
}

function* pagedRange(request: RangeRequest, read: ReadPage, pages: PageSize): Steps<RangeResponse> {
  // A target without an order sorts what the limit has left, as in etcd.
  const filtered = hasFilters(request);
  const wantsAll = filtered || (needsSort(request) && request.sortOrder !== SortOrder.NONE) || request.limit <= 0;
  const wanted = wantsAll ? Number.POSITIVE_INFINITY : request.limit + 1;
  const keysOnly = request.keysOnly && request.sortTarget !== SortTarget.VALUE;
  const { key, rangeEnd, revision } = request;
  let page = RangeRequest.create({ key, rangeEnd, revision, keysOnly, serializable: true });
  const kvs: Uint8Array[] = [];
  let first: RangeResponse | undefined;
  let heldBytes = 0;
  for (let met = 0; ; ) {
    const found = read({ ...page, limit: Math.min(pages.keys, wanted - met) });
    first ??= found;
    met += found.kvs.length;
    let bytes = 0;
    for (const kv of found.kvs) {
      bytes += kv.length;
      if (!filtered || passesFilters(request, KeyValue.decode(kv))) kvs.push(kv);
    }
    pages.seen(found.kvs.length, bytes);
    if (!found.more || met >= wanted) break;
    heldBytes += bytes;
    const last = KeyValue.decode(found.kvs.at(-1) as Uint8Array).key;
    const revision = request.revision > 0 ? request.revision : (first.header?.revision ?? 0);
    page = { ...page, key: concatBytes([last, ONE_ZERO]), revision };
    yield heldBytes;
  }
  const ordered = needsSort(request) ? yield* inOrder(request, kvs, heldBytes) : kvs;
  const more = request.limit > 0 && ordered.length > request.limit;
  const kept = more ? ordered.slice(0, request.limit) : ordered;
  return RangeResponse.create({
    header: first.header,
    kvs: request.keysOnly && !keysOnly ? kept.map(withoutValue) : kept,
    more,
    count: first.count,
  });
}

function* inOrder(request: RangeRequest, kvs: readonly Uint8Array[], heldBytes: number): Steps<Uint8Array[]> {
  const decoded: { readonly bytes: Uint8Array; readonly kv: KeyValue }[] = [];
  for (const bytes of kvs) {
    decoded.push({ bytes, kv: KeyValue.decode(bytes) });
    if (decoded.length % PAGE_KEYS_MAX === 0) yield heldBytes;
  }
  const steps = sortInSlices(decoded, (left, right) => compareFor(request, left.kv, right.kv));
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value.map(({ bytes }) => bytes);
    yield heldBytes;
  }
}
