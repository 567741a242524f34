/**
 * Leases in the log. The lessor knows who holds which key but deletes nothing: the deletion happens here, in the same
 * write batch as the end of the lease.
 */
import { EMPTY_BYTES, fromByteString } from "../base/bytes.ts";
import { idBytes, readSignedId } from "../base/int64.ts";
import type { WriteTxn } from "../mvcc/write-txn.ts";
import {
  type LeaseCheckpointRequest,
  type LeaseGrantRequest,
  LeaseGrantResponse,
  type LeaseRevokeRequest,
  LeaseRevokeResponse,
  ResponseHeader,
} from "../proto/etcdserverpb.ts";
import { Lease as LeaseRecord } from "../proto/leasepb.ts";
import type { State } from "./state.ts";

/** The header holds the store's revision at this moment. Throws LeaseExists or LeaseTtlTooLarge. */
export function executeLeaseGrant(state: State, request: LeaseGrantRequest): LeaseGrantResponse {
  const { ttlSeconds } = state.lessor.grant(request.id, request.ttl);
  storeLease(state, request.id, ttlSeconds, 0);
  const header = ResponseHeader.create({ revision: state.store.currentRevision });
  return LeaseGrantResponse.create({ header, id: request.id, ttl: ttlSeconds });
}

/** Ends the lease and deletes its keys in key order, in one revision, which the header holds. Throws LeaseNotFound. */
export function executeLeaseRevoke(state: State, write: WriteTxn, request: LeaseRevokeRequest): LeaseRevokeResponse {
  for (const key of state.lessor.revoke(request.id)) write.deleteRange(fromByteString(key), EMPTY_BYTES, false);
  state.backend.delete("lease", idBytes(request.id));
  return LeaseRevokeResponse.create({ header: ResponseHeader.create({ revision: write.currentRevision }) });
}

/** Remembers how long leases still have, for a leader to come. Those that ended meanwhile are passed over. */
export function executeLeaseCheckpoint(state: State, request: LeaseCheckpointRequest): void {
  for (const { id, remainingTtl } of request.checkpoints) {
    const lease = state.lessor.lookup(id);
    if (lease === undefined) continue;
    state.lessor.checkpoint(id, remainingTtl);
    storeLease(state, id, lease.ttlSeconds, remainingTtl);
  }
}

/** Fills the lessor from the bucket and the keys' lease ids from the store: at start, before anything is applied. */
export function restoreLeases(state: State): void {
  state.backend.scan("lease", EMPTY_BYTES, undefined, (key, value) => {
    const lease = LeaseRecord.decode(value);
    state.lessor.restore(readSignedId(key), lease.ttl, lease.remainingTtl);
    return true;
  });
  for (const [key, leaseId] of state.store.aliveLeases()) {
    if (state.lessor.lookup(leaseId) !== undefined) state.lessor.attach(leaseId, key);
  }
}

function storeLease(state: State, id: bigint, ttl: number, remainingTtl: number): void {
  state.backend.put("lease", idBytes(id), LeaseRecord.encode(LeaseRecord.create({ id, ttl, remainingTtl })));
}
