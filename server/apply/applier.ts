/**
 * A committed entry becomes state and an outcome: a pure function of both. It never waits, never looks at a clock and
 * never throws at a client; a refusal is part of the outcome, since every member comes to the same one. The gates are
 * asked in a fixed order: alarms, then (in the answer only) the quota.
 */
import { AssertionFailure, assert, unreachable } from "../base/assert.ts";
import { EtcdError } from "../base/error.ts";
import type { Compaction } from "../mvcc/compaction.ts";
import type { Change } from "../mvcc/event.ts";
import type { WriteTxn } from "../mvcc/write-txn.ts";
import {
  CompactionResponse,
  InternalRaftRequest,
  type InternalRequest,
  type PutRequest,
  type PutResponse,
  ResponseHeader,
} from "../proto/etcdserverpb.ts";
import type { Entry } from "../proto/raftpb.ts";
import { executeAlarm } from "./cluster-requests.ts";
import { costBytes } from "./costs.ts";
import { deleteRangeSteps, executeDeleteRange } from "./delete-range.ts";
import { alarmGate, withinQuota } from "./gates.ts";
import { executeLeaseCheckpoint, executeLeaseGrant, executeLeaseRevoke, leaseRevokeSteps } from "./lease-requests.ts";
import type { Applied, Outcome, Responses } from "./outcome.ts";
import { checkPut, executePut } from "./put.ts";
import { executeRange } from "./range.ts";
import type { State } from "./state.ts";
import { executeTxn } from "./txn.ts";

const NO_CHANGES: readonly Change[] = [];
const NOTHING: Applied = {
  kind: "none",
  outcome: { ok: true, response: undefined },
  changes: NO_CHANGES,
  compaction: undefined,
};

/** What a normal entry holds; undefined: nothing, as in the first of a new leader. */
export function requestOf(entry: Entry): InternalRequest | undefined {
  return entry.data.length === 0 ? undefined : InternalRaftRequest.decode(entry.data).request;
}

export class Applier {
  readonly #state: State;
  #changes: readonly Change[] = NO_CHANGES;
  #compaction: Compaction | undefined;

  constructor(state: State) {
    this.#state = state;
  }

  /**
   * Applies a normal entry. An entry without data is the first of a new leader and changes nothing. `known`: the request
   * in the entry, where the caller has it already.
   */
  apply(entry: Entry, known?: InternalRequest): Applied {
    if (entry.data.length === 0) return NOTHING;
    const request = known ?? InternalRaftRequest.decode(entry.data).request;
    assert(request !== undefined, `entry ${entry.index} holds a request that this version does not know`);
    this.#changes = NO_CHANGES;
    this.#compaction = undefined;
    const outcome = this.#outcome(request);
    return {
      kind: request.kind,
      outcome,
      changes: this.#changes,
      compaction: this.#compaction,
    };
  }

  /**
   * The steps of a deletion of more than `keys` keys, of a range or with a lease, about so many each; undefined for every
   * other entry, which `apply` takes at once. Until the last step reads see the state before, and nothing may be made durable: a part of an entry
   * is not to be found after a crash.
   */
  steps(request: InternalRequest | undefined, keys: number): Generator<void, Applied, void> | undefined {
    const state = this.#state;
    switch (request?.kind) {
      case "deleteRange": {
        const { key, rangeEnd } = request.value;
        const isLong = rangeEnd.length > 0 && state.store.aliveIn(key, rangeEnd) > keys;
        if (!isLong || alarmGate(state, request) !== undefined) return undefined;
        return this.#inSteps(request.kind, (write) => deleteRangeSteps(state, write, request.value, keys));
      }
      case "leaseRevoke": {
        const isLong = state.lessor.keyCount(request.value.id) > keys;
        if (!isLong || alarmGate(state, request) !== undefined) return undefined;
        return this.#inSteps(request.kind, (write) => leaseRevokeSteps(state, write, request.value, keys));
      }
      default:
        return undefined;
    }
  }

  *#inSteps(
    kind: "deleteRange" | "leaseRevoke",
    begin: (write: WriteTxn) => Generator<void, Responses[typeof kind], void>,
  ): Generator<void, Applied, void> {
    const write = this.#state.store.beginWrite();
    const response = yield* begin(write);
    const { changes } = write.end();
    return { kind, outcome: { ok: true, response }, changes, compaction: undefined };
  }

  #outcome(request: InternalRequest): Outcome {
    const refusal = alarmGate(this.#state, request);
    if (refusal !== undefined) return { ok: false, code: refusal, detail: undefined };
    const fits = withinQuota(this.#state, costBytes(request));
    try {
      const response = this.#execute(request);
      return fits ? { ok: true, response } : { ok: false, code: "NoSpace", detail: undefined };
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      assert(this.#changes.length === 0, "a refused request leaves nothing behind");
      return { ok: false, code: error.code, detail: error.detail };
    }
  }

  #execute(request: InternalRequest): Responses[keyof Responses] {
    const state = this.#state;
    switch (request.kind) {
      case "put":
        return this.#put(request.value);
      case "txn":
        return this.#writing((write) => executeTxn(state, write, request.value));
      case "deleteRange":
        return this.#writing((write) => executeDeleteRange(state, write, request.value));
      case "range":
        return executeRange(state.store, request.value);
      case "compaction":
        this.#compaction = state.store.scheduleCompaction(request.value.revision);
        return CompactionResponse.create({ header: ResponseHeader.create({ revision: state.store.currentRevision }) });
      case "leaseGrant":
        return executeLeaseGrant(state, request.value);
      case "leaseRevoke":
        return this.#writing((write) => executeLeaseRevoke(state, write, request.value));
      case "leaseCheckpoint":
        executeLeaseCheckpoint(state, request.value);
        return undefined;
      case "alarm":
        return executeAlarm(state, request.value);
      case "clusterVersionSet":
        state.membership.setClusterVersion(request.value.ver);
        return undefined;
      case "clusterMemberAttrSet": {
        const { memberId, memberAttributes } = request.value;
        state.membership.setAttributes(memberId, memberAttributes?.name ?? "", memberAttributes?.clientUrls ?? []);
        return undefined;
      }
      case "downgradeInfoSet":
        state.membership.setDowngrade(request.value.enabled, request.value.ver);
        return undefined;
      case "authEnable":
      case "authDisable":
      case "authStatus":
      case "authenticate":
      case "authUserAdd":
      case "authUserDelete":
      case "authUserGet":
      case "authUserChangePassword":
      case "authUserGrantRole":
      case "authUserRevokeRole":
      case "authUserList":
      case "authRoleList":
      case "authRoleAdd":
      case "authRoleDelete":
      case "authRoleGet":
      case "authRoleGrantPermission":
      case "authRoleRevokePermission":
      case "downgradeVersionTest":
        // Skipping it would make this store differ from every other that holds the same log: stop instead.
        throw new AssertionFailure(
          `the log holds a request of kind "${request.kind}", which this version cannot apply`,
        );
      default:
        return unreachable(request);
    }
  }

  /** As `#writing`, without a closure: most requests are puts. */
  #put(request: PutRequest): PutResponse {
    const state = this.#state;
    checkPut(state, state.store, request);
    const write = state.store.beginWrite();
    try {
      return executePut(state, write, request);
    } finally {
      this.#changes = write.end().changes;
    }
  }

  #writing<T>(action: (write: WriteTxn) => T): T {
    const write = this.#state.store.beginWrite();
    try {
      return action(write);
    } finally {
      this.#changes = write.end().changes;
    }
  }
}
