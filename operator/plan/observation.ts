/**
 * All that a plan may know: facts with their age, read before it and never changed by it. What could not be read is
 * "unknown", which is neither "no" nor "gone". Times are milliseconds since 1970.
 */
import type { EtcdCluster, EtcdClusterSpec } from "../api/etcd-cluster.ts";
import type { ClaimState } from "../api/names.ts";

export interface Observation {
  readonly now: number;
  /** Read from the API server itself before anything is done; a plan that is made from a cache may only find nothing to do. */
  readonly cluster: EtcdCluster;
  /** The last spec that was found good, from the ConfigMap that keeps it. */
  readonly acceptedSpec: EtcdClusterSpec | undefined;
  readonly namespaceIsTerminating: boolean;
  /** Those with our labels; of any owner. */
  readonly pods: readonly PodFacts[];
  readonly claims: readonly ClaimFacts[];
  /** Services, disruption budget, ConfigMap, ServiceAccount, Certificates as they are, by "Kind/name". */
  readonly children: ReadonlyMap<string, ChildFacts>;
  readonly budget: BudgetFacts | undefined;
  readonly nodes: ReadonlyMap<string, NodeFacts>;
  readonly secrets: ReadonlyMap<string, SecretFacts>;
  /**
   * What the API server would not take when it was last tried, by "Kind/name": a quota, an admission policy, a field that
   * it does not know. Children among them are tried again after all else.
   */
  readonly refusals?: ReadonlyMap<string, string>;
  /** What is due with the operator's own certificates, as those who know them say; absent: only missing ones are. */
  readonly certificatesDue?: readonly { readonly secret: string; readonly why: string }[];
  readonly storageClasses: ReadonlyMap<string, { readonly allowsExpansion: boolean }>;
  /** Nothing when nobody was asked: no member may be running yet. */
  readonly etcd: EtcdFacts | undefined;
}

export interface PodFacts {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** uid of the controller in its owner references. */
  readonly ownerUid: string | undefined;
  readonly member: string;
  readonly role: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly createdAt: number;
  readonly isTerminating: boolean;
  readonly phase: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
  readonly ip: string | undefined;
  readonly nodeName: string | undefined;
  /** Since when it is ready without a break. */
  readonly readySince: number | undefined;
  /** Since when the scheduler finds no place. */
  readonly unscheduledSince: number | undefined;
  readonly container: ContainerFacts | undefined;
}

export interface ContainerFacts {
  readonly state: "Waiting" | "Running" | "Terminated";
  /** Such as ImagePullBackOff, CrashLoopBackOff, OOMKilled. */
  readonly reason: string;
  readonly message: string;
  readonly restarts: number;
  /** Of the last end, this state's or the one before. */
  readonly exitCode: number | undefined;
  readonly endReason: string | undefined;
}

export interface ClaimFacts {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly ownerUid: string | undefined;
  /** From its annotation: whose data this is. */
  readonly clusterUid: string | undefined;
  readonly clusterId: string | undefined;
  readonly member: string;
  readonly memberId: string | undefined;
  readonly state: ClaimState | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly isTerminating: boolean;
  readonly phase: "Pending" | "Bound" | "Lost";
  readonly storageClassName: string | undefined;
  /** Bytes. */
  readonly requested: number;
  readonly capacity: number | undefined;
  /** Such as Resizing, FileSystemResizePending. */
  readonly conditions: readonly string[];
}

export interface ChildFacts {
  readonly uid: string;
  readonly ownerUid: string | undefined;
  /** The object as read: the plan compares what it wants with what is there. */
  readonly object: Readonly<Record<string, unknown>>;
}

export interface BudgetFacts {
  readonly minAvailable: number;
  readonly disruptionsAllowed: number;
  /** Whether the numbers belong to the present spec of the budget. */
  readonly isCurrent: boolean;
}

export interface NodeFacts {
  /** The API server says that there is no such node any more; a node that was not read is absent from the map. */
  readonly isGone?: boolean;
  readonly isReady: boolean;
  /** Since when it is not. */
  readonly notReadySince: number | undefined;
  readonly isOutOfService: boolean;
  readonly zone: string | undefined;
}

export interface SecretFacts {
  /** Of its content. */
  readonly hash: string;
  readonly caHash: string | undefined;
  readonly notBefore: number | undefined;
  readonly notAfter: number | undefined;
  /** Of an authority: the request by which it was made. */
  readonly rotation?: string;
  /** SHA-256 of the DER form in hex, of every certificate in it, leaf and authorities. */
  readonly fingerprints?: readonly string[];
}

export interface EtcdFacts {
  /** Linearizable, from one voter; nothing when no voter could give one. */
  readonly list: MemberListFacts | undefined;
  /** By member name; a member that was not asked or did not answer has `status` undefined and an error. */
  readonly members: ReadonlyMap<string, AskedFacts>;
  /** The same question to every member that answered, two seconds or more before: term and leader must agree. */
  readonly earlier: ReadonlyMap<string, { readonly at: number; readonly raftTerm: number; readonly leaderId: string }>;
  readonly alarms: readonly { readonly memberId: string; readonly alarm: "NOSPACE" | "CORRUPT" }[];
}

export interface MemberListFacts {
  readonly clusterId: string;
  readonly members: readonly {
    readonly id: string;
    readonly name: string;
    readonly peerUrls: readonly string[];
    readonly isLearner: boolean;
  }[];
}

export interface AskedFacts {
  readonly at: number;
  readonly status:
    | {
        readonly clusterId: string;
        readonly memberId: string;
        readonly version: string;
        readonly leaderId: string;
        readonly isLearner: boolean;
        readonly raftTerm: number;
        readonly raftIndex: number;
        readonly appliedIndex: number;
        readonly dbSize: number;
        readonly dbSizeInUse: number;
      }
    | undefined;
  /** Whether a linearizable read through it succeeded. */
  readonly isServing: boolean;
  /** Fingerprints of the certificates that it has loaded, from its metrics; nothing when it was not asked. */
  readonly loadedCertificates: readonly string[] | undefined;
  readonly error: string | undefined;
}
