/** etcdserverpb: the requests and answers of Cluster. */
import { bool, message, string, strings, submessage, submessages, type TypeOf, uint64Id } from "../codec.ts";
import { ResponseHeader } from "./header.ts";

const header = submessage(1, ResponseHeader);

/** `name` is empty and `clientUrls` too until the member has started. */
export const Member = message("etcdserverpb.Member", {
  id: uint64Id(1),
  name: string(2),
  peerUrls: strings(3),
  clientUrls: strings(4),
  isLearner: bool(5),
});
export type Member = TypeOf<typeof Member>;

export const MemberAddRequest = message("etcdserverpb.MemberAddRequest", { peerUrls: strings(1), isLearner: bool(2) });
export type MemberAddRequest = TypeOf<typeof MemberAddRequest>;

export const MemberAddResponse = message("etcdserverpb.MemberAddResponse", {
  header,
  member: submessage(2, Member),
  members: submessages(3, Member),
});
export type MemberAddResponse = TypeOf<typeof MemberAddResponse>;

export const MemberRemoveRequest = message("etcdserverpb.MemberRemoveRequest", { id: uint64Id(1) });
export type MemberRemoveRequest = TypeOf<typeof MemberRemoveRequest>;

export const MemberRemoveResponse = message("etcdserverpb.MemberRemoveResponse", {
  header,
  members: submessages(2, Member),
});
export type MemberRemoveResponse = TypeOf<typeof MemberRemoveResponse>;

export const MemberUpdateRequest = message("etcdserverpb.MemberUpdateRequest", {
  id: uint64Id(1),
  peerUrls: strings(2),
});
export type MemberUpdateRequest = TypeOf<typeof MemberUpdateRequest>;

export const MemberUpdateResponse = message("etcdserverpb.MemberUpdateResponse", {
  header,
  members: submessages(2, Member),
});
export type MemberUpdateResponse = TypeOf<typeof MemberUpdateResponse>;

export const MemberListRequest = message("etcdserverpb.MemberListRequest", { linearizable: bool(1) });
export type MemberListRequest = TypeOf<typeof MemberListRequest>;

export const MemberListResponse = message("etcdserverpb.MemberListResponse", {
  header,
  members: submessages(2, Member),
});
export type MemberListResponse = TypeOf<typeof MemberListResponse>;

export const MemberPromoteRequest = message("etcdserverpb.MemberPromoteRequest", { id: uint64Id(1) });
export type MemberPromoteRequest = TypeOf<typeof MemberPromoteRequest>;

export const MemberPromoteResponse = message("etcdserverpb.MemberPromoteResponse", {
  header,
  members: submessages(2, Member),
});
export type MemberPromoteResponse = TypeOf<typeof MemberPromoteResponse>;
