/**
 * Named places at which a process that was started for it can be made to stop, wait or fail, under the names that etcd
 * gives the same places. Off, which is always unless the environment asks for them (system/failpoints.ts), a place costs
 * one look at a variable: `failpoint?.("raftBeforeSave")` evaluates nothing more.
 *
 *     failpoint?.(name)                                        the caller waits: the event loop, where it is called there
 *     if (besideFailpoint !== undefined) await besideFailpoint(name)   only what awaits it waits
 *
 * docs/failpoints.md says what each place means here.
 */

/** In the order of what happens: raft and log, store, compaction, defragmentation, snapshots, apply, watches, leases, peers. */
export const FAILPOINTS = [
  "raftBeforeLeaderSend",
  "raftBeforeFollowerSend",
  "raftBeforeSave",
  "walBeforeSync",
  "walAfterSync",
  "raftAfterSave",
  "raftBeforeAdvance",
  "raftBeforeSaveSnap",
  "raftBeforeWALSaveSnaphot",
  "raftAfterSaveSnap",
  "raftBeforeApplySnap",
  "raftAfterApplySnap",
  "raftAfterWALRelease",
  "commitBeforePreCommitHook",
  "commitAfterPreCommitHook",
  "beforeStartDBTxn",
  "afterStartDBTxn",
  "beforeCommit",
  "afterCommit",
  "beforeWritebackBuf",
  "afterWritebackBuf",
  "compactBeforeCommitScheduledCompact",
  "compactAfterCommitScheduledCompact",
  "compactAfterAcquiredBatchTxLock",
  "compactBeforeCommitBatch",
  "compactAfterCommitBatch",
  "compactBeforeSetFinishedCompact",
  "compactAfterSetFinishedCompact",
  "defragOpenFileError",
  "defragBeforeCopy",
  "defragdbFail",
  "defragBeforeRename",
  "snapDBRenameBeforeDirSync",
  "snapDBDirSyncError",
  "applyBeforeOpenSnapshot",
  "applyAfterOpenSnapshot",
  "beforeApplyOneEntryNormal",
  "beforeApplyOneConfChange",
  "beforePublishing",
  "beforeSendWatchResponse",
  "beforeSyncWatchers",
  "beforeProgressIfSync",
  "beforeRangeStreamChunk",
  "beforeCheckpointInLeaseRenew",
  "beforeLookupWhenLeaseTimeToLive",
  "beforeServeHTTPLeaseRenew",
  "beforeLookupWhenForwardLeaseTimeToLive",
  "raftDropHeartbeat",
] as const;

export type FailpointName = (typeof FAILPOINTS)[number];

/** Those that do something with a value that is asked for by `return`: an error's text, or merely that it was asked. */
export const RETURNING_FAILPOINTS: readonly FailpointName[] = [
  "defragOpenFileError",
  "defragdbFail",
  "snapDBDirSyncError",
  "raftDropHeartbeat",
];

/** What happens at a place that is reached. */
export interface FailpointActions {
  /** Holds the caller for as long as a sleep takes; answers the value of a `return`. May not come back at all. */
  hold(name: FailpointName): string | undefined;
  /** To be awaited: resolves, when a sleep is over, to the value of a `return`. */
  beside(name: FailpointName): PromiseLike<string | undefined>;
}

/** Undefined unless some place is armed. */
export let failpoint: FailpointActions["hold"] | undefined;

/** Undefined unless some place is armed; for code that waits anyway. */
export let besideFailpoint: FailpointActions["beside"] | undefined;

/** Some place is armed from here on; undefined: none is. */
export function setFailpointActions(actions: FailpointActions | undefined): void {
  failpoint = actions === undefined ? undefined : (name) => actions.hold(name);
  besideFailpoint = actions === undefined ? undefined : (name) => actions.beside(name);
}

/** The place of that name, which may have etcd's package path in front; undefined: there is none. */
export function failpointNamed(name: string): FailpointName | undefined {
  const last = name.slice(name.lastIndexOf("/") + 1);
  return FAILPOINTS.find((known) => known === last);
}
