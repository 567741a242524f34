/** What a member is told at its start, and the world it runs in. */
import type { MemberRecord } from "../cluster/membership.ts";
import type { Backend } from "../ports/backend.ts";
import type { Clock } from "../ports/clock.ts";
import type { Disk } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";
import type { Network } from "../ports/network.ts";
import type { Random } from "../ports/random.ts";
import type { CorruptionCheckOptions } from "./corruption-checks.ts";
import type { MemberMetrics } from "./member-metrics.ts";

export interface MemberOptions {
  readonly name: string;
  readonly walFolder: string;
  /** Size at which the log begins a new file, in bytes. Default: etcd's 64,000,000. */
  readonly walSegmentBytes?: number | undefined;
  /** Where states that other members send come to. */
  readonly receivedFolder: string;
  /** Peer URLs by member name, this member's among them. */
  readonly initialCluster: ReadonlyMap<string, readonly string[]>;
  readonly clusterToken: string;
  /** The running cluster that this member joins with an empty folder; undefined: it begins a new one. */
  readonly joined?: JoinedCluster | undefined;
  /** Goes on with its data as a cluster of one. */
  readonly forceNewCluster?: boolean;
  readonly strictReconfigCheck?: boolean;
  readonly maxLearners?: number;
  readonly clientUrls: readonly string[];
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly preVote: boolean;
  /** `--initial-election-tick-advance`; absent: no. See `FirstElection`. */
  readonly initialElectionTickAdvance?: boolean;
  /** Entries between two snapshots of the log, and those kept behind a snapshot for followers that lag. */
  readonly snapshotCount: number;
  readonly snapshotCatchupEntries: number;
  readonly maxRequestBytes: number;
  /** Undefined: no quota. */
  readonly quotaBytes: number | undefined;
  readonly backendBatchMs: number;
  readonly backendBatchOperations: number;
  readonly compactionBatchRevisions: number;
  readonly compactionSleepMs: number;
  readonly autoCompaction: AutoCompaction | undefined;
  readonly watchProgressNotifyMs: number;
  readonly leaseCheckpoints: boolean;
  /** When the others' data are held against ours; undefined: never. */
  readonly corruptionChecks?: CorruptionCheckOptions;
  readonly warningApplyMs: number;
  readonly unsafeNoFsync: boolean;
  /**
   * Memory for requests on their way to disk: those not answered yet, the log since its last snapshot, and what the
   * store has not committed may each take so much, and about one request more.
   */
  readonly transitBytes: number;
  /** Memory for the newest values of keys. */
  readonly valueCacheBytes: number;
  /** A deletion of more keys is applied in steps of so many. Default 500: about 2 ms. */
  readonly deleteStepKeys?: number;
  /** The version that we speak, "3.7.3", and the cluster version that goes with it, "3.7.0". */
  readonly serverVersion: string;
  readonly clusterVersion: string;
}

/** What a member of a running cluster has said of it. */
export interface JoinedCluster {
  readonly clusterId: bigint;
  readonly members: readonly MemberRecord[];
}

export type AutoCompaction =
  | { readonly mode: "periodic"; readonly periodMs: number }
  | { readonly mode: "revision"; readonly retainRevisions: number };

export interface MemberPorts {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly random: Random;
  readonly backend: Backend;
  readonly logger: Logger;
  readonly metrics: MemberMetrics;
  /** The way to other members, for the ids that this one turns out to have; none: it can have no others. */
  readonly openNetwork?: (ids: { readonly memberId: bigint; readonly clusterId: bigint }) => Network;
  /** This member was removed from the cluster, and has stopped taking part. Ends the process. */
  readonly removed?: () => void;
  /** Share of the heap that is in use, 0 to 1; asked once a tick. */
  heapShare(): number;
  /** A promise to the disk or to ourselves was broken: nothing more may be acknowledged. Ends the process. */
  fatal(error: unknown): void;
}
