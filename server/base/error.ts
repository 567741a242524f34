/**
 * Every way in which a client's request can be refused, as a closed union. What travels on the wire for a code, its
 * gRPC status and etcd's exact text, stands in one table, `rpc/status.ts`. Grouped as etcd's rpctypes are.
 */
export type ErrorCode =
  // key value
  | "EmptyKey"
  | "KeyNotFound"
  | "ValueProvided"
  | "LeaseProvided"
  | "TooManyOps"
  | "DuplicateKey"
  | "InvalidClientApiVersion"
  | "InvalidSortOption"
  | "Compacted"
  | "FutureRevision"
  | "NoSpace"
  // lease
  | "LeaseNotFound"
  | "LeaseExists"
  | "LeaseTtlTooLarge"
  | "NotPrimaryLessor"
  // watch
  | "WatchCanceled"
  // membership
  | "MemberExists"
  | "PeerUrlExists"
  | "NotEnoughStartedMembers"
  | "BadMemberUrls"
  | "MemberNotFound"
  | "MemberNotLearner"
  | "LearnerNotReady"
  | "TooManyLearners"
  | "ClusterIdMismatch"
  // requests and their size
  | "RequestTooLarge"
  | "TooManyRequests"
  // auth
  | "RootUserNotFound"
  | "RootRoleNotFound"
  | "UserExists"
  | "UserEmpty"
  | "UserNotFound"
  | "RoleExists"
  | "RoleNotFound"
  | "RoleEmpty"
  | "AuthFailed"
  | "PermissionNotGiven"
  | "PermissionDenied"
  | "RoleNotGranted"
  | "PermissionNotGranted"
  | "AuthNotEnabled"
  | "InvalidAuthToken"
  | "InvalidAuthManagement"
  | "AuthRevisionOld"
  | "PasswordGivenForNoPasswordUser"
  // the state of the cluster
  | "NoLeader"
  | "NotLeader"
  | "LeaderChanged"
  | "NotCapable"
  | "Stopped"
  | "Timeout"
  | "TimeoutLeaderFailure"
  | "TimeoutConnectionLost"
  | "TimeoutWaitAppliedIndex"
  | "TimeoutLeaderTransfer"
  | "Unhealthy"
  | "Corrupt"
  | "NotSupportedForLearner"
  | "BadLeaderTransferee"
  | "WrongDowngradeVersionFormat"
  | "InvalidDowngradeTargetVersion"
  | "ClusterVersionUnavailable"
  | "DowngradeInProgress"
  | "NoDowngradeInProgress"
  // the call itself
  | "Canceled"
  | "DeadlineExceeded"
  | "Unimplemented"
  | "MalformedRequest"
  | "UnknownMethod"
  | "UnknownHealthService"
  | "DefragmentationFailed";

/** A refusal that goes back to the client. `detail` replaces the table's text where a code has no fixed one. */
export class EtcdError extends Error {
  override readonly name = "EtcdError";
  readonly code: ErrorCode;
  readonly detail: string | undefined;

  constructor(code: ErrorCode, detail?: string) {
    super(detail ?? code);
    this.code = code;
    this.detail = detail;
  }
}

/** What the world did to us (disk, socket, file): the action that failed, and Node's error as `cause`. */
export class WorldError extends Error {
  override readonly name = "WorldError";

  constructor(action: string, cause: unknown) {
    super(`${action}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
