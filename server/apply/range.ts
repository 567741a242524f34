/**
 * A Range as etcd answers it, on any view of the store: limit, filters, order, and what a limit applies to. The view
 * gives keys in order at one revision; everything else is decided here.
 */
import { compareBytes } from "../base/bytes.ts";
import { type RangeRequest, type RangeResponse, revisionHeader, SortOrder, SortTarget } from "../proto/etcdserverpb.ts";
import { encodeKeyValue, KeyValue } from "../proto/mvccpb.ts";

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

function hasFilters(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

function passesFilters(request: RangeRequest, kv: KeyValue): boolean {
  return (
    (request.maxModRevision === 0 || kv.modRevision <= request.maxModRevision) &&
    (request.minModRevision === 0 || kv.modRevision >= request.minModRevision) &&
    (request.maxCreateRevision === 0 || kv.createRevision <= request.maxCreateRevision) &&
    (request.minCreateRevision === 0 || kv.createRevision >= request.minCreateRevision)
  );
}

/** Keys come in rising order already; a target other than the key without an order means rising. */
function needsSort(request: RangeRequest): boolean {
  if (request.sortTarget === SortTarget.KEY) return request.sortOrder === SortOrder.DESCEND;
  return true;
}

function sorted(request: RangeRequest, kvs: readonly Uint8Array[]): Uint8Array[] {
  const sign = request.sortOrder === SortOrder.DESCEND ? -1 : 1;
  const decoded = kvs.map((bytes) => ({ bytes, kv: KeyValue.decode(bytes) }));
  decoded.sort((left, right) => sign * compareBy(request.sortTarget, left.kv, right.kv));
  return decoded.map(({ bytes }) => bytes);
}

function compareBy(target: number, left: KeyValue, right: KeyValue): number {
  switch (target) {
    case SortTarget.VERSION:
      return left.version - right.version;
    case SortTarget.CREATE:
      return left.createRevision - right.createRevision;
    case SortTarget.MOD:
      return left.modRevision - right.modRevision;
    case SortTarget.VALUE:
      return compareBytes(left.value, right.value);
    default:
      return compareBytes(left.key, right.key);
  }
}

function withoutValue(bytes: Uint8Array): Uint8Array {
  return encodeKeyValue({ ...KeyValue.decode(bytes), value: new Uint8Array(0) });
}
