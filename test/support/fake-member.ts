/** A small member for the tests of this room and of rpc: a map of keys, every write one revision, no log. */
import { fromByteString, toByteString } from "../../server/base/bytes.ts";
import { EtcdError } from "../../server/base/error.ts";
import {
  AlarmResponse,
  CompactionResponse,
  DeleteRangeResponse,
  LeaseGrantResponse,
  LeaseRevokeResponse,
  type PutRequest,
  PutResponse,
  type RangeRequest,
  RangeResponse,
  ResponseHeader,
  StatusResponse,
  type TxnRequest,
  TxnResponse,
  type WatchCreateRequest,
  WatchResponse,
} from "../../server/proto/etcdserverpb.ts";
import { encodeKeyValue } from "../../server/proto/mvccpb.ts";
import type {
  LeaseFacts,
  MemberApi,
  MemberOfCluster,
  Patience,
  WatchDelivery,
  WatchSide,
} from "../../server/services/member-api.ts";

/** A watch stream that the test fills. */
export class FakeWatchSide implements WatchSide {
  readonly created: WatchCreateRequest[] = [];
  readonly canceledIds: number[] = [];
  readonly #onWritable: () => void;
  #waiting: WatchDelivery[] = [];
  progressRequests = 0;
  full = false;
  closed = false;
  refusal: EtcdError | undefined;

  constructor(onWritable: () => void) {
    this.#onWritable = onWritable;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  offer(...deliveries: { response: Partial<WatchResponse>; revision: number }[]): void {
    for (const { response, revision } of deliveries) {
      this.#waiting.push({ response: WatchResponse.create(response), revision, encoded: undefined });
    }
    this.#onWritable();
  }

  create(request: WatchCreateRequest): void {
    if (this.refusal !== undefined) throw this.refusal;
    this.created.push(request);
    this.offer({ response: { watchId: this.created.length - 1, created: true }, revision: 7 });
  }

  reject(reason: string): void {
    this.offer({ response: { watchId: -1, created: true, canceled: true, cancelReason: reason }, revision: 7 });
  }

  cancel(watchId: number): void {
    this.canceledIds.push(watchId);
  }

  requestProgress(): void {
    this.progressRequests++;
  }

  next(): WatchDelivery | undefined {
    return this.#waiting.shift();
  }

  close(): void {
    this.closed = true;
    this.#waiting = [];
  }
}

export class FakeMember implements MemberApi {
  revision = 1;
  leaderId = 9n;
  isLearner = false;
  readonly keys = new Map<string, Uint8Array>();
  readonly leases = new Map<bigint, { ttlSeconds: number }>();
  readonly watchSides: FakeWatchSide[] = [];
  /** What reads without a barrier are refused with. */
  refusal: EtcdError | undefined;
  /** What the next call of a name does instead of its work. */
  readonly instead = new Map<string, () => Promise<never>>();
  readonly seen: { readonly call: string; readonly request: unknown; readonly deadlineMs: number | undefined }[] = [];

  header(): ResponseHeader {
    return { clusterId: 0xc1n, memberId: 0xa1n, revision: this.revision, raftTerm: 3 };
  }

  readonly lessor = {
    size: 2,
    lookup: (id: bigint) => this.leases.get(id),
    keysOf: (id: bigint) => (this.leases.has(id) ? ["a", "b\xff"] : []),
    // biome-ignore lint/correctness/useYield: the slices of what is little
    *leasesInSlices(this: { all: () => { id: bigint }[] }) {
      return this.all();
    },
    all: () => [...this.leases.keys()].map((id) => ({ id })),
  };

  readonly hub = {
    openStream: ({ onWritable }: { onWritable: () => void }) => {
      const side = new FakeWatchSide(onWritable);
      this.watchSides.push(side);
      return side;
    },
  };

  async #note(call: string, request: unknown, patience: Patience): Promise<void> {
    this.seen.push({ call, request, deadlineMs: patience.deadlineMs });
    await this.instead.get(call)?.();
  }

  async linearizableRead(): Promise<void> {
    await this.instead.get("range")?.();
  }

  range(request: RangeRequest, patience: Patience): RangeResponse | Promise<RangeResponse> {
    this.seen.push({ call: "range", request, deadlineMs: patience.deadlineMs });
    const instead = this.instead.get("range");
    if (instead !== undefined) return instead();
    if (this.refusal !== undefined) throw this.refusal;
    const answer = this.#find(request);
    return request.serializable ? answer : Promise.resolve(answer);
  }

  #find(request: RangeRequest): RangeResponse {
    if (request.revision > this.revision) throw new EtcdError("FutureRevision");
    const from = toByteString(request.key);
    const end = request.rangeEnd.length === 0 ? `${from}\0` : toByteString(request.rangeEnd);
    const found = [...this.keys].filter(([key]) => key >= from && (end === "\0" || key < end)).sort(byKey);
    const kept = request.limit > 0 ? found.slice(0, request.limit) : found;
    const kvs = kept.map(([key, value]) =>
      encodeKeyValue({ key: fromByteString(key), value, createRevision: 2, modRevision: 2, version: 1, lease: 0n }),
    );
    return RangeResponse.create({
      header: ResponseHeader.create({ revision: this.revision }),
      kvs: request.countOnly ? [] : kvs,
      count: found.length,
      more: !request.countOnly && kept.length < found.length,
    });
  }

  async put(request: PutRequest, patience: Patience): Promise<PutResponse> {
    await this.#note("put", request, patience);
    this.keys.set(toByteString(request.key), request.value);
    this.revision++;
    return PutResponse.create({ header: ResponseHeader.create({ revision: this.revision }) });
  }

  async deleteRange(request: { readonly key: Uint8Array }, patience: Patience): Promise<DeleteRangeResponse> {
    await this.#note("deleteRange", request, patience);
    return DeleteRangeResponse.create({ deleted: this.keys.delete(toByteString(request.key)) ? 1 : 0 });
  }

  async txn(request: TxnRequest, patience: Patience): Promise<TxnResponse> {
    await this.#note("txn", request, patience);
    return TxnResponse.create({ succeeded: true });
  }

  async compact(request: unknown, patience: Patience): Promise<CompactionResponse> {
    await this.#note("compact", request, patience);
    return CompactionResponse.create();
  }

  async leaseGrant(request: { readonly id: bigint; readonly ttl: number }, patience: Patience) {
    await this.#note("leaseGrant", request, patience);
    this.leases.set(request.id, { ttlSeconds: request.ttl });
    return LeaseGrantResponse.create({ id: request.id, ttl: request.ttl });
  }

  async leaseRevoke(request: { readonly id: bigint }, patience: Patience): Promise<LeaseRevokeResponse> {
    await this.#note("leaseRevoke", request, patience);
    if (!this.leases.delete(request.id)) throw new EtcdError("LeaseNotFound");
    return LeaseRevokeResponse.create();
  }

  async leaseRenew(id: bigint, patience: Patience): Promise<number> {
    await this.#note("leaseRenew", id, patience);
    const lease = this.leases.get(id);
    if (lease === undefined) throw new EtcdError("LeaseNotFound");
    return lease.ttlSeconds;
  }

  async leaseTimeToLive(id: bigint, keys: boolean): Promise<LeaseFacts | undefined> {
    const lease = this.leases.get(id);
    if (lease === undefined) return undefined;
    const { ttlSeconds } = lease;
    return {
      ttlSeconds: ttlSeconds - 1,
      grantedTtlSeconds: ttlSeconds,
      keys: keys ? this.lessor.keysOf(id).map(fromByteString) : [],
    };
  }

  async moveLeader(target: bigint): Promise<void> {
    await this.#note("moveLeader", target, { deadlineMs: undefined });
  }

  readonly changes = {
    add: async (peerUrls: readonly string[], isLearner: boolean) => ({
      id: 0xa2n,
      name: "",
      peerUrls,
      clientUrls: [],
      isLearner,
    }),
    remove: async () => undefined,
    update: async () => undefined,
    promote: async () => undefined,
  };

  async alarm(request: unknown, patience: Patience): Promise<AlarmResponse> {
    await this.#note("alarm", request, patience);
    return AlarmResponse.create();
  }

  alarms() {
    return [];
  }

  async members(linearizable: boolean): Promise<MemberOfCluster[]> {
    this.seen.push({ call: "members", request: linearizable, deadlineMs: undefined });
    return [{ id: 0xa1n, name: "one", peerUrls: ["http://p"], clientUrls: ["http://c"], isLearner: false }];
  }

  status(): StatusResponse {
    return StatusResponse.create({ header: this.header(), version: "3.7.3" });
  }

  // biome-ignore lint/correctness/useYield: the hash of nothing much
  *hashSteps(): Generator<void, number, void> {
    return 0xffff_fffe;
  }

  async hashKv(revision: number) {
    if (revision > this.revision) throw new EtcdError("FutureRevision");
    return { hash: 5, compactRevision: -1, hashRevision: revision === 0 ? this.revision : revision };
  }

  async defragment(): Promise<void> {}

  /** Pieces of the next snapshot, and how many of them were let go. */
  readonly pieces: Uint8Array[] = [];
  closedSnapshots = 0;

  async snapshot() {
    await this.instead.get("snapshot")?.();
    const pieces = [...this.pieces];
    let slices = 2;
    return {
      version: "3.7.0",
      sizeBytes: pieces.reduce((sum, { length }) => sum + length, 0),
      measure: () => --slices < 0,
      next: () => pieces.shift(),
      close: () => {
        this.closedSnapshots++;
      },
    };
  }

  async nextTurn(): Promise<void> {}
}

function byKey([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : 1;
}
