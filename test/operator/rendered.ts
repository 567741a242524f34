/** Clusters that tests of objects share, and all objects of a cluster as the operator wants them. */
import type { EtcdCluster, EtcdClusterSpec } from "../../operator/api/etcd-cluster.ts";
import { exampleCluster, exampleSpec } from "../../operator/api/example.ts";
import { quorumOf } from "../../operator/plan/quorum.ts";
import { acceptedSpecMap } from "../../operator/resources/accepted-spec.ts";
import { certificateRequests } from "../../operator/resources/certificate-request.ts";
import { additionalServices, clientService } from "../../operator/resources/client-service.ts";
import { disruptionBudget } from "../../operator/resources/disruption-budget.ts";
import { clusterToken, type MemberStart, type OperatorDefaults, peerUrl } from "../../operator/resources/member.ts";
import { peerService } from "../../operator/resources/peer-service.ts";
import { memberPod } from "../../operator/resources/pod.ts";
import { volumeClaim } from "../../operator/resources/volume-claim.ts";

export const DEFAULTS: OperatorDefaults = { serverImage: "registry.example/kvorum" };

export function clusterWith(changes: Partial<EtcdClusterSpec> = {}): EtcdCluster {
  return exampleCluster({ spec: exampleSpec(changes) });
}

/** The first start of the seed, unless `changes` say else. */
export function startOf(cluster: EtcdCluster, changes: Partial<MemberStart> = {}): MemberStart {
  const member = `${cluster.metadata.name}-0`;
  return {
    member,
    start: "new",
    expectsData: false,
    initialCluster: [{ name: member, peerUrl: peerUrl(cluster, member) }],
    token: clusterToken(cluster),
    memberId: undefined,
    role: undefined,
    certificateHash: undefined,
    ...changes,
  };
}

/** The third member of a cluster that has been running for long. */
export function laterStart(cluster: EtcdCluster): MemberStart {
  const { name } = cluster.metadata;
  const members = [0, 1, 2].map((serial) => `${name}-${serial}`);
  return startOf(cluster, {
    member: `${name}-2`,
    start: "existing",
    expectsData: true,
    initialCluster: members.map((member) => ({ name: member, peerUrl: peerUrl(cluster, member) })),
    memberId: "8e9e05c52164694d",
    role: "voter",
    certificateHash: "0123456789abcdef",
  });
}

/** Everything, in the order in which it is made. */
export function rendered(cluster: EtcdCluster): readonly object[] {
  const { replicas, disruptionBudget: asked } = cluster.spec;
  const least = asked.enabled && replicas > 1 ? quorumOf(replicas) : undefined;
  const start = laterStart(cluster);
  const isPersistent = cluster.spec.storage.persistent !== undefined;
  return [
    acceptedSpecMap(cluster, cluster.spec),
    peerService(cluster),
    clientService(cluster),
    ...additionalServices(cluster),
    ...certificateRequests(cluster),
    ...(least === undefined ? [] : [disruptionBudget(cluster, least)]),
    ...(isPersistent
      ? [volumeClaim(cluster, { member: start.member, state: "ready", clusterId: "cdf818194e3a8c32" })]
      : []),
    memberPod(cluster, start, DEFAULTS),
  ];
}

/** Nothing but what must be said. */
export const SMALL: EtcdCluster = clusterWith();

/** Between clients and members, and among members, certificates of three sources and more. */
export const TLS: EtcdCluster = clusterWith({
  tls: {
    client: {
      mode: "Mutual",
      source: { certManager: { issuerRef: { name: "corporate", kind: "ClusterIssuer", group: "cert-manager.io" } } },
    },
    peer: { mode: "Mutual", source: { operatorCA: {} } },
    certificates: {
      duration: "720h",
      renewBefore: "240h",
      extraDNSNames: ["etcd.example.org"],
      extraIPs: ["192.0.2.7", "2001:db8::7"],
    },
    extraTrust: [{ configMapRef: { name: "partners", key: "ca.crt" } }, { secretRef: { name: "old", key: "ca.crt" } }],
  },
});

/** Every field that does not exclude another. */
export const FULL: EtcdCluster = clusterWith({
  replicas: 5,
  version: "1.2.3",
  image: {
    repository: "registry.example.org/team/kvorum",
    digest: `sha256:${"ab".repeat(32)}`,
    pullPolicy: "Always",
    pullSecrets: [{ name: "registry" }],
  },
  storage: {
    persistent: {
      size: "20Gi",
      storageClassName: "fast",
      accessMode: "ReadWriteOncePod",
      labels: { disk: "fast" },
      annotations: { "backup.example.org/skip": "true" },
    },
    reclaim: { onDelete: "Delete", onMemberRemoval: "Retain" },
  },
  config: {
    quotaBackendBytes: "8Gi",
    autoCompaction: { mode: "periodic", retention: "1h" },
    snapshotCount: 50_000,
    heartbeatInterval: 200,
    electionTimeout: 2000,
    maxRequestBytes: "2Mi",
    maxTxnOps: 256,
    maxConcurrentStreams: 1000,
    metrics: "extensive",
    logLevel: "debug",
    logFormat: "console",
  },
  extraArgs: [{ name: "value-cache-bytes", value: "1048576" }],
  tls: {
    client: { mode: "Server", source: { secretRef: { name: "my-certificate" } } },
    peer: { mode: "Mutual", source: { operatorCA: {} } },
    certificates: { duration: "2160h", renewBefore: "720h" },
  },
  service: {
    client: { type: "ClusterIP", trafficDistribution: "PreferClose", internalTrafficPolicy: "Cluster" },
    additional: [
      {
        name: "outside",
        type: "LoadBalancer",
        labels: { reach: "outside" },
        annotations: { "balancer.example.org/size": "small" },
        loadBalancerClass: "example.org/balancer",
        loadBalancerSourceRanges: ["203.0.113.0/24"],
        nodePort: 31_379,
        ipFamilyPolicy: "PreferDualStack",
      },
    ],
  },
  pod: {
    labels: { tier: "store" },
    annotations: { "example.org/note": "looked after" },
    resources: { requests: { cpu: "500m", memory: "1Gi" }, limits: { memory: "2Gi" } },
    nodeSelector: { disk: "ssd" },
    tolerations: [{ key: "dedicated", operator: "Equal", value: "store", effect: "NoSchedule" }],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/arch", operator: "In", values: ["amd64"] }] }],
        },
      },
    },
    antiAffinity: { type: "Required", topologyKey: "kubernetes.io/hostname" },
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: "topology.kubernetes.io/zone", whenUnsatisfiable: "DoNotSchedule" },
    ],
    priorityClassName: "system-cluster-critical",
    serviceAccountName: "store",
    podSecurityContext: { runAsUser: 1001, runAsGroup: 1001, fsGroup: 1001 },
    securityContext: { runAsUser: 1001 },
    env: [{ name: "NODE_OPTIONS", value: "--trace-warnings" }],
    envFrom: [{ configMapRef: { name: "settings" } }],
    extraVolumes: [{ name: "extra", configMap: { name: "extra" } }],
    extraVolumeMounts: [{ name: "extra", mountPath: "/etc/extra", readOnly: true }],
    sidecars: [
      {
        name: "exporter",
        image: "registry.example.org/exporter:1",
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
    ],
    runtimeClassName: "gvisor",
    schedulerName: "own-scheduler",
    terminationGracePeriodSeconds: 90,
  },
  inheritedMetadata: { labels: { team: "storage" }, annotations: { "example.org/owner": "storage@example.org" } },
});
