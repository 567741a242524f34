/** membershippb: what log entries say about members, the cluster's version and downgrades. */
import { bool, message, string, strings, submessage, type TypeOf, uint64Id } from "./codec.ts";

export const RaftAttributes = message("membershippb.RaftAttributes", { peerUrls: strings(1), isLearner: bool(2) });
export type RaftAttributes = TypeOf<typeof RaftAttributes>;

export const Attributes = message("membershippb.Attributes", { name: string(1), clientUrls: strings(2) });
export type Attributes = TypeOf<typeof Attributes>;

export const Member = message("membershippb.Member", {
  id: uint64Id(1),
  raftAttributes: submessage(2, RaftAttributes),
  memberAttributes: submessage(3, Attributes),
});
export type Member = TypeOf<typeof Member>;

export const ClusterVersionSetRequest = message("membershippb.ClusterVersionSetRequest", { ver: string(1) });
export type ClusterVersionSetRequest = TypeOf<typeof ClusterVersionSetRequest>;

export const ClusterMemberAttrSetRequest = message("membershippb.ClusterMemberAttrSetRequest", {
  memberId: uint64Id(1),
  memberAttributes: submessage(2, Attributes),
});
export type ClusterMemberAttrSetRequest = TypeOf<typeof ClusterMemberAttrSetRequest>;

export const DowngradeInfoSetRequest = message("membershippb.DowngradeInfoSetRequest", {
  enabled: bool(1),
  ver: string(2),
});
export type DowngradeInfoSetRequest = TypeOf<typeof DowngradeInfoSetRequest>;
