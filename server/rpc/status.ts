/**
 * Every refusal and what travels on the wire for it: gRPC's code and etcd's exact text, which clients match on. The
 * compiler refuses a new `ErrorCode` that has no line here.
 */
import type { ErrorCode, EtcdError } from "../base/error.ts";

/** gRPC's status codes. */
export const GrpcCode = {
  OK: 0,
  CANCELED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** Names of the codes as Go prints them: the label of etcd's metric, and part of some texts. */
export const GRPC_CODE_NAMES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
] as const;

/** How a call ends. */
export interface Status {
  readonly grpc: number;
  readonly text: string;
}

const {
  CANCELED,
  UNKNOWN,
  INVALID_ARGUMENT,
  DEADLINE_EXCEEDED,
  NOT_FOUND,
  PERMISSION_DENIED,
  RESOURCE_EXHAUSTED,
  FAILED_PRECONDITION,
  OUT_OF_RANGE,
  UNIMPLEMENTED,
  INTERNAL,
  UNAVAILABLE,
  DATA_LOSS,
  UNAUTHENTICATED,
} = GrpcCode;

/** Where etcd has no fixed text the line holds a general one, and `EtcdError.detail` the particular one. */
export const STATUS = {
  EmptyKey: { grpc: INVALID_ARGUMENT, text: "etcdserver: key is not provided" },
  KeyNotFound: { grpc: INVALID_ARGUMENT, text: "etcdserver: key not found" },
  ValueProvided: { grpc: INVALID_ARGUMENT, text: "etcdserver: value is provided" },
  LeaseProvided: { grpc: INVALID_ARGUMENT, text: "etcdserver: lease is provided" },
  TooManyOps: { grpc: INVALID_ARGUMENT, text: "etcdserver: too many operations in txn request" },
  DuplicateKey: { grpc: INVALID_ARGUMENT, text: "etcdserver: duplicate key given in txn request" },
  InvalidClientApiVersion: { grpc: INVALID_ARGUMENT, text: "etcdserver: invalid client api version" },
  InvalidSortOption: { grpc: INVALID_ARGUMENT, text: "etcdserver: invalid sort option" },
  Compacted: { grpc: OUT_OF_RANGE, text: "etcdserver: mvcc: required revision has been compacted" },
  FutureRevision: { grpc: OUT_OF_RANGE, text: "etcdserver: mvcc: required revision is a future revision" },
  NoSpace: { grpc: RESOURCE_EXHAUSTED, text: "etcdserver: mvcc: database space exceeded" },

  LeaseNotFound: { grpc: NOT_FOUND, text: "etcdserver: requested lease not found" },
  LeaseExists: { grpc: FAILED_PRECONDITION, text: "etcdserver: lease already exists" },
  LeaseTtlTooLarge: { grpc: OUT_OF_RANGE, text: "etcdserver: too large lease TTL" },
  /** Not in etcd's map of errors, so it travels as Unknown. */
  NotPrimaryLessor: { grpc: UNKNOWN, text: "not a primary lessor" },

  WatchCanceled: { grpc: CANCELED, text: "etcdserver: watch canceled" },

  MemberExists: { grpc: FAILED_PRECONDITION, text: "etcdserver: member ID already exist" },
  PeerUrlExists: { grpc: FAILED_PRECONDITION, text: "etcdserver: Peer URLs already exists" },
  /** etcd maps this one, and "too many requests", to an error without a code: Unknown. */
  NotEnoughStartedMembers: {
    grpc: UNKNOWN,
    text: "etcdserver: re-configuration failed due to not enough started members",
  },
  BadMemberUrls: { grpc: INVALID_ARGUMENT, text: "etcdserver: given member URLs are invalid" },
  MemberNotFound: { grpc: NOT_FOUND, text: "etcdserver: member not found" },
  MemberNotLearner: { grpc: FAILED_PRECONDITION, text: "etcdserver: can only promote a learner member" },
  LearnerNotReady: {
    grpc: FAILED_PRECONDITION,
    text: "etcdserver: can only promote a learner member which is in sync with leader",
  },
  TooManyLearners: { grpc: FAILED_PRECONDITION, text: "etcdserver: too many learner members in cluster" },
  ClusterIdMismatch: { grpc: FAILED_PRECONDITION, text: "etcdserver: cluster ID mismatch" },

  RequestTooLarge: { grpc: INVALID_ARGUMENT, text: "etcdserver: request is too large" },
  TooManyRequests: { grpc: UNKNOWN, text: "etcdserver: too many requests" },

  RootUserNotFound: { grpc: FAILED_PRECONDITION, text: "etcdserver: root user does not exist" },
  RootRoleNotFound: { grpc: FAILED_PRECONDITION, text: "etcdserver: root user does not have root role" },
  UserExists: { grpc: FAILED_PRECONDITION, text: "etcdserver: user name already exists" },
  UserEmpty: { grpc: INVALID_ARGUMENT, text: "etcdserver: user name is empty" },
  UserNotFound: { grpc: FAILED_PRECONDITION, text: "etcdserver: user name not found" },
  RoleExists: { grpc: FAILED_PRECONDITION, text: "etcdserver: role name already exists" },
  RoleNotFound: { grpc: FAILED_PRECONDITION, text: "etcdserver: role name not found" },
  RoleEmpty: { grpc: INVALID_ARGUMENT, text: "etcdserver: role name is empty" },
  AuthFailed: {
    grpc: INVALID_ARGUMENT,
    text: "etcdserver: authentication failed, invalid user ID or password",
  },
  PermissionNotGiven: { grpc: INVALID_ARGUMENT, text: "etcdserver: permission not given" },
  PermissionDenied: { grpc: PERMISSION_DENIED, text: "etcdserver: permission denied" },
  RoleNotGranted: { grpc: FAILED_PRECONDITION, text: "etcdserver: role is not granted to the user" },
  PermissionNotGranted: { grpc: FAILED_PRECONDITION, text: "etcdserver: permission is not granted to the role" },
  AuthNotEnabled: { grpc: FAILED_PRECONDITION, text: "etcdserver: authentication is not enabled" },
  InvalidAuthToken: { grpc: UNAUTHENTICATED, text: "etcdserver: invalid auth token" },
  InvalidAuthManagement: { grpc: INVALID_ARGUMENT, text: "etcdserver: invalid auth management" },
  AuthRevisionOld: { grpc: INVALID_ARGUMENT, text: "etcdserver: revision of auth store is old" },
  PasswordGivenForNoPasswordUser: {
    grpc: UNKNOWN,
    text: "auth: authentication failed, password was given for no password user",
  },

  NoLeader: { grpc: UNAVAILABLE, text: "etcdserver: no leader" },
  NotLeader: { grpc: FAILED_PRECONDITION, text: "etcdserver: not leader" },
  LeaderChanged: { grpc: UNAVAILABLE, text: "etcdserver: leader changed" },
  NotCapable: { grpc: FAILED_PRECONDITION, text: "etcdserver: not capable" },
  Stopped: { grpc: UNAVAILABLE, text: "etcdserver: server stopped" },
  Timeout: { grpc: UNAVAILABLE, text: "etcdserver: request timed out" },
  TimeoutLeaderFailure: {
    grpc: UNAVAILABLE,
    text: "etcdserver: request timed out, possibly due to previous leader failure",
  },
  TimeoutConnectionLost: {
    grpc: UNAVAILABLE,
    text: "etcdserver: request timed out, possibly due to connection lost",
  },
  TimeoutWaitAppliedIndex: {
    grpc: UNAVAILABLE,
    text: "etcdserver: request timed out, waiting for the applied index took too long",
  },
  /** Not in etcd's map of errors. */
  TimeoutLeaderTransfer: {
    grpc: UNKNOWN,
    text: "etcdserver: request timed out, leader transfer took too long",
  },
  Unhealthy: { grpc: UNAVAILABLE, text: "etcdserver: unhealthy cluster" },
  Corrupt: { grpc: DATA_LOSS, text: "etcdserver: corrupt cluster" },
  NotSupportedForLearner: { grpc: FAILED_PRECONDITION, text: "etcdserver: rpc not supported for learner" },
  BadLeaderTransferee: { grpc: FAILED_PRECONDITION, text: "etcdserver: bad leader transferee" },
  WrongDowngradeVersionFormat: {
    grpc: INVALID_ARGUMENT,
    text: "etcdserver: wrong downgrade target version format",
  },
  InvalidDowngradeTargetVersion: {
    grpc: INVALID_ARGUMENT,
    text: "etcdserver: invalid downgrade target version",
  },
  ClusterVersionUnavailable: {
    grpc: FAILED_PRECONDITION,
    text: "etcdserver: cluster version not found during downgrade",
  },
  DowngradeInProgress: { grpc: FAILED_PRECONDITION, text: "etcdserver: cluster has a downgrade job in progress" },
  NoDowngradeInProgress: { grpc: FAILED_PRECONDITION, text: "etcdserver: no inflight downgrade job" },

  /** The last two: a caller's own end of waiting goes out in Go's words, not in etcd's. */
  Canceled: { grpc: CANCELED, text: "context canceled" },
  DeadlineExceeded: { grpc: DEADLINE_EXCEEDED, text: "context deadline exceeded" },
  Unimplemented: { grpc: UNIMPLEMENTED, text: "method not implemented" },
  MalformedRequest: { grpc: INTERNAL, text: "proto: cannot parse invalid wire-format data" },
  UnknownMethod: { grpc: UNKNOWN, text: "etcdserver: unknown method" },
  UnknownHealthService: { grpc: NOT_FOUND, text: "unknown service" },
  /** The detail says why, as etcd passes on what its store says. */
  DefragmentationFailed: { grpc: UNKNOWN, text: "the defragmentation failed" },
} as const satisfies Record<ErrorCode, Status>;

export const OK: Status = { grpc: GrpcCode.OK, text: "" };

/** What a refusal looks like on the wire. */
export function statusOf(error: EtcdError): Status {
  const { grpc, text } = STATUS[error.code];
  return { grpc, text: error.detail ?? text };
}

/** The text of an error as Go prints one with its code: what a refused watch says as its reason. */
export function goErrorText(error: EtcdError): string {
  const { grpc, text } = statusOf(error);
  return `rpc error: code = ${GRPC_CODE_NAMES[grpc] ?? grpc} desc = ${text}`;
}
