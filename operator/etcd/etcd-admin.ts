/**
 * What we ask of the members of an etcd cluster, as a port. Each call goes to one member that the caller has chosen:
 * nothing is balanced, nothing is tried again (a learner refuses many calls, and a refusal must be seen). Ids are 16
 * digits of lower-case hex. The real one is `grpc-etcd-admin.ts`, the one of the tests `test/operator/fake-etcd.ts`.
 */

/** Where a member answers clients. Its address, not its name: no operator action may hang on DNS. */
export interface Endpoint {
  /** `http://10.0.0.7:2379` or `https://...`. */
  readonly url: string;
  /** The name that its certificate must hold. */
  readonly serverName?: string;
  /** For https. PEM. */
  readonly tls?: EndpointTls;
}

export interface EndpointTls {
  readonly ca: string;
  readonly certificate?: string;
  readonly key?: string;
}

export interface EtcdMember {
  readonly id: string;
  /** "" for one that was added and has never started. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

export interface MemberList {
  readonly clusterId: string;
  /** Of the member that answered. */
  readonly memberId: string;
  readonly members: readonly EtcdMember[];
}

export interface MemberStatus {
  readonly clusterId: string;
  readonly memberId: string;
  /** Such as 3.6.0; etcd's version that the member speaks, see `serverVersion` of the program. */
  readonly version: string;
  readonly storageVersion: string;
  /** "" when it knows none. */
  readonly leaderId: string;
  readonly isLearner: boolean;
  readonly raftTerm: number;
  readonly raftIndex: number;
  readonly appliedIndex: number;
  /** Bytes. */
  readonly dbSize: number;
  readonly dbSizeInUse: number;
  readonly errors: readonly string[];
}

export interface MemberAlarm {
  readonly memberId: string;
  readonly alarm: "NOSPACE" | "CORRUPT";
}

/** SHA-256 of the certificates that a member has loaded, leaves and authorities, in lower-case hex. */
export interface LoadedFingerprints {
  /** For its clients. */
  readonly client: readonly string[];
  /** For other members, both where they dial it and where it dials them. */
  readonly peer: readonly string[];
}

/** Why a member did not do what it was asked; `unknown`: no answer came, and it may have been done. */
export type RefusalKind =
  | "unknown"
  | "unhealthy"
  | "not-ready"
  | "learner"
  | "no-leader"
  | "not-found"
  | "already-there"
  | "too-many-learners"
  | "denied"
  | "other";

export class EtcdRefusal extends Error {
  override readonly name = "EtcdRefusal";
  readonly kind: RefusalKind;

  constructor(kind: RefusalKind, text: string) {
    super(text);
    this.kind = kind;
  }
}

/** Every call may fail with an `EtcdRefusal`, and is bounded by `timeoutMs`. */
export interface EtcdAdmin {
  /** Linearizable unless told otherwise. */
  members(endpoint: Endpoint, timeoutMs: number, isSerializable?: boolean): Promise<MemberList>;
  status(endpoint: Endpoint, timeoutMs: number): Promise<MemberStatus>;
  alarms(endpoint: Endpoint, timeoutMs: number): Promise<readonly MemberAlarm[]>;
  /** A linearizable read through this very member. */
  probe(endpoint: Endpoint, timeoutMs: number): Promise<void>;
  addLearner(endpoint: Endpoint, peerUrl: string, timeoutMs: number): Promise<EtcdMember>;
  promote(endpoint: Endpoint, memberId: string, timeoutMs: number): Promise<void>;
  remove(endpoint: Endpoint, memberId: string, timeoutMs: number): Promise<void>;
  /** `endpoint` must be the leader's. */
  moveLeader(endpoint: Endpoint, targetId: string, timeoutMs: number): Promise<void>;
  defragment(endpoint: Endpoint, timeoutMs: number): Promise<void>;
  /** Takes back an alarm; one that is not raised is no refusal. */
  disarm(endpoint: Endpoint, memberId: string, alarm: MemberAlarm["alarm"], timeoutMs: number): Promise<void>;
  /** From the member's plain metrics port. */
  loadedCertificates(metricsUrl: string, timeoutMs: number): Promise<LoadedFingerprints>;
}
