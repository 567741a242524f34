/**
 * What the plan asks of those who know how objects look and what a good spec is. All of it is pure. `cluster` always
 * carries the spec that is in force, which need not be the one that was asked for.
 */
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import type { ClaimState } from "../api/names.ts";
import type { SecretNeed } from "../resources/secret-needs.ts";
import type { Desired } from "./action.ts";

/** What is wrong with a spec: where, and what to do about it. */
export interface SpecFault {
  /** Absent: InvalidSpec. */
  readonly kind?: "InvalidSpec" | "UnsupportedVersion";
  /** Such as `spec.config.electionTimeout`. */
  readonly path: string;
  /** Names the value and the remedy. */
  readonly message: string;
}

/** All that a member's Pod depends on beside the spec. */
export interface PodNeed {
  readonly member: string;
  /** `new` for the first member of a cluster that is not born yet, and for nobody else. */
  readonly start: "new" | "existing";
  /** Whether the member's disk has held data: an empty one then ends the member with `EXIT_DATA_LOST`. */
  readonly expectsData: boolean;
  /** For `--initial-cluster`; holds the member itself. */
  readonly initialCluster: readonly { readonly name: string; readonly peerUrl: string }[];
  readonly token: string;
  readonly memberId: string | undefined;
  readonly role: "voter" | "learner" | undefined;
  readonly certificateHash: string | undefined;
}

export interface ClaimNeed {
  readonly member: string;
  readonly state: ClaimState;
  readonly clusterId: string | undefined;
}

export type { SecretNeed };

export interface Builders {
  /** Everything wrong with the spec that was asked for, bounded; none when it is good. */
  validate(cluster: EtcdCluster): readonly SpecFault[];
  /** Of what the operator wants a member to be; the same for all members, and the same again after an operator update. */
  templateHash(cluster: EtcdCluster): string;
  pod(cluster: EtcdCluster, need: PodNeed): Desired;
  claim(cluster: EtcdCluster, need: ClaimNeed): Desired;
  /** Services, ServiceAccount, Certificates: everything but the disruption budget and the accepted spec. */
  children(cluster: EtcdCluster): readonly Desired[];
  budget(cluster: EtcdCluster, minAvailable: number): Desired;
  secrets(cluster: EtcdCluster): readonly SecretNeed[];
  /** Where members find one another and clients find them; the peer URL is what a member is added under. */
  peerUrl(cluster: EtcdCluster, member: string): string;
  endpoints(cluster: EtcdCluster): { readonly client: string; readonly peer: string };
}
