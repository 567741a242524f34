/** What became of an entry: the answer for whoever asked, and the changes for those who watch. Plain values. */
import type { ErrorCode } from "../base/error.ts";
import type { Compaction } from "../mvcc/compaction.ts";
import type { Change } from "../mvcc/event.ts";
import type {
  AlarmResponse,
  CompactionResponse,
  DeleteRangeResponse,
  InternalRequest,
  LeaseGrantResponse,
  LeaseRevokeResponse,
  PutResponse,
  RangeResponse,
  TxnResponse,
} from "../proto/etcdserverpb.ts";

/** The answer to each kind of request that a client can put into the log. */
export interface Responses {
  readonly range: RangeResponse;
  readonly put: PutResponse;
  readonly deleteRange: DeleteRangeResponse;
  readonly txn: TxnResponse;
  readonly compaction: CompactionResponse;
  readonly leaseGrant: LeaseGrantResponse;
  readonly leaseRevoke: LeaseRevokeResponse;
  readonly alarm: AlarmResponse;
  /** Requests of the server itself: nothing to answer. */
  readonly internal: undefined;
}

export type Outcome =
  | { readonly ok: true; readonly response: Responses[keyof Responses] }
  | { readonly ok: false; readonly code: ErrorCode; readonly detail: string | undefined };

/** One applied entry. */
export interface Applied {
  /** For the metrics; "none" for the entry of a new leader. */
  readonly kind: InternalRequest["kind"] | "none";
  readonly outcome: Outcome;
  /** In the order of their revisions; empty when nothing changed. */
  readonly changes: readonly Change[];
  /** A compaction that this entry began; the conductor runs its slices. */
  readonly compaction: Compaction | undefined;
}
