/**
 * etcd's own descriptors as plain facts, one a line: every message, enum and method that a member of etcd 3.7.3 speaks.
 * The codecs are held against these. Printed by a small Go program that walks protobuf's registry after importing
 * etcd's api, wal, snap, lease, lock and election packages of 3.7.3, raft 3.7.0 and grpc's health package.
 *
 *     message[2] <name> <number>:<name>:<type>[]p|<oneof> ...     2: proto2, []: repeated, p: packed
 *     enum <name> <name>=<number> ...
 *     method <service>/<method> <kind> <request> <response>
 */
const FACTS = `
enum authpb.Permission.Type READ=0 WRITE=1 READWRITE=2
enum etcdserverpb.AlarmRequest.AlarmAction GET=0 ACTIVATE=1 DEACTIVATE=2
enum etcdserverpb.AlarmType NONE=0 NOSPACE=1 CORRUPT=2
enum etcdserverpb.Compare.CompareResult EQUAL=0 GREATER=1 LESS=2 NOT_EQUAL=3
enum etcdserverpb.Compare.CompareTarget VERSION=0 CREATE=1 MOD=2 VALUE=3 LEASE=4
enum etcdserverpb.DowngradeRequest.DowngradeAction VALIDATE=0 ENABLE=1 CANCEL=2
enum etcdserverpb.RangeRequest.SortOrder NONE=0 ASCEND=1 DESCEND=2
enum etcdserverpb.RangeRequest.SortTarget KEY=0 VERSION=1 CREATE=2 MOD=3 VALUE=4
enum etcdserverpb.WatchCreateRequest.FilterType NOPUT=0 NODELETE=1
enum grpc.health.v1.HealthCheckResponse.ServingStatus UNKNOWN=0 SERVING=1 NOT_SERVING=2 SERVICE_UNKNOWN=3
enum mvccpb.Event.EventType PUT=0 DELETE=1
enum raftpb.ConfChangeTransition ConfChangeTransitionAuto=0 ConfChangeTransitionJointImplicit=1 ConfChangeTransitionJointExplicit=2
enum raftpb.ConfChangeType ConfChangeAddNode=0 ConfChangeRemoveNode=1 ConfChangeUpdateNode=2 ConfChangeAddLearnerNode=3
enum raftpb.EntryType EntryNormal=0 EntryConfChange=1 EntryConfChangeV2=2
enum raftpb.MessageType MsgHup=0 MsgBeat=1 MsgProp=2 MsgApp=3 MsgAppResp=4 MsgVote=5 MsgVoteResp=6 MsgSnap=7 MsgHeartbeat=8 MsgHeartbeatResp=9 MsgUnreachable=10 MsgSnapStatus=11 MsgCheckQuorum=12 MsgTransferLeader=13 MsgTimeoutNow=14 MsgReadIndex=15 MsgReadIndexResp=16 MsgPreVote=17 MsgPreVoteResp=18 MsgStorageAppend=19 MsgStorageAppendResp=20 MsgStorageApply=21 MsgStorageApplyResp=22 MsgForgetLeader=23
message authpb.Permission 1:permType:enum 2:key:bytes 3:range_end:bytes
message authpb.Role 1:name:bytes 2:keyPermission:authpb.Permission[]
message authpb.User 1:name:bytes 2:password:bytes 3:roles:string[] 4:options:authpb.UserAddOptions
message authpb.UserAddOptions 1:no_password:bool
message etcdserverpb.AlarmMember 1:memberID:uint64 2:alarm:enum
message etcdserverpb.AlarmRequest 1:action:enum 2:memberID:uint64 3:alarm:enum
message etcdserverpb.AlarmResponse 1:header:etcdserverpb.ResponseHeader 2:alarms:etcdserverpb.AlarmMember[]
message etcdserverpb.AuthDisableRequest
message etcdserverpb.AuthDisableResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.AuthEnableRequest
message etcdserverpb.AuthEnableResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.AuthRoleAddRequest 1:name:string
message etcdserverpb.AuthRoleAddResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.AuthRoleDeleteRequest 1:role:string
message etcdserverpb.AuthRoleDeleteResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.AuthRoleGetRequest 1:role:string
message etcdserverpb.AuthRoleGetResponse 1:header:etcdserverpb.ResponseHeader 2:perm:authpb.Permission[]
message etcdserverpb.AuthRoleGrantPermissionRequest 1:name:string 2:perm:authpb.Permission
message etcdserverpb.AuthRoleGrantPermissionResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.AuthRoleListRequest
message etcdserverpb.AuthRoleListResponse 1:header:etcdserverpb.ResponseHeader 2:roles:string[]
message etcdserverpb.AuthRoleRevokePermissionRequest 1:role:string 2:key:bytes 3:range_end:bytes
message etcdserverpb.AuthRoleRevokePermissionResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.AuthStatusRequest
message etcdserverpb.AuthStatusResponse 1:header:etcdserverpb.ResponseHeader 2:enabled:bool 3:authRevision:uint64
message etcdserverpb.AuthUserAddRequest 1:name:string 2:password:string 3:options:authpb.UserAddOptions 4:hashedPassword:string
message etcdserverpb.AuthUserAddResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.AuthUserChangePasswordRequest 1:name:string 2:password:string 3:hashedPassword:string
message etcdserverpb.AuthUserChangePasswordResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.AuthUserDeleteRequest 1:name:string
message etcdserverpb.AuthUserDeleteResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.AuthUserGetRequest 1:name:string
message etcdserverpb.AuthUserGetResponse 1:header:etcdserverpb.ResponseHeader 2:roles:string[]
message etcdserverpb.AuthUserGrantRoleRequest 1:user:string 2:role:string
message etcdserverpb.AuthUserGrantRoleResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.AuthUserListRequest
message etcdserverpb.AuthUserListResponse 1:header:etcdserverpb.ResponseHeader 2:users:string[]
message etcdserverpb.AuthUserRevokeRoleRequest 1:name:string 2:role:string
message etcdserverpb.AuthUserRevokeRoleResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.AuthenticateRequest 1:name:string 2:password:string
message etcdserverpb.AuthenticateResponse 1:header:etcdserverpb.ResponseHeader 2:token:string
message etcdserverpb.CompactionRequest 1:revision:int64 2:physical:bool
message etcdserverpb.CompactionResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.Compare 1:result:enum 2:target:enum 3:key:bytes 4:version:int64|target_union 5:create_revision:int64|target_union 6:mod_revision:int64|target_union 7:value:bytes|target_union 8:lease:int64|target_union 64:range_end:bytes
message etcdserverpb.DefragmentRequest
message etcdserverpb.DefragmentResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.DeleteRangeRequest 1:key:bytes 2:range_end:bytes 3:prev_kv:bool
message etcdserverpb.DeleteRangeResponse 1:header:etcdserverpb.ResponseHeader 2:deleted:int64 3:prev_kvs:mvccpb.KeyValue[]
message etcdserverpb.DowngradeInfo 1:enabled:bool 2:targetVersion:string
message etcdserverpb.DowngradeRequest 1:action:enum 2:version:string
message etcdserverpb.DowngradeResponse 1:header:etcdserverpb.ResponseHeader 2:version:string
message etcdserverpb.DowngradeVersionTestRequest 1:ver:string
message etcdserverpb.EmptyResponse
message etcdserverpb.HashKVRequest 1:revision:int64
message etcdserverpb.HashKVResponse 1:header:etcdserverpb.ResponseHeader 2:hash:uint32 3:compact_revision:int64 4:hash_revision:int64
message etcdserverpb.HashRequest
message etcdserverpb.HashResponse 1:header:etcdserverpb.ResponseHeader 2:hash:uint32
message etcdserverpb.InternalAuthenticateRequest 1:name:string 2:password:string 3:simple_token:string
message etcdserverpb.InternalRaftRequest 1:ID:uint64 3:range:etcdserverpb.RangeRequest 4:put:etcdserverpb.PutRequest 5:delete_range:etcdserverpb.DeleteRangeRequest 6:txn:etcdserverpb.TxnRequest 7:compaction:etcdserverpb.CompactionRequest 8:lease_grant:etcdserverpb.LeaseGrantRequest 9:lease_revoke:etcdserverpb.LeaseRevokeRequest 10:alarm:etcdserverpb.AlarmRequest 11:lease_checkpoint:etcdserverpb.LeaseCheckpointRequest 100:header:etcdserverpb.RequestHeader 1000:auth_enable:etcdserverpb.AuthEnableRequest 1011:auth_disable:etcdserverpb.AuthDisableRequest 1012:authenticate:etcdserverpb.InternalAuthenticateRequest 1013:auth_status:etcdserverpb.AuthStatusRequest 1100:auth_user_add:etcdserverpb.AuthUserAddRequest 1101:auth_user_delete:etcdserverpb.AuthUserDeleteRequest 1102:auth_user_get:etcdserverpb.AuthUserGetRequest 1103:auth_user_change_password:etcdserverpb.AuthUserChangePasswordRequest 1104:auth_user_grant_role:etcdserverpb.AuthUserGrantRoleRequest 1105:auth_user_revoke_role:etcdserverpb.AuthUserRevokeRoleRequest 1106:auth_user_list:etcdserverpb.AuthUserListRequest 1107:auth_role_list:etcdserverpb.AuthRoleListRequest 1200:auth_role_add:etcdserverpb.AuthRoleAddRequest 1201:auth_role_delete:etcdserverpb.AuthRoleDeleteRequest 1202:auth_role_get:etcdserverpb.AuthRoleGetRequest 1203:auth_role_grant_permission:etcdserverpb.AuthRoleGrantPermissionRequest 1204:auth_role_revoke_permission:etcdserverpb.AuthRoleRevokePermissionRequest 1300:cluster_version_set:membershippb.ClusterVersionSetRequest 1301:cluster_member_attr_set:membershippb.ClusterMemberAttrSetRequest 1302:downgrade_info_set:membershippb.DowngradeInfoSetRequest 9900:downgrade_version_test:etcdserverpb.DowngradeVersionTestRequest
message etcdserverpb.LeaseCheckpoint 1:ID:int64 2:remaining_TTL:int64
message etcdserverpb.LeaseCheckpointRequest 1:checkpoints:etcdserverpb.LeaseCheckpoint[]
message etcdserverpb.LeaseCheckpointResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.LeaseGrantRequest 1:TTL:int64 2:ID:int64
message etcdserverpb.LeaseGrantResponse 1:header:etcdserverpb.ResponseHeader 2:ID:int64 3:TTL:int64 4:error:string
message etcdserverpb.LeaseKeepAliveRequest 1:ID:int64
message etcdserverpb.LeaseKeepAliveResponse 1:header:etcdserverpb.ResponseHeader 2:ID:int64 3:TTL:int64
message etcdserverpb.LeaseLeasesRequest
message etcdserverpb.LeaseLeasesResponse 1:header:etcdserverpb.ResponseHeader 2:leases:etcdserverpb.LeaseStatus[]
message etcdserverpb.LeaseRevokeRequest 1:ID:int64
message etcdserverpb.LeaseRevokeResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.LeaseStatus 1:ID:int64
message etcdserverpb.LeaseTimeToLiveRequest 1:ID:int64 2:keys:bool
message etcdserverpb.LeaseTimeToLiveResponse 1:header:etcdserverpb.ResponseHeader 2:ID:int64 3:TTL:int64 4:grantedTTL:int64 5:keys:bytes[]
message etcdserverpb.Member 1:ID:uint64 2:name:string 3:peerURLs:string[] 4:clientURLs:string[] 5:isLearner:bool
message etcdserverpb.MemberAddRequest 1:peerURLs:string[] 2:isLearner:bool
message etcdserverpb.MemberAddResponse 1:header:etcdserverpb.ResponseHeader 2:member:etcdserverpb.Member 3:members:etcdserverpb.Member[]
message etcdserverpb.MemberListRequest 1:linearizable:bool
message etcdserverpb.MemberListResponse 1:header:etcdserverpb.ResponseHeader 2:members:etcdserverpb.Member[]
message etcdserverpb.MemberPromoteRequest 1:ID:uint64
message etcdserverpb.MemberPromoteResponse 1:header:etcdserverpb.ResponseHeader 2:members:etcdserverpb.Member[]
message etcdserverpb.MemberRemoveRequest 1:ID:uint64
message etcdserverpb.MemberRemoveResponse 1:header:etcdserverpb.ResponseHeader 2:members:etcdserverpb.Member[]
message etcdserverpb.MemberUpdateRequest 1:ID:uint64 2:peerURLs:string[]
message etcdserverpb.MemberUpdateResponse 1:header:etcdserverpb.ResponseHeader 2:members:etcdserverpb.Member[]
message etcdserverpb.MoveLeaderRequest 1:targetID:uint64
message etcdserverpb.MoveLeaderResponse 1:header:etcdserverpb.ResponseHeader
message etcdserverpb.PutRequest 1:key:bytes 2:value:bytes 3:lease:int64 4:prev_kv:bool 5:ignore_value:bool 6:ignore_lease:bool
message etcdserverpb.PutResponse 1:header:etcdserverpb.ResponseHeader 2:prev_kv:mvccpb.KeyValue
message etcdserverpb.RangeRequest 1:key:bytes 2:range_end:bytes 3:limit:int64 4:revision:int64 5:sort_order:enum 6:sort_target:enum 7:serializable:bool 8:keys_only:bool 9:count_only:bool 10:min_mod_revision:int64 11:max_mod_revision:int64 12:min_create_revision:int64 13:max_create_revision:int64
message etcdserverpb.RangeResponse 1:header:etcdserverpb.ResponseHeader 2:kvs:mvccpb.KeyValue[] 3:more:bool 4:count:int64
message etcdserverpb.RangeStreamResponse 1:range_response:etcdserverpb.RangeResponse
message etcdserverpb.RequestHeader 1:ID:uint64 2:username:string 3:auth_revision:uint64
message etcdserverpb.RequestOp 1:request_range:etcdserverpb.RangeRequest|request 2:request_put:etcdserverpb.PutRequest|request 3:request_delete_range:etcdserverpb.DeleteRangeRequest|request 4:request_txn:etcdserverpb.TxnRequest|request
message etcdserverpb.ResponseHeader 1:cluster_id:uint64 2:member_id:uint64 3:revision:int64 4:raft_term:uint64
message etcdserverpb.ResponseOp 1:response_range:etcdserverpb.RangeResponse|response 2:response_put:etcdserverpb.PutResponse|response 3:response_delete_range:etcdserverpb.DeleteRangeResponse|response 4:response_txn:etcdserverpb.TxnResponse|response
message etcdserverpb.SnapshotRequest
message etcdserverpb.SnapshotResponse 1:header:etcdserverpb.ResponseHeader 2:remaining_bytes:uint64 3:blob:bytes 4:version:string
message etcdserverpb.StatusRequest
message etcdserverpb.StatusResponse 1:header:etcdserverpb.ResponseHeader 2:version:string 3:dbSize:int64 4:leader:uint64 5:raftIndex:uint64 6:raftTerm:uint64 7:raftAppliedIndex:uint64 8:errors:string[] 9:dbSizeInUse:int64 10:isLearner:bool 11:storageVersion:string 12:dbSizeQuota:int64 13:downgradeInfo:etcdserverpb.DowngradeInfo
message etcdserverpb.TxnRequest 1:compare:etcdserverpb.Compare[] 2:success:etcdserverpb.RequestOp[] 3:failure:etcdserverpb.RequestOp[]
message etcdserverpb.TxnResponse 1:header:etcdserverpb.ResponseHeader 2:succeeded:bool 3:responses:etcdserverpb.ResponseOp[]
message etcdserverpb.WatchCancelRequest 1:watch_id:int64
message etcdserverpb.WatchCreateRequest 1:key:bytes 2:range_end:bytes 3:start_revision:int64 4:progress_notify:bool 5:filters:enum[]p 6:prev_kv:bool 7:watch_id:int64 8:fragment:bool
message etcdserverpb.WatchProgressRequest
message etcdserverpb.WatchRequest 1:create_request:etcdserverpb.WatchCreateRequest|request_union 2:cancel_request:etcdserverpb.WatchCancelRequest|request_union 3:progress_request:etcdserverpb.WatchProgressRequest|request_union
message etcdserverpb.WatchResponse 1:header:etcdserverpb.ResponseHeader 2:watch_id:int64 3:created:bool 4:canceled:bool 5:compact_revision:int64 6:cancel_reason:string 7:fragment:bool 11:events:mvccpb.Event[]
message grpc.health.v1.HealthCheckRequest 1:service:string
message grpc.health.v1.HealthCheckResponse 1:status:enum
message grpc.health.v1.HealthListRequest
message grpc.health.v1.HealthListResponse 1:statuses:grpc.health.v1.HealthListResponse.StatusesEntry[]
message grpc.health.v1.HealthListResponse.StatusesEntry 1:key:string 2:value:grpc.health.v1.HealthCheckResponse
message leasepb.Lease 1:ID:int64 2:TTL:int64 3:RemainingTTL:int64
message leasepb.LeaseInternalRequest 1:LeaseTimeToLiveRequest:etcdserverpb.LeaseTimeToLiveRequest
message leasepb.LeaseInternalResponse 1:LeaseTimeToLiveResponse:etcdserverpb.LeaseTimeToLiveResponse
message membershippb.Attributes 1:name:string 2:client_urls:string[]
message membershippb.ClusterMemberAttrSetRequest 1:member_ID:uint64 2:member_attributes:membershippb.Attributes
message membershippb.ClusterVersionSetRequest 1:ver:string
message membershippb.DowngradeInfoSetRequest 1:enabled:bool 2:ver:string
message membershippb.Member 1:ID:uint64 2:raft_attributes:membershippb.RaftAttributes 3:member_attributes:membershippb.Attributes
message membershippb.RaftAttributes 1:peer_urls:string[] 2:is_learner:bool
message mvccpb.Event 1:type:enum 2:kv:mvccpb.KeyValue 3:prev_kv:mvccpb.KeyValue
message mvccpb.KeyValue 1:key:bytes 2:create_revision:int64 3:mod_revision:int64 4:version:int64 5:value:bytes 6:lease:int64
message v3electionpb.CampaignRequest 1:name:bytes 2:lease:int64 3:value:bytes
message v3electionpb.CampaignResponse 1:header:etcdserverpb.ResponseHeader 2:leader:v3electionpb.LeaderKey
message v3electionpb.LeaderKey 1:name:bytes 2:key:bytes 3:rev:int64 4:lease:int64
message v3electionpb.LeaderRequest 1:name:bytes
message v3electionpb.LeaderResponse 1:header:etcdserverpb.ResponseHeader 2:kv:mvccpb.KeyValue
message v3electionpb.ProclaimRequest 1:leader:v3electionpb.LeaderKey 2:value:bytes
message v3electionpb.ProclaimResponse 1:header:etcdserverpb.ResponseHeader
message v3electionpb.ResignRequest 1:leader:v3electionpb.LeaderKey
message v3electionpb.ResignResponse 1:header:etcdserverpb.ResponseHeader
message v3lockpb.LockRequest 1:name:bytes 2:lease:int64
message v3lockpb.LockResponse 1:header:etcdserverpb.ResponseHeader 2:key:bytes
message v3lockpb.UnlockRequest 1:key:bytes
message v3lockpb.UnlockResponse 1:header:etcdserverpb.ResponseHeader
message2 etcdserverpb.Metadata 1:NodeID:uint64 2:ClusterID:uint64
message2 raftpb.ConfChange 1:id:uint64 2:type:enum 3:node_id:uint64 4:context:bytes
message2 raftpb.ConfChangeSingle 1:type:enum 2:node_id:uint64
message2 raftpb.ConfChangeV2 1:transition:enum 2:changes:raftpb.ConfChangeSingle[] 3:context:bytes
message2 raftpb.ConfState 1:voters:uint64[] 2:learners:uint64[] 3:voters_outgoing:uint64[] 4:learners_next:uint64[] 5:auto_leave:bool
message2 raftpb.Entry 1:Type:enum 2:Term:uint64 3:Index:uint64 4:Data:bytes
message2 raftpb.HardState 1:term:uint64 2:vote:uint64 3:commit:uint64
message2 raftpb.Message 1:type:enum 2:to:uint64 3:from:uint64 4:term:uint64 5:logTerm:uint64 6:index:uint64 7:entries:raftpb.Entry[] 8:commit:uint64 9:snapshot:raftpb.Snapshot 10:reject:bool 11:rejectHint:uint64 12:context:bytes 13:vote:uint64 14:responses:raftpb.Message[]
message2 raftpb.Snapshot 1:data:bytes 2:metadata:raftpb.SnapshotMetadata
message2 raftpb.SnapshotMetadata 1:conf_state:raftpb.ConfState 2:index:uint64 3:term:uint64
message2 snappb.snapshot 1:crc:uint32 2:data:bytes
message2 walpb.Record 1:type:int64 2:crc:uint32 3:data:bytes
message2 walpb.Snapshot 1:index:uint64 2:term:uint64 3:conf_state:raftpb.ConfState
method etcdserverpb.Auth/AuthDisable unary etcdserverpb.AuthDisableRequest etcdserverpb.AuthDisableResponse
method etcdserverpb.Auth/AuthEnable unary etcdserverpb.AuthEnableRequest etcdserverpb.AuthEnableResponse
method etcdserverpb.Auth/AuthStatus unary etcdserverpb.AuthStatusRequest etcdserverpb.AuthStatusResponse
method etcdserverpb.Auth/Authenticate unary etcdserverpb.AuthenticateRequest etcdserverpb.AuthenticateResponse
method etcdserverpb.Auth/RoleAdd unary etcdserverpb.AuthRoleAddRequest etcdserverpb.AuthRoleAddResponse
method etcdserverpb.Auth/RoleDelete unary etcdserverpb.AuthRoleDeleteRequest etcdserverpb.AuthRoleDeleteResponse
method etcdserverpb.Auth/RoleGet unary etcdserverpb.AuthRoleGetRequest etcdserverpb.AuthRoleGetResponse
method etcdserverpb.Auth/RoleGrantPermission unary etcdserverpb.AuthRoleGrantPermissionRequest etcdserverpb.AuthRoleGrantPermissionResponse
method etcdserverpb.Auth/RoleList unary etcdserverpb.AuthRoleListRequest etcdserverpb.AuthRoleListResponse
method etcdserverpb.Auth/RoleRevokePermission unary etcdserverpb.AuthRoleRevokePermissionRequest etcdserverpb.AuthRoleRevokePermissionResponse
method etcdserverpb.Auth/UserAdd unary etcdserverpb.AuthUserAddRequest etcdserverpb.AuthUserAddResponse
method etcdserverpb.Auth/UserChangePassword unary etcdserverpb.AuthUserChangePasswordRequest etcdserverpb.AuthUserChangePasswordResponse
method etcdserverpb.Auth/UserDelete unary etcdserverpb.AuthUserDeleteRequest etcdserverpb.AuthUserDeleteResponse
method etcdserverpb.Auth/UserGet unary etcdserverpb.AuthUserGetRequest etcdserverpb.AuthUserGetResponse
method etcdserverpb.Auth/UserGrantRole unary etcdserverpb.AuthUserGrantRoleRequest etcdserverpb.AuthUserGrantRoleResponse
method etcdserverpb.Auth/UserList unary etcdserverpb.AuthUserListRequest etcdserverpb.AuthUserListResponse
method etcdserverpb.Auth/UserRevokeRole unary etcdserverpb.AuthUserRevokeRoleRequest etcdserverpb.AuthUserRevokeRoleResponse
method etcdserverpb.Cluster/MemberAdd unary etcdserverpb.MemberAddRequest etcdserverpb.MemberAddResponse
method etcdserverpb.Cluster/MemberList unary etcdserverpb.MemberListRequest etcdserverpb.MemberListResponse
method etcdserverpb.Cluster/MemberPromote unary etcdserverpb.MemberPromoteRequest etcdserverpb.MemberPromoteResponse
method etcdserverpb.Cluster/MemberRemove unary etcdserverpb.MemberRemoveRequest etcdserverpb.MemberRemoveResponse
method etcdserverpb.Cluster/MemberUpdate unary etcdserverpb.MemberUpdateRequest etcdserverpb.MemberUpdateResponse
method etcdserverpb.KV/Compact unary etcdserverpb.CompactionRequest etcdserverpb.CompactionResponse
method etcdserverpb.KV/DeleteRange unary etcdserverpb.DeleteRangeRequest etcdserverpb.DeleteRangeResponse
method etcdserverpb.KV/Put unary etcdserverpb.PutRequest etcdserverpb.PutResponse
method etcdserverpb.KV/Range unary etcdserverpb.RangeRequest etcdserverpb.RangeResponse
method etcdserverpb.KV/RangeStream serverStream etcdserverpb.RangeRequest etcdserverpb.RangeStreamResponse
method etcdserverpb.KV/Txn unary etcdserverpb.TxnRequest etcdserverpb.TxnResponse
method etcdserverpb.Lease/LeaseGrant unary etcdserverpb.LeaseGrantRequest etcdserverpb.LeaseGrantResponse
method etcdserverpb.Lease/LeaseKeepAlive bidi etcdserverpb.LeaseKeepAliveRequest etcdserverpb.LeaseKeepAliveResponse
method etcdserverpb.Lease/LeaseLeases unary etcdserverpb.LeaseLeasesRequest etcdserverpb.LeaseLeasesResponse
method etcdserverpb.Lease/LeaseRevoke unary etcdserverpb.LeaseRevokeRequest etcdserverpb.LeaseRevokeResponse
method etcdserverpb.Lease/LeaseTimeToLive unary etcdserverpb.LeaseTimeToLiveRequest etcdserverpb.LeaseTimeToLiveResponse
method etcdserverpb.Maintenance/Alarm unary etcdserverpb.AlarmRequest etcdserverpb.AlarmResponse
method etcdserverpb.Maintenance/Defragment unary etcdserverpb.DefragmentRequest etcdserverpb.DefragmentResponse
method etcdserverpb.Maintenance/Downgrade unary etcdserverpb.DowngradeRequest etcdserverpb.DowngradeResponse
method etcdserverpb.Maintenance/Hash unary etcdserverpb.HashRequest etcdserverpb.HashResponse
method etcdserverpb.Maintenance/HashKV unary etcdserverpb.HashKVRequest etcdserverpb.HashKVResponse
method etcdserverpb.Maintenance/MoveLeader unary etcdserverpb.MoveLeaderRequest etcdserverpb.MoveLeaderResponse
method etcdserverpb.Maintenance/Snapshot serverStream etcdserverpb.SnapshotRequest etcdserverpb.SnapshotResponse
method etcdserverpb.Maintenance/Status unary etcdserverpb.StatusRequest etcdserverpb.StatusResponse
method etcdserverpb.Watch/Watch bidi etcdserverpb.WatchRequest etcdserverpb.WatchResponse
method grpc.health.v1.Health/Check unary grpc.health.v1.HealthCheckRequest grpc.health.v1.HealthCheckResponse
method grpc.health.v1.Health/List unary grpc.health.v1.HealthListRequest grpc.health.v1.HealthListResponse
method grpc.health.v1.Health/Watch serverStream grpc.health.v1.HealthCheckRequest grpc.health.v1.HealthCheckResponse
method v3electionpb.Election/Campaign unary v3electionpb.CampaignRequest v3electionpb.CampaignResponse
method v3electionpb.Election/Leader unary v3electionpb.LeaderRequest v3electionpb.LeaderResponse
method v3electionpb.Election/Observe serverStream v3electionpb.LeaderRequest v3electionpb.LeaderResponse
method v3electionpb.Election/Proclaim unary v3electionpb.ProclaimRequest v3electionpb.ProclaimResponse
method v3electionpb.Election/Resign unary v3electionpb.ResignRequest v3electionpb.ResignResponse
method v3lockpb.Lock/Lock unary v3lockpb.LockRequest v3lockpb.LockResponse
method v3lockpb.Lock/Unlock unary v3lockpb.UnlockRequest v3lockpb.UnlockResponse
`;

export interface FieldFact {
  readonly number: number;
  /** As etcd writes it: "prev_kv", "peerURLs". */
  readonly name: string;
  /** "int64", "uint64", "uint32", "bool", "bytes", "string", "enum", or the name of a message. */
  readonly type: string;
  readonly repeated: boolean;
  readonly packed: boolean;
  readonly oneof: string | undefined;
}

export interface MessageFact {
  readonly name: string;
  readonly proto2: boolean;
  readonly fields: readonly FieldFact[];
}

export interface MethodFact {
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  readonly request: string;
  readonly response: string;
}

const rows = FACTS.trim()
  .split("\n")
  .map((line) => line.split(" "));

/** Every message by its full name. */
export const MESSAGES: ReadonlyMap<string, MessageFact> = new Map(
  rows
    .filter(([kind]) => kind?.startsWith("message"))
    .map(([kind, name = "", ...fields]) => [
      name,
      { name, proto2: kind === "message2", fields: fields.map(fieldFact) },
    ]),
);

/** Every enum by its full name: the numbers of its values by their names. */
export const ENUMS: ReadonlyMap<string, Readonly<Record<string, number>>> = new Map(
  rows
    .filter(([kind]) => kind === "enum")
    .map(([, name = "", ...values]) => [
      name,
      Object.fromEntries(values.map((value) => value.split("=")).map(([key = "", number]) => [key, Number(number)])),
    ]),
);

export const METHODS: readonly MethodFact[] = rows
  .filter(([kind]) => kind === "method")
  .map(([, path = "", kind = "", request = "", response = ""]) => {
    const [service = "", name = ""] = path.split("/");
    return { service, name, kind, request, response };
  });

function fieldFact(text: string): FieldFact {
  const [number, name = "", described = ""] = text.split(":");
  const [type = "", oneof] = described.split("|");
  return {
    number: Number(number),
    name,
    type: type.replace(/\[\]p?$/, ""),
    repeated: type.includes("[]"),
    packed: type.endsWith("p"),
    oneof,
  };
}
