/**
 * EtcdCluster, `kvorum.dev/v1alpha1`: what a person asks for, and what the operator says of it. The schema that the API
 * server holds, and the meaning of every field for its reader, stand in `schema/`; defaults are filled in by the API
 * server, so that a spec which was read back has them.
 */

export interface EtcdCluster {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ClusterMeta;
  readonly spec: EtcdClusterSpec;
  readonly status?: EtcdClusterStatus;
}

export interface ClusterMeta {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
}

/** Text of Kubernetes: "2Gi", "500m". */
export type Quantity = string;
/** Go's durations: "10m", "1h30m". */
export type Duration = string;
export type Text = Readonly<Record<string, string>>;
/** A part of a Pod that is handed on as it is. */
export type Passed = Readonly<Record<string, unknown>>;

export interface EtcdClusterSpec {
  /** Odd, 1 to 7. */
  readonly replicas: number;
  /** `x.y.z`, of the server that is to run. */
  readonly version: string;
  readonly image?: ImageSpec;
  readonly storage: StorageSpec;
  readonly config: ConfigSpec;
  readonly extraArgs?: readonly { readonly name: string; readonly value: string }[];
  readonly tls: TlsSpec;
  readonly service: ServiceSpec;
  readonly pod: PodSpec;
  readonly probes: ProbesSpec;
  readonly disruptionBudget: {
    readonly enabled: boolean;
    readonly unhealthyPodEvictionPolicy: "IfHealthyBudget" | "AlwaysAllow";
  };
  readonly update: UpdateSpec;
  readonly repair: RepairSpec;
  readonly hibernate: boolean;
  readonly paused: boolean;
  readonly deletionProtection: boolean;
  readonly inheritedMetadata?: { readonly labels?: Text; readonly annotations?: Text };
}

export interface ImageSpec {
  readonly repository?: string;
  /** `sha256:...`; then the tag is not used. */
  readonly digest?: string;
  readonly pullPolicy?: "Always" | "IfNotPresent" | "Never";
  readonly pullSecrets?: readonly { readonly name: string }[];
}

/** Exactly one of `persistent` and `ephemeral`. */
export interface StorageSpec {
  readonly persistent?: {
    readonly size: Quantity;
    readonly storageClassName?: string;
    readonly accessMode: "ReadWriteOnce" | "ReadWriteOncePod";
    readonly labels?: Text;
    readonly annotations?: Text;
  };
  readonly ephemeral?: { readonly medium: "" | "Memory"; readonly sizeLimit?: Quantity };
  readonly reclaim: { readonly onDelete: "Retain" | "Delete"; readonly onMemberRemoval: "Retain" | "Delete" };
}

export interface ConfigSpec {
  readonly quotaBackendBytes?: Quantity;
  readonly autoCompaction?: { readonly mode: "periodic" | "revision"; readonly retention: string };
  readonly snapshotCount?: number;
  /** Milliseconds. */
  readonly heartbeatInterval: number;
  readonly electionTimeout: number;
  readonly maxRequestBytes?: Quantity;
  readonly maxTxnOps?: number;
  readonly maxConcurrentStreams?: number;
  readonly metrics: "basic" | "extensive";
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly logFormat: "json" | "console";
}

/** Exactly one. A Secret holds `ca.crt`, `tls.crt`, `tls.key`. */
export interface CertificateSource {
  readonly secretRef?: { readonly name: string };
  readonly certManager?: {
    readonly issuerRef: { readonly name: string; readonly kind: "Issuer" | "ClusterIssuer"; readonly group: string };
  };
  readonly operatorCA?: Readonly<Record<string, never>>;
}

export interface TlsSpec {
  readonly client: { readonly mode: "Disabled" | "Server" | "Mutual"; readonly source?: CertificateSource };
  readonly peer: { readonly mode: "Disabled" | "Mutual"; readonly source?: CertificateSource };
  readonly certificates: {
    readonly duration: Duration;
    readonly renewBefore: Duration;
    readonly extraDNSNames?: readonly string[];
    readonly extraIPs?: readonly string[];
  };
  /** More authorities whose clients are let in. */
  readonly extraTrust?: readonly {
    readonly secretRef?: { readonly name: string; readonly key: string };
    readonly configMapRef?: { readonly name: string; readonly key: string };
  }[];
}

export interface ServiceTemplate {
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer";
  readonly labels?: Text;
  readonly annotations?: Text;
  readonly trafficDistribution?: string;
  readonly loadBalancerClass?: string;
  readonly loadBalancerSourceRanges?: readonly string[];
  readonly nodePort?: number;
  readonly internalTrafficPolicy?: "Cluster" | "Local";
  readonly ipFamilyPolicy?: "SingleStack" | "PreferDualStack" | "RequireDualStack";
}

export interface ServiceSpec {
  readonly client: ServiceTemplate;
  readonly additional?: readonly ({ readonly name: string } & ServiceTemplate)[];
}

export interface PodSpec {
  readonly labels?: Text;
  readonly annotations?: Text;
  readonly resources?: Passed;
  readonly nodeSelector?: Text;
  readonly tolerations?: readonly Passed[];
  /** Beside the rule that `antiAffinity` makes. */
  readonly affinity?: Passed;
  readonly antiAffinity: { readonly type: "Preferred" | "Required" | "None"; readonly topologyKey: string };
  /** Absent: over zones, as far as it goes. */
  readonly topologySpreadConstraints?: readonly Passed[];
  readonly priorityClassName?: string;
  readonly serviceAccountName?: string;
  readonly podSecurityContext?: Passed;
  readonly securityContext?: Passed;
  readonly env?: readonly Passed[];
  readonly envFrom?: readonly Passed[];
  readonly extraVolumes?: readonly Passed[];
  readonly extraVolumeMounts?: readonly Passed[];
  readonly sidecars?: readonly Passed[];
  readonly runtimeClassName?: string;
  readonly schedulerName?: string;
  readonly terminationGracePeriodSeconds: number;
}

export interface ProbeSpec {
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
}

export interface ProbesSpec {
  readonly startup: ProbeSpec;
  readonly liveness: ProbeSpec;
  readonly readiness: ProbeSpec;
}

export interface UpdateSpec {
  readonly strategy: "RollingUpdate" | "OnDelete";
  readonly minReadySeconds: number;
  readonly memberTimeout: Duration;
}

export interface RepairSpec {
  readonly mode: "Automatic" | "Manual";
  readonly unhealthyAfter: Duration;
  readonly unscheduledAfter: Duration;
  readonly maxPerHour: number;
}

export type Phase =
  | "Pending"
  | "Bootstrapping"
  | "Running"
  | "Scaling"
  | "Updating"
  | "Repairing"
  | "Hibernated"
  | "Paused"
  | "QuorumLost"
  | "Blocked"
  | "Terminating";

export type Role = "Leader" | "Follower" | "Learner" | "Unstarted" | "Unknown";
export type Health = "Healthy" | "Unreachable" | "Alarmed" | "Lagging" | "Corrupt";

export interface MemberView {
  readonly name: string;
  readonly id?: string;
  readonly serial: number;
  readonly role: Role;
  readonly health: Health;
  /** When `health` became what it is, RFC 3339; the clock of repairs, and so part of the journal. */
  readonly healthSince: string;
  readonly version?: string;
  readonly podName?: string;
  readonly podUID?: string;
  readonly nodeName?: string;
  readonly zone?: string;
  readonly pvcName?: string;
  readonly capacity?: string;
  readonly dbSize?: number;
  readonly dbSizeInUse?: number;
  readonly raftTerm?: number;
  readonly raftIndex?: number;
  readonly appliedIndex?: number;
  readonly alarms?: readonly string[];
  readonly templateHash?: string;
  readonly lastError?: string;
}

/** What is being done; a hint for people and a base for deadlines. What to do next never follows from it alone. */
export interface OperationView {
  readonly id: string;
  readonly type:
    | "Bootstrap"
    | "ScaleUp"
    | "ScaleDown"
    | "Repair"
    | "Update"
    | "Resize"
    | "Hibernate"
    | "Wake"
    | "Request";
  readonly member?: string;
  readonly step: string;
  readonly startedAt: string;
  readonly deadline?: string;
  readonly attempts: number;
  readonly message: string;
}

export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

export interface EtcdClusterStatus {
  /** -1 before the operator has seen the object. */
  readonly observedGeneration: number;
  readonly phase?: Phase;
  /** 16 digits of lower-case hex. Once it is there the cluster has been born, and never is again. */
  readonly clusterID?: string;
  readonly clusterToken?: string;
  readonly initialized?: boolean;
  /** The lowest that runs. */
  readonly currentVersion?: string;
  readonly targetVersion?: string;
  readonly replicas?: number;
  readonly readyReplicas?: number;
  readonly voters?: number;
  readonly learners?: number;
  readonly updatedReplicas?: number;
  readonly selector?: string;
  readonly nextMemberSerial?: number;
  readonly leader?: string;
  /** Of the largest member, for people: "12.5 MiB". */
  readonly dbSize?: string;
  readonly leaderChangedAt?: string;
  readonly quorum?: { readonly size: number; readonly healthy: number; readonly tolerates: number };
  readonly members?: readonly MemberView[];
  readonly operation?: OperationView;
  readonly lastOperation?: OperationView & { readonly result: "Succeeded" | "Failed"; readonly endedAt: string };
  readonly certificates?: readonly {
    readonly name: string;
    readonly notAfter: string;
    readonly caHash: string;
    readonly loadedBy: readonly string[];
  }[];
  readonly endpoints?: { readonly client: string; readonly peer: string };
  /** Nonces of requests by annotation that have been carried out, by the request's name. */
  readonly handledRequests?: Text;
  /** When members were replaced within the last hour, RFC 3339: the flap guard. */
  readonly repairs?: readonly string[];
  readonly conditions?: readonly Condition[];
}
