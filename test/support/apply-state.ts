/**
 * A state on a backend in memory with everything real in it, requests in few words, and what came of them. The log that
 * a member would have is played by a count of entries.
 */
import { Applier } from "../../server/apply/applier.ts";
import { restoreLeases } from "../../server/apply/lease-requests.ts";
import type { Applied, Responses } from "../../server/apply/outcome.ts";
import type { State } from "../../server/apply/state.ts";
import { utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { EtcdError } from "../../server/base/error.ts";
import { Alarms } from "../../server/cluster/alarms.ts";
import { Membership } from "../../server/cluster/membership.ts";
import { Lessor } from "../../server/lease/lessor.ts";
import { Store } from "../../server/mvcc/store.ts";
import {
  Compare,
  DeleteRangeRequest,
  InternalRaftRequest,
  type InternalRequest,
  PutRequest,
  RangeRequest,
  RequestHeader,
  RequestOp,
  type RequestOpUnion,
  TxnRequest,
} from "../../server/proto/etcdserverpb.ts";
import { KeyValue } from "../../server/proto/mvccpb.ts";
import { EntryType } from "../../server/proto/raftpb.ts";
import { MemoryBackend } from "../simulation/world/backend.ts";

/** From the first key to the last. */
export const ALL_KEYS = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };

export interface StateOptions {
  readonly backend?: MemoryBackend;
  readonly quotaBytes?: number;
  /** 0: every value comes from the backend. */
  readonly valueCacheBytes?: number;
}

/** A state restored from what the backend holds, as at the start of a member. */
export function openState(options: StateOptions = {}): State & { readonly backend: MemoryBackend } {
  const backend = options.backend ?? new MemoryBackend();
  const store = new Store(backend, { valueCacheBytes: options.valueCacheBytes ?? 4000 });
  for (const _ of store.restore());
  const state = {
    backend,
    store,
    lessor: new Lessor({ minTtlSeconds: 2 }),
    membership: new Membership(backend),
    alarms: new Alarms(backend),
    quotaBytes: options.quotaBytes,
  };
  state.membership.restore();
  state.alarms.restore();
  restoreLeases(state);
  return state;
}

/** Applies requests one after another, each as an entry of the log. */
export class Entries {
  readonly #applier: Applier;
  #index = 0;

  constructor(state: State) {
    this.#applier = new Applier(state);
  }

  /** `known`: what the applier takes instead of reading the entry. */
  apply(request: InternalRequest, known?: InternalRequest): Applied {
    const index = ++this.#index;
    const header = RequestHeader.create({ id: BigInt(index) });
    const data = InternalRaftRequest.encode({ header, id: 0n, request });
    return this.#applier.apply({ type: EntryType.NORMAL, term: 1, index, data }, known);
  }

  applyBytes(data: Uint8Array): Applied {
    return this.#applier.apply({ type: EntryType.NORMAL, term: 1, index: ++this.#index, data });
  }

  /** The answer; throws the refusal. */
  answer<K extends keyof Responses & InternalRequest["kind"]>(request: { kind: K } & InternalRequest): Responses[K] {
    const { outcome } = this.apply(request);
    if (!outcome.ok) throw new EtcdError(outcome.code, outcome.detail);
    return outcome.response as Responses[K];
  }

  /** The code of the refusal; "none" when there was an answer. */
  refusal(request: InternalRequest): string {
    const { outcome } = this.apply(request);
    return outcome.ok ? "none" : outcome.code;
  }
}

// ---- requests ----------------------------------------------------------------------------------------------------------

export function put(key: string, value = "", more: Partial<PutRequest> = {}) {
  const fields = { key: utf8Bytes(key), value: utf8Bytes(value), ...more };
  return { kind: "put" as const, value: PutRequest.create(fields) };
}

export function range(key: string, rangeEnd = "", more: Partial<RangeRequest> = {}) {
  const fields = { key: utf8Bytes(key), rangeEnd: utf8Bytes(rangeEnd), ...more };
  return { kind: "range" as const, value: RangeRequest.create(fields) };
}

export function deleteRange(key: string, rangeEnd = "", more: Partial<DeleteRangeRequest> = {}) {
  const fields = { key: utf8Bytes(key), rangeEnd: utf8Bytes(rangeEnd), ...more };
  return { kind: "deleteRange" as const, value: DeleteRangeRequest.create(fields) };
}

export function txn(parts: { when?: Compare[]; run?: RequestOpUnion[]; orElse?: RequestOpUnion[] }) {
  const operations = (all: RequestOpUnion[] = []) => all.map((request) => RequestOp.create({ request }));
  const value = TxnRequest.create({
    compare: parts.when ?? [],
    success: operations(parts.run),
    failure: operations(parts.orElse),
  });
  return { kind: "txn" as const, value };
}

/** `targetUnion` is the value compared with; its kind need not be the target's. */
export function compare(
  key: string,
  target: number,
  result: number,
  targetUnion: Compare["targetUnion"],
  rangeEnd = "",
): Compare {
  return Compare.create({ key: utf8Bytes(key), rangeEnd: utf8Bytes(rangeEnd), target, result, targetUnion });
}

export function grant(id: bigint, ttl = 60) {
  return { kind: "leaseGrant" as const, value: { id, ttl } };
}

export function revoke(id: bigint) {
  return { kind: "leaseRevoke" as const, value: { id } };
}

export function compaction(revision: number) {
  return { kind: "compaction" as const, value: { revision, physical: false } };
}

// ---- what there is -----------------------------------------------------------------------------------------------------

/** "key=value@mod/created/version", and "+lease" when it has one. */
export function shown(kv: Uint8Array): string {
  const { key, value, modRevision, createRevision, version, lease } = KeyValue.decode(kv);
  const held = lease === 0n ? "" : `+${lease}`;
  return `${utf8Text(key)}=${utf8Text(value)}@${modRevision}/${createRevision}/${version}${held}`;
}

/** All keys as `shown`. */
export function content({ store }: State, revision = 0): string[] {
  const options = { revision, limit: 0, countOnly: false };
  return store.range(ALL_KEYS.key, ALL_KEYS.rangeEnd, options).kvs.map(shown);
}

/** Everything that entries decide, in one comparable value. */
export function digest(state: State) {
  const steps = state.store.hashKv(0);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return {
    revision: state.store.currentRevision,
    compactRevision: state.store.compactRevision,
    hash: step.value.hash,
    hashOfBackend: state.store.hashAll(),
    leases: state.lessor
      .leases()
      .map(({ id, ttlSeconds, remainingTtlSeconds }) => ({
        id,
        ttlSeconds,
        remainingTtlSeconds,
        keys: state.lessor.keysOf(id),
      }))
      .sort((left, right) => (left.id < right.id ? -1 : 1)),
    alarms: state.alarms.list(),
    members: state.membership.list(),
    clusterVersion: state.membership.clusterVersion,
  };
}
