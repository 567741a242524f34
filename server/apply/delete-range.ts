/** DeleteRange: a tombstone for each live key of the range, all in one revision, and their leases let go. */
import type { DeletedKey, WriteTxn } from "../mvcc/write-txn.ts";
import { type DeleteRangeRequest, DeleteRangeResponse, ResponseHeader } from "../proto/etcdserverpb.ts";
import type { State } from "./state.ts";

/**
 * As `executeDeleteRange`, with a pause after every `keys` keys. The keys' leases are let go as they are deleted: who
 * asks in between for the keys of a lease is told fewer.
 */
export function* deleteRangeSteps(
  state: State,
  write: WriteTxn,
  { key, rangeEnd, prevKv }: DeleteRangeRequest,
  keys: number,
): Generator<void, DeleteRangeResponse, void> {
  const deleted: DeletedKey[] = [];
  let detached = 0;
  const detach = () => {
    for (; detached < deleted.length; detached++) state.lessor.detach((deleted[detached] as DeletedKey).key);
  };
  for (const _ of write.deleteSteps({ key, rangeEnd, wantKvs: prevKv, keys }, deleted)) {
    detach();
    yield;
  }
  detach();
  return DeleteRangeResponse.create({
    header: ResponseHeader.create({ revision: write.currentRevision }),
    deleted: deleted.length,
    prevKvs: prevKv ? deleted.map(({ kv }) => kv) : [],
  });
}

/** The header holds the revision of the transaction so far: the new one when anything changed in it. */
export function executeDeleteRange(state: State, write: WriteTxn, request: DeleteRangeRequest): DeleteRangeResponse {
  const { deleted } = write.deleteRange(request.key, request.rangeEnd, request.prevKv);
  for (const { key } of deleted) state.lessor.detach(key);
  return DeleteRangeResponse.create({
    header: ResponseHeader.create({ revision: write.currentRevision }),
    deleted: deleted.length,
    prevKvs: request.prevKv ? deleted.map(({ kv }) => kv) : [],
  });
}
