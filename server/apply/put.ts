/** Put: the checks against the state before, then one new version of the key, then who holds it by lease. */
import { EMPTY_BYTES } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import type { WriteTxn } from "../mvcc/write-txn.ts";
import { type PutRequest, type PutResponse, revisionHeader } from "../proto/etcdserverpb.ts";
import { KeyValue } from "../proto/mvccpb.ts";
import type { RangeView } from "./range.ts";
import type { State } from "./state.ts";

/** Refuses a put that asks for a lease or an earlier value that is not there. */
export function checkPut(state: State, view: RangeView, request: PutRequest): void {
  if (request.lease !== 0n && state.lessor.lookup(request.lease) === undefined) throw new EtcdError("LeaseNotFound");
  if ((request.ignoreValue || request.ignoreLease) && current(view, request.key) === undefined) {
    throw new EtcdError("KeyNotFound");
  }
}

/** Stores the key; `checkPut` has let it through, and nothing here can refuse. The header holds the new revision. */
export function executePut(state: State, write: WriteTxn, request: PutRequest): PutResponse {
  const wantsPrevious = request.prevKv || request.ignoreValue || request.ignoreLease;
  const previous = wantsPrevious ? current(write, request.key) : undefined;
  const kept =
    previous !== undefined && (request.ignoreValue || request.ignoreLease) ? KeyValue.decode(previous) : undefined;
  const value = request.ignoreValue ? (kept?.value ?? EMPTY_BYTES) : request.value;
  const lease = request.ignoreLease ? (kept?.lease ?? 0n) : request.lease;
  const { name, wasLeased } = write.put(request.key, value, lease);
  if (wasLeased || lease !== 0n) moveLease(state, name, lease);
  return { header: revisionHeader(write.revision), prevKv: request.prevKv ? previous : undefined };
}

/** A key belongs to one lease at most: the new one, or none. */
function moveLease(state: State, key: string, lease: bigint): void {
  const before = state.lessor.leaseOf(key);
  if (before === lease) return;
  if (before !== 0n) state.lessor.detach(key);
  if (lease !== 0n) state.lessor.attach(lease, key);
}

function current(view: RangeView, key: Uint8Array): Uint8Array | undefined {
  return view.range(key, EMPTY_BYTES, { revision: 0, limit: 1, countOnly: false }).kvs[0];
}
