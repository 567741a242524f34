/** v3electionpb: the requests and answers of Election. */
import { bytes, int64, int64Id, message, submessage, type TypeOf } from "./codec.ts";
import { ResponseHeader } from "./etcdserverpb/header.ts";
import { KeyValue } from "./mvccpb.ts";

const header = submessage(1, ResponseHeader);

/** Who leads: the election's name, the key of the leader, its create revision and its lease. */
export const LeaderKey = message("v3electionpb.LeaderKey", {
  name: bytes(1),
  key: bytes(2),
  rev: int64(3),
  lease: int64Id(4),
});
export type LeaderKey = TypeOf<typeof LeaderKey>;

export const CampaignRequest = message("v3electionpb.CampaignRequest", {
  name: bytes(1),
  lease: int64Id(2),
  value: bytes(3),
});
export type CampaignRequest = TypeOf<typeof CampaignRequest>;

export const CampaignResponse = message("v3electionpb.CampaignResponse", { header, leader: submessage(2, LeaderKey) });
export type CampaignResponse = TypeOf<typeof CampaignResponse>;

export const LeaderRequest = message("v3electionpb.LeaderRequest", { name: bytes(1) });
export type LeaderRequest = TypeOf<typeof LeaderRequest>;

export const LeaderResponse = message("v3electionpb.LeaderResponse", { header, kv: submessage(2, KeyValue) });
export type LeaderResponse = TypeOf<typeof LeaderResponse>;

export const ResignRequest = message("v3electionpb.ResignRequest", { leader: submessage(1, LeaderKey) });
export type ResignRequest = TypeOf<typeof ResignRequest>;

export const ResignResponse = message("v3electionpb.ResignResponse", { header });
export type ResignResponse = TypeOf<typeof ResignResponse>;

export const ProclaimRequest = message("v3electionpb.ProclaimRequest", {
  leader: submessage(1, LeaderKey),
  value: bytes(2),
});
export type ProclaimRequest = TypeOf<typeof ProclaimRequest>;

export const ProclaimResponse = message("v3electionpb.ProclaimResponse", { header });
export type ProclaimResponse = TypeOf<typeof ProclaimResponse>;
