/**
 * Every gRPC service of the client port, with the codecs of its methods: what an engine needs to route a call, and what
 * the compiler needs to hold an implementation against (`RequestOf`, `ResponseOf`).
 */
import type { Codec } from "./codec.ts";
import * as pb from "./etcdserverpb.ts";
import * as health from "./healthpb.ts";
import * as election from "./v3electionpb.ts";
import * as lock from "./v3lockpb.ts";

export type MethodKind = "unary" | "serverStream" | "clientStream" | "bidi";

export interface Method<Kind extends MethodKind, Req, Res> {
  /** "Range" */
  readonly name: string;
  /** "/etcdserverpb.KV/Range" */
  readonly path: string;
  readonly kind: Kind;
  readonly request: Codec<Req>;
  readonly response: Codec<Res>;
}

// biome-ignore lint/suspicious/noExplicitAny: a codec is neither co- nor contravariant, so "any method" needs any
export type AnyMethod = Method<MethodKind, any, any>;

/** Methods under their names in lowerCamel: `SERVICES.maintenance.methods.hashKv`. */
export interface ServiceDefinition {
  /** "etcdserverpb.KV" */
  readonly name: string;
  readonly methods: Readonly<Record<string, AnyMethod>>;
}

export type RequestOf<M> = M extends Method<MethodKind, infer Req, infer _> ? Req : never;
export type ResponseOf<M> = M extends Method<MethodKind, infer _, infer Res> ? Res : never;

/** One method without its path, which follows from the service. */
type Draft<Kind extends MethodKind, Req, Res> = Omit<Method<Kind, Req, Res>, "path">;

type Defined<D> = {
  readonly [K in keyof D]: D[K] extends Draft<infer Kind, infer Req, infer Res> ? Method<Kind, Req, Res> : never;
};

function service<D extends Record<string, Omit<AnyMethod, "path">>>(
  name: string,
  drafts: D,
): { readonly name: string; readonly methods: Defined<D> } {
  const methods = Object.entries(drafts).map(([key, draft]) => [key, { ...draft, path: `/${name}/${draft.name}` }]);
  return { name, methods: Object.fromEntries(methods) as Defined<D> };
}

function unary<Req, Res>(name: string, request: Codec<Req>, response: Codec<Res>): Draft<"unary", Req, Res> {
  return { name, kind: "unary", request, response };
}

function serverStream<Req, Res>(
  name: string,
  request: Codec<Req>,
  response: Codec<Res>,
): Draft<"serverStream", Req, Res> {
  return { name, kind: "serverStream", request, response };
}

function bidi<Req, Res>(name: string, request: Codec<Req>, response: Codec<Res>): Draft<"bidi", Req, Res> {
  return { name, kind: "bidi", request, response };
}

export const SERVICES = {
  kv: service("etcdserverpb.KV", {
    range: unary("Range", pb.RangeRequest, pb.RangeResponse),
    rangeStream: serverStream("RangeStream", pb.RangeRequest, pb.RangeStreamResponse),
    put: unary("Put", pb.PutRequest, pb.PutResponse),
    deleteRange: unary("DeleteRange", pb.DeleteRangeRequest, pb.DeleteRangeResponse),
    txn: unary("Txn", pb.TxnRequest, pb.TxnResponse),
    compact: unary("Compact", pb.CompactionRequest, pb.CompactionResponse),
  }),
  watch: service("etcdserverpb.Watch", {
    watch: bidi("Watch", pb.WatchRequest, pb.WatchResponse),
  }),
  lease: service("etcdserverpb.Lease", {
    leaseGrant: unary("LeaseGrant", pb.LeaseGrantRequest, pb.LeaseGrantResponse),
    leaseRevoke: unary("LeaseRevoke", pb.LeaseRevokeRequest, pb.LeaseRevokeResponse),
    leaseKeepAlive: bidi("LeaseKeepAlive", pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse),
    leaseTimeToLive: unary("LeaseTimeToLive", pb.LeaseTimeToLiveRequest, pb.LeaseTimeToLiveResponse),
    leaseLeases: unary("LeaseLeases", pb.LeaseLeasesRequest, pb.LeaseLeasesResponse),
  }),
  cluster: service("etcdserverpb.Cluster", {
    memberAdd: unary("MemberAdd", pb.MemberAddRequest, pb.MemberAddResponse),
    memberRemove: unary("MemberRemove", pb.MemberRemoveRequest, pb.MemberRemoveResponse),
    memberUpdate: unary("MemberUpdate", pb.MemberUpdateRequest, pb.MemberUpdateResponse),
    memberList: unary("MemberList", pb.MemberListRequest, pb.MemberListResponse),
    memberPromote: unary("MemberPromote", pb.MemberPromoteRequest, pb.MemberPromoteResponse),
  }),
  maintenance: service("etcdserverpb.Maintenance", {
    alarm: unary("Alarm", pb.AlarmRequest, pb.AlarmResponse),
    status: unary("Status", pb.StatusRequest, pb.StatusResponse),
    defragment: unary("Defragment", pb.DefragmentRequest, pb.DefragmentResponse),
    hash: unary("Hash", pb.HashRequest, pb.HashResponse),
    hashKv: unary("HashKV", pb.HashKVRequest, pb.HashKVResponse),
    snapshot: serverStream("Snapshot", pb.SnapshotRequest, pb.SnapshotResponse),
    moveLeader: unary("MoveLeader", pb.MoveLeaderRequest, pb.MoveLeaderResponse),
    downgrade: unary("Downgrade", pb.DowngradeRequest, pb.DowngradeResponse),
  }),
  auth: service("etcdserverpb.Auth", {
    authEnable: unary("AuthEnable", pb.AuthEnableRequest, pb.AuthEnableResponse),
    authDisable: unary("AuthDisable", pb.AuthDisableRequest, pb.AuthDisableResponse),
    authStatus: unary("AuthStatus", pb.AuthStatusRequest, pb.AuthStatusResponse),
    authenticate: unary("Authenticate", pb.AuthenticateRequest, pb.AuthenticateResponse),
    userAdd: unary("UserAdd", pb.AuthUserAddRequest, pb.AuthUserAddResponse),
    userGet: unary("UserGet", pb.AuthUserGetRequest, pb.AuthUserGetResponse),
    userList: unary("UserList", pb.AuthUserListRequest, pb.AuthUserListResponse),
    userDelete: unary("UserDelete", pb.AuthUserDeleteRequest, pb.AuthUserDeleteResponse),
    userChangePassword: unary(
      "UserChangePassword",
      pb.AuthUserChangePasswordRequest,
      pb.AuthUserChangePasswordResponse,
    ),
    userGrantRole: unary("UserGrantRole", pb.AuthUserGrantRoleRequest, pb.AuthUserGrantRoleResponse),
    userRevokeRole: unary("UserRevokeRole", pb.AuthUserRevokeRoleRequest, pb.AuthUserRevokeRoleResponse),
    roleAdd: unary("RoleAdd", pb.AuthRoleAddRequest, pb.AuthRoleAddResponse),
    roleGet: unary("RoleGet", pb.AuthRoleGetRequest, pb.AuthRoleGetResponse),
    roleList: unary("RoleList", pb.AuthRoleListRequest, pb.AuthRoleListResponse),
    roleDelete: unary("RoleDelete", pb.AuthRoleDeleteRequest, pb.AuthRoleDeleteResponse),
    roleGrantPermission: unary(
      "RoleGrantPermission",
      pb.AuthRoleGrantPermissionRequest,
      pb.AuthRoleGrantPermissionResponse,
    ),
    roleRevokePermission: unary(
      "RoleRevokePermission",
      pb.AuthRoleRevokePermissionRequest,
      pb.AuthRoleRevokePermissionResponse,
    ),
  }),
  lock: service("v3lockpb.Lock", {
    lock: unary("Lock", lock.LockRequest, lock.LockResponse),
    unlock: unary("Unlock", lock.UnlockRequest, lock.UnlockResponse),
  }),
  election: service("v3electionpb.Election", {
    campaign: unary("Campaign", election.CampaignRequest, election.CampaignResponse),
    proclaim: unary("Proclaim", election.ProclaimRequest, election.ProclaimResponse),
    leader: unary("Leader", election.LeaderRequest, election.LeaderResponse),
    observe: serverStream("Observe", election.LeaderRequest, election.LeaderResponse),
    resign: unary("Resign", election.ResignRequest, election.ResignResponse),
  }),
  health: service("grpc.health.v1.Health", {
    check: unary("Check", health.HealthCheckRequest, health.HealthCheckResponse),
    watch: serverStream("Watch", health.HealthCheckRequest, health.HealthCheckResponse),
    list: unary("List", health.HealthListRequest, health.HealthListResponse),
  }),
} satisfies Record<string, ServiceDefinition>;
