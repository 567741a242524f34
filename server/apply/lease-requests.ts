/**
 * Leases in the log. The lessor knows who holds which key but deletes nothing: the deletion happens here, in the same
 * write batch as the end of the lease.
 */
import { type ByteString, EMPTY_BYTES, fromByteString, printableBytes } from "../base/bytes.ts";
import { idBytes, readSignedId } from "../base/int64.ts";
import { NO_LEASE } from "../lease/lease.ts";
import type { Lessor } from "../lease/lessor.ts";
import { following } from "../mvcc/records.ts";
import type { WriteTxn } from "../mvcc/write-txn.ts";
import { type BackendReader, CorruptRecord } from "../ports/backend.ts";
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

/** Leases read, or keys hung on them, between two stops. */
const LEASE_SLICE = 500;
const LEASE_KEY_BYTES = 8;

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

/**
 * The same with a pause after every `keys` keys. Each is let go as it is deleted: who asks in between for the keys of the
 * lease is told fewer. The lease itself goes last.
 */
export function* leaseRevokeSteps(
  state: State,
  write: WriteTxn,
  request: LeaseRevokeRequest,
  keys: number,
): Generator<void, LeaseRevokeResponse, void> {
  let left = keys;
  for (const key of yield* state.lessor.keysInSlices(request.id)) {
    write.deleteRange(fromByteString(key), EMPTY_BYTES, false);
    state.lessor.detach(key);
    if (--left > 0) continue;
    left = keys;
    yield;
  }
  return executeLeaseRevoke(state, write, request);
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
  for (const _ of restoreLeaseSteps(state.backend, state.store.aliveLeases(), state.lessor));
}

/**
 * The same in slices of a millisecond or so, of any store. `leased`: its living keys with a lease. Throws `CorruptRecord`
 * when a record is not what a lease is stored as.
 */
export function* restoreLeaseSteps(
  reader: BackendReader,
  leased: Iterable<readonly [ByteString, bigint]>,
  lessor: Lessor,
): Generator<void, void, void> {
  for (let from: Uint8Array | undefined = EMPTY_BYTES; from !== undefined; ) {
    let left = LEASE_SLICE;
    let last: Uint8Array | undefined;
    reader.scan("lease", from, undefined, (key, value) => {
      restoreLease(lessor, key, value);
      last = key;
      return --left > 0;
    });
    from = last === undefined || left > 0 ? undefined : following(last);
    if (from !== undefined) yield;
  }
  let attached = 0;
  for (const [key, leaseId] of leased) {
    if (lessor.lookup(leaseId) !== undefined) lessor.attach(leaseId, key);
    if (++attached % LEASE_SLICE === 0) yield;
  }
}

function restoreLease(lessor: Lessor, key: Uint8Array, value: Uint8Array): void {
  const id = key.length === LEASE_KEY_BYTES ? readSignedId(key) : NO_LEASE;
  if (id === NO_LEASE) throw new CorruptRecord(`"${printableBytes(key)}" in bucket "lease" is no lease's id`);
  let record: LeaseRecord;
  try {
    record = LeaseRecord.decode(value);
  } catch (error) {
    throw new CorruptRecord(`the record of lease ${id} in bucket "lease" is no lease: ${String(error)}`);
  }
  lessor.restore(id, record.ttl, record.remainingTtl);
}

function storeLease(state: State, id: bigint, ttl: number, remainingTtl: number): void {
  state.backend.put("lease", idBytes(id), LeaseRecord.encode(LeaseRecord.create({ id, ttl, remainingTtl })));
}
