/** What Maintenance.Status says of this member. */

import type { Backend } from "../ports/backend.ts";
import { type AlarmMember, AlarmType, type ResponseHeader, StatusResponse } from "../proto/etcdserverpb.ts";
import type { RaftStatus } from "../raft/status.ts";

/** What is said of a store without a quota: any number below zero asks for that. */
const NO_QUOTA = -1;

export function memberStatus(facts: {
  readonly header: ResponseHeader;
  readonly serverVersion: string;
  readonly storageVersion: string;
  readonly backend: Backend;
  readonly raft: RaftStatus;
  readonly alarms: readonly AlarmMember[];
  readonly isLearner: boolean;
  readonly quotaBytes: number | undefined;
}): StatusResponse {
  return StatusResponse.create({
    header: facts.header,
    version: facts.serverVersion,
    dbSize: facts.backend.sizeBytes(),
    dbSizeInUse: facts.backend.sizeInUseBytes(),
    dbSizeQuota: facts.quotaBytes ?? NO_QUOTA,
    leader: facts.raft.leaderId,
    raftIndex: facts.raft.commit,
    raftTerm: facts.raft.term,
    raftAppliedIndex: facts.raft.applied,
    isLearner: facts.isLearner,
    storageVersion: facts.storageVersion,
    downgradeInfo: { enabled: false, targetVersion: "" },
    errors: [...(facts.raft.leaderId === 0n ? ["etcdserver: no leader"] : []), ...facts.alarms.map(alarmText)],
  });
}

const ALARM_NAMES: Readonly<Record<number, string>> = {
  [AlarmType.NOSPACE]: "NOSPACE",
  [AlarmType.CORRUPT]: "CORRUPT",
};

function alarmText({ memberId, alarm }: AlarmMember): string {
  return `memberID:${memberId} alarm:${ALARM_NAMES[alarm] ?? alarm}`;
}
