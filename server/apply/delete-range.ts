/** DeleteRange: a tombstone for each live key of the range, all in one revision, and their leases let go. */
import type { WriteTxn } from "../mvcc/write-txn.ts";
import { type DeleteRangeRequest, DeleteRangeResponse, ResponseHeader } from "../proto/etcdserverpb.ts";
import type { State } from "./state.ts";

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
