/**
 * What services ask of the member that they answer for; `member/member.ts` is the real one, tests bring small ones.
 *
 * Answers carry the header that their own work gives them (a revision, or nothing); ids, term and a missing revision
 * are filled in by the services. Refusals are `EtcdError`, thrown or rejected.
 */
import type {
  AlarmMember,
  AlarmRequest,
  AlarmResponse,
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  ResponseHeader,
  StatusResponse,
  TxnRequest,
  TxnResponse,
  WatchCreateRequest,
  WatchResponse,
} from "../proto/etcdserverpb.ts";

/** Until when the caller waits; the member has a limit of its own. A `Call` is one. */
export interface Patience {
  /** Monotonic milliseconds. */
  readonly deadlineMs: number | undefined;
}

export interface MemberApi {
  /** Ids, term and current revision, as of now. */
  header(): ResponseHeader;
  /** 0n: none that this member knows of. */
  readonly leaderId: bigint;
  readonly isLearner: boolean;
  readonly lessor: LeaseReader;
  readonly hub: WatchSource;

  /** Resolves when everything committed before this call can be read here. */
  linearizableRead(): Promise<void>;
  /** Linearizable unless the request says otherwise; what is serializable is answered at once. */
  range(request: RangeRequest, patience: Patience): RangeResponse | Promise<RangeResponse>;
  put(request: PutRequest, patience: Patience): Promise<PutResponse>;
  deleteRange(request: DeleteRangeRequest, patience: Patience): Promise<DeleteRangeResponse>;
  /** One that only reads is answered without the log. */
  txn(request: TxnRequest, patience: Patience): Promise<TxnResponse>;
  compact(request: CompactionRequest, patience: Patience): Promise<CompactionResponse>;

  leaseGrant(request: LeaseGrantRequest, patience: Patience): Promise<LeaseGrantResponse>;
  leaseRevoke(request: LeaseRevokeRequest, patience: Patience): Promise<LeaseRevokeResponse>;
  /** The lease's full TTL in seconds, counted anew. Rejects with LeaseNotFound for one that is gone or has run out. */
  leaseRenew(id: bigint, patience: Patience): Promise<number>;
  /** As the leader knows it, with its keys if wanted. Undefined: it is gone. */
  leaseTimeToLive(id: bigint, keys: boolean): Promise<LeaseFacts | undefined>;

  alarm(request: AlarmRequest, patience: Patience): Promise<AlarmResponse>;
  alarms(): AlarmMember[];
  members(linearizable: boolean): Promise<MemberOfCluster[]>;
  readonly changes: ClusterChanges;
  /** Rejects with NotLeader, BadLeaderTransferee or TimeoutLeaderTransfer. */
  moveLeader(target: bigint): Promise<void>;
  status(): StatusResponse;
  hashSteps(): Generator<void, number, void>;
  hashKv(revision: number): Promise<{
    readonly hash: number;
    readonly compactRevision: number;
    readonly hashRevision: number;
  }>;
  defragment(): Promise<void>;
  /** The store as of now. Rejects with TooManyRequests when too many are open. */
  snapshot(): Promise<SnapshotSource>;
  /** Resolves when others have had their turn. */
  nextTurn(): Promise<void>;
}

/** The store as a bbolt file, in pieces. `close` it. */
export interface SnapshotSource {
  /** The storage version, "3.7.0". */
  readonly version: string;
  /** A slice of working out the size; true once it is known. */
  measure(): boolean;
  readonly sizeBytes: number;
  /** At most 32 KiB; undefined at the end. */
  next(): Uint8Array | undefined;
  close(): void;
}

/** Leases as this member has applied them. */
export interface LeaseReader {
  readonly size: number;
  /** By expiry; in slices of a millisecond or so. */
  leasesInSlices(): Generator<void, { readonly id: bigint }[], void>;
}

export interface LeaseFacts {
  /** Whole seconds; negative once it has run out and its end is under way. */
  readonly ttlSeconds: number;
  readonly grantedTtlSeconds: number;
  /** Sorted. */
  readonly keys: readonly Uint8Array[];
}

export interface MemberOfCluster {
  readonly id: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

/** Changes of membership: answered when they are applied here. Rejects with what etcd's rules say. */
export interface ClusterChanges {
  /** Answers the new member, which has no name until it starts. */
  add(peerUrls: readonly string[], isLearner: boolean): Promise<MemberOfCluster>;
  remove(id: bigint): Promise<void>;
  update(id: bigint, peerUrls: readonly string[]): Promise<void>;
  promote(id: bigint): Promise<void>;
}

/** The watch hub. */
export interface WatchSource {
  /** `onWritable` is called when something waits, once until `next` has answered undefined. */
  openStream(options: { readonly onWritable: () => void }): WatchSide;
}

/** All watches of one client stream. */
export interface WatchSide {
  create(request: WatchCreateRequest): void;
  /** Answers a watch that never came to be: id -1, created and canceled. */
  reject(reason: string): void;
  cancel(watchId: number): void;
  requestProgress(): void;
  /** The next message to send; undefined when nothing waits. */
  next(): WatchDelivery | undefined;
  /** So many answers wait that no further request should be read. */
  readonly full: boolean;
  close(): void;
}

/** One message; the same object may go to many streams, and whoever encodes it keeps the bytes there for the next. */
export interface WatchDelivery {
  /** Without its header. */
  readonly response: WatchResponse;
  /** For the header. */
  readonly revision: number;
  encoded: Uint8Array | undefined;
}
