/**
 * A Range as etcd answers it, on any view of the store: limit, filters, order, and what a limit applies to. The view
 * gives keys in order at one revision; everything else is decided here.
 */
import { type RangeRequest, type RangeResponse, revisionHeader, SortOrder, SortTarget } from "../proto/etcdserverpb.ts";
import { KeyValue } from "../proto/mvccpb.ts";
import { compareFor, hasFilters, needsSort, passesFilters, withoutValue } from "../proto/range-rules.ts";

/** What `executeRange` asks of the store or of a transaction. */
export interface RangeView {
  range(
    key: Uint8Array,
    rangeEnd: Uint8Array,
    options: {
      readonly revision: number;
      readonly limit: number;
      readonly countOnly: boolean;
      readonly keysOnly?: boolean;
    },
  ): { readonly kvs: Uint8Array[]; readonly count: number; readonly revision: number };
}

/**
 * The answer to `request`; its header holds the store's revision only. Throws `EtcdError` Compacted or FutureRevision.
 * `count` ignores limit and filters; a sort or a filter looks at the whole range before the limit cuts (contract 6.2).
 */
export function executeRange(view: RangeView, request: RangeRequest): RangeResponse {
  const filtered = hasFilters(request);
  const wholeRange = filtered || request.sortOrder !== SortOrder.NONE;
  const keysOnly = request.keysOnly && request.sortTarget !== SortTarget.VALUE;
  const found = view.range(request.key, request.rangeEnd, {
    revision: request.revision,
    limit: wholeRange || request.limit <= 0 ? 0 : request.limit + 1,
    countOnly: request.countOnly,
    keysOnly,
  });
  let kvs = found.kvs;
  if (filtered) kvs = kvs.filter((kv) => passesFilters(request, KeyValue.decode(kv)));
  if (needsSort(request)) kvs = sorted(request, kvs);
  const more = request.limit > 0 && kvs.length > request.limit;
  if (more) kvs = kvs.slice(0, request.limit);
  if (request.keysOnly && !keysOnly) kvs = kvs.map(withoutValue);
  return { header: revisionHeader(found.revision), kvs, more, count: found.count };
}

function sorted(request: RangeRequest, kvs: readonly Uint8Array[]): Uint8Array[] {
  const decoded = kvs.map((bytes) => ({ bytes, kv: KeyValue.decode(bytes) }));
  decoded.sort((left, right) => compareFor(request, left.kv, right.kv));
  return decoded.map(({ bytes }) => bytes);
}
