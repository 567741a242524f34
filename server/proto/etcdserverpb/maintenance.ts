/** etcdserverpb: the requests and answers of Maintenance, and KV's compaction. Sizes in bytes. */
import {
  bool,
  bytes,
  enumeration,
  int64,
  message,
  string,
  strings,
  submessage,
  submessages,
  type TypeOf,
  uint32,
  uint64,
  uint64Id,
} from "../codec.ts";
import { ResponseHeader } from "./header.ts";

const header = submessage(1, ResponseHeader);

export const AlarmType = { NONE: 0, NOSPACE: 1, CORRUPT: 2 } as const;
export const AlarmAction = { GET: 0, ACTIVATE: 1, DEACTIVATE: 2 } as const;
export const DowngradeAction = { VALIDATE: 0, ENABLE: 1, CANCEL: 2 } as const;

/** `physical`: the answer waits until the compacted revisions are gone from the backend. */
export const CompactionRequest = message("etcdserverpb.CompactionRequest", { revision: int64(1), physical: bool(2) });
export type CompactionRequest = TypeOf<typeof CompactionRequest>;

export const CompactionResponse = message("etcdserverpb.CompactionResponse", { header });
export type CompactionResponse = TypeOf<typeof CompactionResponse>;

export const HashRequest = message("etcdserverpb.HashRequest", {});
export type HashRequest = TypeOf<typeof HashRequest>;

export const HashResponse = message("etcdserverpb.HashResponse", { header, hash: uint32(2) });
export type HashResponse = TypeOf<typeof HashResponse>;

/** `revision` 0: the present one. */
export const HashKVRequest = message("etcdserverpb.HashKVRequest", { revision: int64(1) });
export type HashKVRequest = TypeOf<typeof HashKVRequest>;

export const HashKVResponse = message("etcdserverpb.HashKVResponse", {
  header,
  hash: uint32(2),
  compactRevision: int64(3),
  hashRevision: int64(4),
});
export type HashKVResponse = TypeOf<typeof HashKVResponse>;

export const SnapshotRequest = message("etcdserverpb.SnapshotRequest", {});
export type SnapshotRequest = TypeOf<typeof SnapshotRequest>;

/** One piece of a snapshot; `version` is the storage version. */
export const SnapshotResponse = message("etcdserverpb.SnapshotResponse", {
  header,
  remainingBytes: uint64(2),
  blob: bytes(3),
  version: string(4),
});
export type SnapshotResponse = TypeOf<typeof SnapshotResponse>;

export const DefragmentRequest = message("etcdserverpb.DefragmentRequest", {});
export type DefragmentRequest = TypeOf<typeof DefragmentRequest>;

export const DefragmentResponse = message("etcdserverpb.DefragmentResponse", { header });
export type DefragmentResponse = TypeOf<typeof DefragmentResponse>;

export const MoveLeaderRequest = message("etcdserverpb.MoveLeaderRequest", { targetId: uint64Id(1) });
export type MoveLeaderRequest = TypeOf<typeof MoveLeaderRequest>;

export const MoveLeaderResponse = message("etcdserverpb.MoveLeaderResponse", { header });
export type MoveLeaderResponse = TypeOf<typeof MoveLeaderResponse>;

/** `action` is an `AlarmAction`, `alarm` an `AlarmType`; `memberId` 0n is every member for GET. */
export const AlarmRequest = message("etcdserverpb.AlarmRequest", {
  action: enumeration(1),
  memberId: uint64Id(2),
  alarm: enumeration(3),
});
export type AlarmRequest = TypeOf<typeof AlarmRequest>;

export const AlarmMember = message("etcdserverpb.AlarmMember", { memberId: uint64Id(1), alarm: enumeration(2) });
export type AlarmMember = TypeOf<typeof AlarmMember>;

export const AlarmResponse = message("etcdserverpb.AlarmResponse", { header, alarms: submessages(2, AlarmMember) });
export type AlarmResponse = TypeOf<typeof AlarmResponse>;

/** `action` is a `DowngradeAction`. */
export const DowngradeRequest = message("etcdserverpb.DowngradeRequest", {
  action: enumeration(1),
  version: string(2),
});
export type DowngradeRequest = TypeOf<typeof DowngradeRequest>;

export const DowngradeResponse = message("etcdserverpb.DowngradeResponse", { header, version: string(2) });
export type DowngradeResponse = TypeOf<typeof DowngradeResponse>;

export const DowngradeVersionTestRequest = message("etcdserverpb.DowngradeVersionTestRequest", { ver: string(1) });
export type DowngradeVersionTestRequest = TypeOf<typeof DowngradeVersionTestRequest>;

export const DowngradeInfo = message("etcdserverpb.DowngradeInfo", { enabled: bool(1), targetVersion: string(2) });
export type DowngradeInfo = TypeOf<typeof DowngradeInfo>;

export const StatusRequest = message("etcdserverpb.StatusRequest", {});
export type StatusRequest = TypeOf<typeof StatusRequest>;

/** `leader` is 0n when there is none. */
export const StatusResponse = message("etcdserverpb.StatusResponse", {
  header,
  version: string(2),
  dbSize: int64(3),
  leader: uint64Id(4),
  raftIndex: uint64(5),
  raftTerm: uint64(6),
  raftAppliedIndex: uint64(7),
  errors: strings(8),
  dbSizeInUse: int64(9),
  isLearner: bool(10),
  storageVersion: string(11),
  dbSizeQuota: int64(12),
  downgradeInfo: submessage(13, DowngradeInfo),
});
export type StatusResponse = TypeOf<typeof StatusResponse>;
