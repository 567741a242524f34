/**
 * Specs that the API server must accept, and which together have every field of the schema; and a status that has every
 * field, too. Refused examples are made from them by changing one place.
 */
import type { Json } from "../../../operator/api/schema/node.ts";

const MARKS = { labels: { "example.com/team": "storage" }, annotations: { "example.com/note": "any text: at all" } };

const TEMPLATE = {
  type: "LoadBalancer",
  ...MARKS,
  trafficDistribution: "PreferClose",
  loadBalancerClass: "example.com/internal",
  loadBalancerSourceRanges: ["10.0.0.0/8", "fd00::/64"],
  nodePort: 32379,
  internalTrafficPolicy: "Local",
  ipFamilyPolicy: "PreferDualStack",
} as const;

const POD = {
  ...MARKS,
  resources: { requests: { cpu: "500m", memory: "1Gi" }, limits: { cpu: 2, memory: "1.5Gi" } },
  nodeSelector: { "example.com/disk": "fast" },
  tolerations: [
    { key: "example.com/dedicated", operator: "Equal", value: "etcd", effect: "NoExecute", tolerationSeconds: 30 },
    { operator: "Exists" },
  ],
  affinity: {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields: [] }] } },
  },
  antiAffinity: { type: "Required", topologyKey: "topology.kubernetes.io/zone" },
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: "topology.kubernetes.io/zone", whenUnsatisfiable: "DoNotSchedule", minDomains: 3 },
  ],
  priorityClassName: "system-cluster-critical",
  serviceAccountName: "etcd",
  podSecurityContext: { fsGroup: 1000 },
  securityContext: { runAsUser: 1000 },
  env: [
    { name: "NODE_OPTIONS", value: "--max-old-space-size=512" },
    { name: "SECRET_WORD", valueFrom: { secretKeyRef: { name: "words", key: "secret" } } },
  ],
  envFrom: [{ prefix: "TEAM_", configMapRef: { name: "team" } }, { secretRef: { name: "more" } }],
  extraVolumes: [{ name: "lists", configMap: { name: "revoked" } }],
  extraVolumeMounts: [{ name: "lists", mountPath: "/lists", readOnly: true }],
  sidecars: [{ name: "proxy", image: "registry.example.com/proxy:1", args: ["--port=1"] }],
  runtimeClassName: "sandboxed",
  schedulerName: "default-scheduler",
  terminationGracePeriodSeconds: 90,
} as const;

const PROBE = { periodSeconds: 7, timeoutSeconds: 3, failureThreshold: 9 } as const;

/** Nearly every field. */
const FULL = {
  replicas: 5,
  version: "0.1.0",
  image: {
    repository: "registry.example.com:5000/team/kvorum",
    digest: `sha256:${"0123456789abcdef".repeat(4)}`,
    pullPolicy: "IfNotPresent",
    pullSecrets: [{ name: "registry" }],
  },
  storage: {
    persistent: { size: "10Gi", storageClassName: "fast.example.com", accessMode: "ReadWriteOncePod", ...MARKS },
    reclaim: { onDelete: "Delete", onMemberRemoval: "Retain" },
  },
  config: {
    quotaBackendBytes: "8Gi",
    autoCompaction: { mode: "periodic", retention: "12h30m" },
    snapshotCount: 5000,
    heartbeatInterval: 200,
    electionTimeout: 1000,
    maxRequestBytes: "2Mi",
    maxTxnOps: 512,
    maxConcurrentStreams: 4_294_967_295,
    metrics: "extensive",
    logLevel: "warn",
    logFormat: "console",
  },
  extraArgs: [{ name: "pre-vote", value: "true" }],
  tls: {
    client: { mode: "Mutual", source: { secretRef: { name: "client-tls" } } },
    peer: {
      mode: "Mutual",
      source: { certManager: { issuerRef: { name: "ours", kind: "ClusterIssuer", group: "cert-manager.io" } } },
    },
    certificates: {
      duration: "8760h",
      renewBefore: "24h30m",
      extraDNSNames: ["etcd.example.com", "*.etcd.example.com"],
      extraIPs: ["10.1.2.3", "fd00::1"],
    },
    extraTrust: [{ secretRef: { name: "old-ca", key: "ca.pem" } }, { configMapRef: { name: "partner-ca" } }],
  },
  service: { client: TEMPLATE, additional: [{ name: "public", ...TEMPLATE, nodePort: 32380 }] },
  pod: POD,
  probes: { startup: PROBE, liveness: PROBE, readiness: PROBE },
  disruptionBudget: { enabled: false, unhealthyPodEvictionPolicy: "AlwaysAllow" },
  update: { strategy: "OnDelete", minReadySeconds: 0, memberTimeout: "90s" },
  repair: { mode: "Manual", unhealthyAfter: "1h", unscheduledAfter: "45m", maxPerHour: 1 },
  hibernate: true,
  paused: true,
  deletionProtection: true,
  inheritedMetadata: MARKS,
} as const;

/** The other kinds of what FULL has one kind of. */
const OTHER = {
  replicas: 1,
  version: "0.1.0",
  storage: { ephemeral: { medium: "Memory", sizeLimit: "512Mi" } },
  config: { autoCompaction: { mode: "revision", retention: "10000" }, quotaBackendBytes: "100Mi" },
  tls: {
    client: { mode: "Server", source: { operatorCA: {} } },
    peer: { mode: "Mutual", source: { secretRef: { name: "peer-tls" } } },
    extraTrust: [{ configMapRef: { name: "partner-ca", key: "ca.pem" } }],
  },
  pod: {
    env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
    envFrom: [{ secretRef: { name: "more" } }],
  },
} as const;

/** What is left: authorities of the operator and of cert-manager the other way round. */
const THIRD = {
  version: "0.1.0",
  storage: { persistent: { size: "100Mi" } },
  tls: {
    client: {
      mode: "Mutual",
      source: { certManager: { issuerRef: { name: "ours", kind: "Issuer", group: "example.com" } } },
    },
    peer: { mode: "Mutual", source: { operatorCA: {} } },
  },
} as const;

/** Specs that are accepted, by name. */
export const SPECS: Readonly<Record<string, Json>> = { full: FULL, other: OTHER, third: THIRD };

const NOW = "2026-01-01T00:00:00Z";

const OPERATION = {
  id: "1",
  type: "Update",
  member: "example-0",
  step: "delete-pod",
  startedAt: NOW,
  deadline: NOW,
  attempts: 1,
  message: "replacing example-0",
} as const;

/** A status with every field. */
export const STATUS: Json = {
  observedGeneration: 3,
  phase: "Updating",
  clusterID: "00000000000000ff",
  clusterToken: "default/example/11111111-2222-3333-4444-555555555555",
  initialized: true,
  currentVersion: "0.1.0",
  targetVersion: "0.1.1",
  replicas: 3,
  readyReplicas: 2,
  voters: 3,
  learners: 0,
  updatedReplicas: 1,
  selector: "kvorum.dev/cluster=example",
  nextMemberSerial: 3,
  leader: "example-1",
  leaderChangedAt: NOW,
  dbSize: "12.5 MiB",
  quorum: { size: 2, healthy: 2, tolerates: 0 },
  members: [
    {
      name: "example-0",
      id: "0123456789abcdef",
      serial: 0,
      role: "Follower",
      health: "Alarmed",
      healthSince: NOW,
      version: "0.1.0",
      podName: "example-0",
      podUID: "11111111-2222-3333-4444-555555555555",
      nodeName: "node-1",
      zone: "zone-1",
      pvcName: "data-example-0",
      capacity: "2Gi",
      dbSize: 20480,
      dbSizeInUse: 4096,
      raftTerm: 2,
      raftIndex: 1000,
      appliedIndex: 1000,
      alarms: ["NOSPACE"],
      templateHash: "abcdef",
      lastError: "no answer within 2s",
    },
  ],
  operation: OPERATION,
  lastOperation: { ...OPERATION, result: "Succeeded", endedAt: NOW },
  certificates: [{ name: "example-peer", notAfter: NOW, caHash: "abcdef", loadedBy: ["example-0"] }],
  endpoints: { client: "https://example-client.default.svc:2379", peer: "https://example-peers.default.svc:2380" },
  handledRequests: { restart: "1" },
  repairs: [NOW],
  conditions: [
    {
      type: "Ready",
      status: "False",
      reason: "Updating",
      message: "1 of 3 members are up to date",
      observedGeneration: 3,
      lastTransitionTime: NOW,
    },
  ],
};
