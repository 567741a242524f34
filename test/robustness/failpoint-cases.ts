/**
 * Where each failpoint is tried, and what brings a server there. Every name stands in exactly one list: the test of the
 * lists says so.
 */
import { utf8Bytes } from "../../server/base/bytes.ts";
import type { FailpointName } from "../../server/base/failpoint.ts";
import type { Client } from "../../server/client/client.ts";
import { WatchCreateRequest } from "../../server/proto/etcdserverpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import type { Promises, Workload } from "./workload.ts";

/** Asks for what leads to the place; whether it is answered does not matter, for the server may end there. */
export type Trigger = (client: Client, workload: Workload) => Promise<unknown>;

export interface LoadCase {
  readonly name: FailpointName;
  /** Absent: the load comes there by itself. */
  readonly trigger?: Trigger;
}

const CALL = { timeoutMs: 5000 };
const EVERY_KEY = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };

const defragment: Trigger = (client) => client.call(SERVICES.maintenance.methods.defragment, {}, CALL);

const streamRange: Trigger = (client) => client.serverStream(SERVICES.kv.methods.rangeStream, EVERY_KEY, CALL).all();

/** A watch of the newest history, which is behind at first, and of what comes; asks for its progress. */
const watch: Trigger = async (client, workload) => {
  const stream = client.bidi(SERVICES.watch.methods.watch, { timeoutMs: 1000 });
  const startRevision = Math.max(1, workload.highest - 5);
  const value = WatchCreateRequest.create({ ...EVERY_KEY, startRevision });
  stream.send({ requestUnion: { kind: "create", value } });
  stream.send({ requestUnion: { kind: "progress", value: {} } });
  for (let messages = 0; messages < 5 && (await stream.next()) !== undefined; messages++);
  stream.cancel();
};

const keepAlive: Trigger = async (client, workload) => {
  const stream = client.bidi(SERVICES.lease.methods.leaseKeepAlive, { timeoutMs: 2000 });
  stream.send({ id: grantedLease(workload) });
  await stream.next();
  stream.cancel();
};

const timeToLive: Trigger = (client, workload) =>
  client.call(SERVICES.lease.methods.leaseTimeToLive, { id: grantedLease(workload) }, CALL);

/** A learner that never starts comes and goes. */
const changeMembers: Trigger = async (client) => {
  const { memberAdd, memberList, memberRemove } = SERVICES.cluster.methods;
  const before = await client.call(memberList, {}, CALL);
  for (const { id, isLearner } of before.response?.members ?? [])
    if (isLearner) await client.call(memberRemove, { id }, CALL);
  const added = await client.call(memberAdd, { peerUrls: ["http://127.0.0.1:1"], isLearner: true }, CALL);
  const id = added.response?.member?.id;
  if (id !== undefined) await client.call(memberRemove, { id }, CALL);
};

/** The load compacts a few times when it begins, which may be over before anything is armed. */
const compact: Trigger = (_, workload) => workload.compactNext();

const aRead: Trigger = (client) => client.call(SERVICES.kv.methods.range, { key: utf8Bytes("a read") }, CALL);

function grantedLease(promises: Promises): bigint {
  for (const [id, state] of promises.leases) if (state === "granted") return id;
  return 1n;
}

/** On a member alone, under load. */
export const ALONE: readonly LoadCase[] = [
  { name: "raftBeforeLeaderSend" },
  { name: "raftBeforeSave" },
  { name: "walBeforeSync" },
  { name: "walAfterSync" },
  { name: "raftAfterSave" },
  { name: "raftBeforeAdvance" },
  { name: "raftBeforeWALSaveSnaphot" },
  { name: "raftAfterWALRelease" },
  { name: "commitBeforePreCommitHook" },
  { name: "commitAfterPreCommitHook" },
  { name: "beforeStartDBTxn" },
  { name: "afterStartDBTxn" },
  { name: "beforeCommit" },
  { name: "afterCommit" },
  { name: "beforeWritebackBuf" },
  { name: "afterWritebackBuf" },
  { name: "compactBeforeCommitScheduledCompact", trigger: compact },
  { name: "compactAfterCommitScheduledCompact", trigger: compact },
  { name: "compactAfterAcquiredBatchTxLock", trigger: compact },
  { name: "compactBeforeCommitBatch", trigger: compact },
  { name: "compactAfterCommitBatch", trigger: compact },
  { name: "compactBeforeSetFinishedCompact", trigger: compact },
  { name: "compactAfterSetFinishedCompact", trigger: compact },
  { name: "defragOpenFileError", trigger: defragment },
  { name: "defragBeforeCopy", trigger: defragment },
  { name: "defragdbFail", trigger: defragment },
  { name: "defragBeforeRename", trigger: defragment },
  { name: "beforeApplyOneEntryNormal" },
  { name: "beforeSendWatchResponse", trigger: watch },
  { name: "beforeSyncWatchers", trigger: watch },
  { name: "beforeProgressIfSync", trigger: watch },
  { name: "beforeRangeStreamChunk", trigger: streamRange },
  { name: "beforeCheckpointInLeaseRenew", trigger: keepAlive },
  { name: "beforeLookupWhenLeaseTimeToLive", trigger: timeToLive },
];

/** On a member alone, while it starts. */
export const AT_START: readonly FailpointName[] = ["beforePublishing"];

/** On one of three members, under load that goes through another one. */
export interface ClusterCase extends LoadCase {
  readonly role: "leader" | "follower";
}

export const AMONG_THREE: readonly ClusterCase[] = [
  { name: "raftBeforeLeaderSend", role: "leader" },
  { name: "raftAfterSave", role: "leader" },
  { name: "raftBeforeFollowerSend", role: "follower" },
  { name: "raftBeforeSave", role: "follower" },
  { name: "walBeforeSync", role: "follower" },
  { name: "walAfterSync", role: "follower" },
  { name: "raftDropHeartbeat", role: "follower", trigger: aRead },
  { name: "beforeApplyOneConfChange", role: "follower", trigger: changeMembers },
  { name: "beforeServeHTTPLeaseRenew", role: "leader", trigger: keepAlive },
  { name: "beforeLookupWhenForwardLeaseTimeToLive", role: "leader", trigger: timeToLive },
];

/** On a member that is sent the state of another. */
export const TAKING_A_STATE: readonly FailpointName[] = [
  "snapDBRenameBeforeDirSync",
  "snapDBDirSyncError",
  "applyBeforeOpenSnapshot",
  "applyAfterOpenSnapshot",
  "raftBeforeSaveSnap",
  "raftAfterSaveSnap",
  "raftBeforeApplySnap",
  "raftAfterApplySnap",
];
