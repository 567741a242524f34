import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "../../server/config/config.ts";
import { clusterWith, DEFAULTS, laterStart, rendered } from "../../test/operator/rendered.ts";
import type { EtcdCluster, EtcdClusterSpec } from "../api/etcd-cluster.ts";
import { exampleSpec } from "../api/example.ts";
import { subjectNames } from "../api/tls-names.ts";
import { memberPod } from "./pod.ts";
import { secretNeeds } from "./secret-needs.ts";
import { serverFlags } from "./server-flags.ts";
import { templateHash } from "./template-hash.ts";

/** Every optional field is there: a field that is new in the spec and in no row below does not compile. */
type Whole<T> = T extends readonly (infer Item)[]
  ? readonly Whole<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]-?: Whole<Exclude<T[Key], undefined>> }
    : T;

const METADATA = { labels: { x: "1" }, annotations: { x: "1" } };
const TEMPLATE = {
  ...METADATA,
  type: "LoadBalancer",
  trafficDistribution: "PreferClose",
  loadBalancerClass: "example.org/x",
  loadBalancerSourceRanges: ["10.0.0.0/8"],
  nodePort: 30_000,
  internalTrafficPolicy: "Local",
  ipFamilyPolicy: "PreferDualStack",
} as const;
const ISSUER = { issuerRef: { name: "issuer", kind: "Issuer", group: "cert-manager.io" } } as const;
const SOURCES = { secretRef: { name: "mine" }, certManager: ISSUER, operatorCA: {} } as const;
const MINE = { secretRef: SOURCES.secretRef };
const PROBE = { periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 3 };

/** No spec that is valid, as it has what excludes each other: a list of all leaves. */
const WHOLE: Whole<EtcdClusterSpec> = {
  replicas: 5,
  version: "9.9.9",
  image: { repository: "r", digest: "sha256:x", pullPolicy: "Always", pullSecrets: [{ name: "p" }] },
  storage: {
    persistent: { ...METADATA, size: "3Gi", storageClassName: "fast", accessMode: "ReadWriteOncePod" },
    ephemeral: { medium: "Memory", sizeLimit: "1Gi" },
    reclaim: { onDelete: "Delete", onMemberRemoval: "Retain" },
  },
  config: {
    quotaBackendBytes: "1Gi",
    autoCompaction: { mode: "revision", retention: "100" },
    snapshotCount: 5,
    heartbeatInterval: 50,
    electionTimeout: 500,
    maxRequestBytes: "1Mi",
    maxTxnOps: 7,
    maxConcurrentStreams: 9,
    metrics: "extensive",
    logLevel: "warn",
    logFormat: "console",
  },
  extraArgs: [{ name: "pre-vote", value: "false" }],
  tls: {
    client: { mode: "Mutual", source: SOURCES },
    peer: { mode: "Mutual", source: SOURCES },
    certificates: { duration: "48h", renewBefore: "12h", extraDNSNames: ["a.example.org"], extraIPs: ["192.0.2.1"] },
    extraTrust: [{ secretRef: { name: "s", key: "k" }, configMapRef: { name: "c", key: "k" } }],
  },
  service: { client: TEMPLATE, additional: [{ name: "more", ...TEMPLATE }] },
  pod: {
    ...METADATA,
    resources: { limits: { memory: "1Gi" } },
    nodeSelector: { disk: "ssd" },
    tolerations: [{ key: "x" }],
    affinity: { nodeAffinity: {} },
    antiAffinity: { type: "Required", topologyKey: "rack" },
    topologySpreadConstraints: [{ maxSkew: 2 }],
    priorityClassName: "high",
    serviceAccountName: "account",
    podSecurityContext: { runAsUser: 7 },
    securityContext: { runAsUser: 8 },
    env: [{ name: "A", value: "b" }],
    envFrom: [{ secretRef: { name: "s" } }],
    extraVolumes: [{ name: "v" }],
    extraVolumeMounts: [{ name: "v" }],
    sidecars: [{ name: "s" }],
    runtimeClassName: "gvisor",
    schedulerName: "other",
    terminationGracePeriodSeconds: 17,
  },
  probes: { startup: PROBE, liveness: PROBE, readiness: PROBE },
  disruptionBudget: { enabled: false, unhealthyPodEvictionPolicy: "AlwaysAllow" },
  update: { strategy: "OnDelete", minReadySeconds: 1, memberTimeout: "1m" },
  repair: { mode: "Manual", unhealthyAfter: "1m", unscheduledAfter: "1m", maxPerHour: 1 },
  hibernate: true,
  paused: true,
  deletionProtection: true,
  inheritedMetadata: METADATA,
};

/** Handed on as they are: what is in them is Kubernetes' affair. */
const HANDED_ON =
  /^(?:.*\.)?(?:labels|annotations|resources|nodeSelector|affinity|operatorCA|podSecurityContext|securityContext)$/;

function* leavesOf(value: unknown, path: string): Generator<string> {
  if (Array.isArray(value)) {
    const [first] = value as unknown[];
    if (/^pod\./.test(path) || typeof first !== "object") yield path;
    else yield* leavesOf(first, path);
  } else if (typeof value === "object" && value !== null && !HANDED_ON.test(path))
    for (const [key, one] of Object.entries(value)) yield* leavesOf(one, path === "" ? key : `${path}.${key}`);
  else yield path;
}

type Look = (cluster: EtcdCluster) => unknown;
/** The changes that set the leaf, where its effect is looked for, and what is found there. */
type Row = readonly [changes: Partial<EtcdClusterSpec>, look: Look, expected: unknown];

const json = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));
// biome-ignore lint/suspicious/noExplicitAny: objects of Kubernetes are looked into freely
type Any = any;
const kind =
  (name: string, at = 0) =>
  (cluster: EtcdCluster): Any =>
    (json(rendered(cluster)) as Any[]).filter((one) => one.kind === name)[at];
const pod = (cluster: EtcdCluster): Any => json(memberPod(cluster, laterStart(cluster), DEFAULTS));
const server = (cluster: EtcdCluster): Any => pod(cluster).spec.containers[0];
const config = (cluster: EtcdCluster): Any => {
  const invocation = readConfig(serverFlags(cluster, laterStart(cluster), DEFAULTS), {});
  assert.equal(invocation.kind, "serve");
  return invocation.kind === "serve" ? invocation.config : undefined;
};
const claim = kind("PersistentVolumeClaim");
const budget = kind("PodDisruptionBudget");
const request = kind("Certificate");
/** After the peers'. */
const clientSvc = kind("Service", 1);
const moreSvc = kind("Service", 2);

const spec = exampleSpec();
const configOf = (changes: Partial<EtcdClusterSpec["config"]>) => ({ config: { ...spec.config, ...changes } });
const podOf = (changes: Partial<EtcdClusterSpec["pod"]>) => ({ pod: { ...spec.pod, ...changes } });
const storageOf = (persistent: object) => ({
  storage: { ...spec.storage, persistent: { size: "2Gi", accessMode: "ReadWriteOnce" as const, ...persistent } },
});
const ephemeral = (changes: object) => ({
  storage: { reclaim: spec.storage.reclaim, ephemeral: { medium: "" as const, ...changes } },
});
const clientTls = (mode: "Server" | "Mutual", source: object, more: object = {}) => ({
  tls: { ...spec.tls, client: { mode, source }, ...more },
});
const peerTls = (source: object) => ({ tls: { ...spec.tls, peer: { mode: "Mutual" as const, source } } });
const issued = (certificates: object) =>
  clientTls("Server", { certManager: ISSUER }, { certificates: { ...spec.tls.certificates, ...certificates } });
const issuer = (changes: object) => ({ certManager: { issuerRef: { ...ISSUER.issuerRef, ...changes } } });
const serviceOf = (changes: object) => ({ service: { client: { type: "ClusterIP" as const, ...changes } } });
const addedOf = (changes: object) => ({
  service: { ...spec.service, additional: [{ name: "more", type: "ClusterIP" as const, ...changes }] },
});
const probesOf = (name: keyof EtcdClusterSpec["probes"], changes: object) => ({
  probes: { ...spec.probes, [name]: { ...spec.probes[name], ...changes } },
});
const imageOf = (image: EtcdClusterSpec["image"] & object) => ({ image });
const needs = (cluster: EtcdCluster) => secretNeeds(cluster).map(({ name, by }) => `${name} by ${by}`);

/** The same for the Service that every cluster has and for one more. */
function serviceRows(
  prefix: string,
  change: (fields: object) => Partial<EtcdClusterSpec>,
  look: Look,
): [string, Row][] {
  const balancer = (fields: object) => change({ type: "LoadBalancer", ...fields });
  const at = (get: (service: Any) => unknown) => (cluster: EtcdCluster) => get(look(cluster));
  return [
    [`${prefix}.type`, [change({ type: "NodePort" }), at((one) => one.spec.type), "NodePort"]],
    [`${prefix}.labels`, [change({ labels: { x: "1" } }), at((one) => one.metadata.labels.x), "1"]],
    [`${prefix}.annotations`, [change({ annotations: { x: "1" } }), at((one) => one.metadata.annotations.x), "1"]],
    [
      `${prefix}.trafficDistribution`,
      [change({ trafficDistribution: "PreferClose" }), at((one) => one.spec.trafficDistribution), "PreferClose"],
    ],
    [
      `${prefix}.loadBalancerClass`,
      [balancer({ loadBalancerClass: "a/b" }), at((one) => one.spec.loadBalancerClass), "a/b"],
    ],
    [
      `${prefix}.loadBalancerSourceRanges`,
      [
        balancer({ loadBalancerSourceRanges: ["10.0.0.0/8"] }),
        at((one) => one.spec.loadBalancerSourceRanges),
        ["10.0.0.0/8"],
      ],
    ],
    [`${prefix}.nodePort`, [balancer({ nodePort: 30_001 }), at((one) => one.spec.ports[0].nodePort), 30_001]],
    [
      `${prefix}.internalTrafficPolicy`,
      [change({ internalTrafficPolicy: "Local" }), at((one) => one.spec.internalTrafficPolicy), "Local"],
    ],
    [
      `${prefix}.ipFamilyPolicy`,
      [change({ ipFamilyPolicy: "RequireDualStack" }), at((one) => one.spec.ipFamilyPolicy), "RequireDualStack"],
    ],
  ];
}

function probeRows(name: keyof EtcdClusterSpec["probes"]): [string, Row][] {
  return (["periodSeconds", "timeoutSeconds", "failureThreshold"] as const).map((field) => [
    `probes.${name}.${field}`,
    [probesOf(name, { [field]: 13 }), (cluster) => server(cluster)[`${name}Probe`][field], 13],
  ]);
}

/** `field` of a Pod's spec is what `spec.pod` says. */
function podRow(field: keyof EtcdClusterSpec["pod"], value: unknown, look: (pod: Any) => unknown): [string, Row] {
  return [`pod.${field}`, [podOf({ [field]: value }), (cluster) => look(pod(cluster).spec), value]];
}

const last = (list: Any[]): Any => list.at(-1);

const ROWS: ReadonlyMap<string, Row> = new Map<string, Row>([
  ["version", [{ version: "9.9.9" }, (c) => server(c).image, "registry.example/kvorum:9.9.9"]],
  ["replicas", [{ replicas: 5 }, (c) => budget(c).spec.minAvailable, 3]],
  ["image.repository", [imageOf({ repository: "r.example/x" }), (c) => server(c).image, "r.example/x:0.1.0"]],
  ["image.digest", [imageOf({ digest: "sha256:ab" }), (c) => server(c).image, "registry.example/kvorum@sha256:ab"]],
  ["image.pullPolicy", [imageOf({ pullPolicy: "Never" }), (c) => server(c).imagePullPolicy, "Never"]],
  [
    "image.pullSecrets.name",
    [imageOf({ pullSecrets: [{ name: "p" }] }), (c) => pod(c).spec.imagePullSecrets, [{ name: "p" }]],
  ],
  ["storage.persistent.size", [storageOf({ size: "3Gi" }), (c) => claim(c).spec.resources.requests.storage, "3Gi"]],
  [
    "storage.persistent.storageClassName",
    [storageOf({ storageClassName: "f" }), (c) => claim(c).spec.storageClassName, "f"],
  ],
  [
    "storage.persistent.accessMode",
    [storageOf({ accessMode: "ReadWriteOncePod" }), (c) => claim(c).spec.accessModes, ["ReadWriteOncePod"]],
  ],
  ["storage.persistent.labels", [storageOf({ labels: { x: "1" } }), (c) => claim(c).metadata.labels.x, "1"]],
  [
    "storage.persistent.annotations",
    [storageOf({ annotations: { x: "1" } }), (c) => claim(c).metadata.annotations.x, "1"],
  ],
  [
    "storage.ephemeral.medium",
    [ephemeral({ medium: "Memory" }), (c) => pod(c).spec.volumes[0].emptyDir, { medium: "Memory" }],
  ],
  [
    "storage.ephemeral.sizeLimit",
    [ephemeral({ sizeLimit: "1Gi" }), (c) => pod(c).spec.volumes[0].emptyDir, { sizeLimit: "1Gi" }],
  ],
  [
    "storage.reclaim.onDelete",
    [
      { storage: { ...spec.storage, reclaim: { ...spec.storage.reclaim, onDelete: "Delete" } } },
      (c) => claim(c).metadata.ownerReferences?.[0].kind,
      "EtcdCluster",
    ],
  ],
  ["config.quotaBackendBytes", [configOf({ quotaBackendBytes: "1Gi" }), (c) => config(c).quotaBytes, 2 ** 30]],
  [
    "config.autoCompaction.mode",
    [
      configOf({ autoCompaction: { mode: "revision", retention: "100" } }),
      (c) => config(c).autoCompaction,
      { mode: "revision", retainRevisions: 100 },
    ],
  ],
  [
    "config.autoCompaction.retention",
    [
      configOf({ autoCompaction: { mode: "periodic", retention: "2h" } }),
      (c) => config(c).autoCompaction,
      { mode: "periodic", periodMs: 7_200_000 },
    ],
  ],
  ["config.snapshotCount", [configOf({ snapshotCount: 5 }), (c) => config(c).snapshotCount, 5]],
  ["config.heartbeatInterval", [configOf({ heartbeatInterval: 50 }), (c) => config(c).heartbeatMs, 50]],
  ["config.electionTimeout", [configOf({ electionTimeout: 3000 }), (c) => config(c).electionMs, 3000]],
  ["config.maxRequestBytes", [configOf({ maxRequestBytes: "1Mi" }), (c) => config(c).maxRequestBytes, 2 ** 20]],
  ["config.maxTxnOps", [configOf({ maxTxnOps: 7 }), (c) => config(c).maxTxnOps, 7]],
  ["config.maxConcurrentStreams", [configOf({ maxConcurrentStreams: 9 }), (c) => config(c).maxConcurrentStreams, 9]],
  ["config.metrics", [configOf({ metrics: "extensive" }), (c) => config(c).metrics, "extensive"]],
  ["config.logLevel", [configOf({ logLevel: "warn" }), (c) => config(c).logLevel, "warn"]],
  ["config.logFormat", [configOf({ logFormat: "console" }), (c) => config(c).logFormat, "console"]],
  ["extraArgs.name", [{ extraArgs: [{ name: "pre-vote", value: "false" }] }, (c) => config(c).preVote, false]],
  ["extraArgs.value", [{ extraArgs: [{ name: "pre-vote", value: "0" }] }, (c) => last(server(c).args), "--pre-vote=0"]],
  ["tls.client.mode", [clientTls("Server", { operatorCA: {} }), (c) => config(c).clientUrls.listen[0].scheme, "https"]],
  [
    "tls.client.source.secretRef.name",
    [clientTls("Server", MINE), needs, ["mine by person", "example-server-tls by operator"]],
  ],
  [
    "tls.client.source.certManager.issuerRef.name",
    [clientTls("Server", issuer({ name: "i" })), (c) => request(c).spec.issuerRef.name, "i"],
  ],
  [
    "tls.client.source.certManager.issuerRef.kind",
    [clientTls("Server", issuer({ kind: "ClusterIssuer" })), (c) => request(c).spec.issuerRef.kind, "ClusterIssuer"],
  ],
  [
    "tls.client.source.certManager.issuerRef.group",
    [clientTls("Server", issuer({ group: "g" })), (c) => request(c).spec.issuerRef.group, "g"],
  ],
  [
    "tls.client.source.operatorCA",
    [
      clientTls("Server", { operatorCA: {} }),
      needs,
      ["example-client-ca by operator", "example-server-tls by operator"],
    ],
  ],
  ["tls.peer.mode", [peerTls({ operatorCA: {} }), (c) => config(c).peerUrls.listen[0].scheme, "https"]],
  ["tls.peer.source.secretRef.name", [peerTls(MINE), needs, ["mine by person", "example-peer-tls by operator"]]],
  [
    "tls.peer.source.certManager.issuerRef.name",
    [peerTls(issuer({ name: "i" })), (c) => request(c).spec.issuerRef.name, "i"],
  ],
  [
    "tls.peer.source.certManager.issuerRef.kind",
    [peerTls(issuer({ kind: "ClusterIssuer" })), (c) => request(c).spec.issuerRef.kind, "ClusterIssuer"],
  ],
  [
    "tls.peer.source.certManager.issuerRef.group",
    [peerTls(issuer({ group: "g" })), (c) => request(c).spec.issuerRef.group, "g"],
  ],
  [
    "tls.peer.source.operatorCA",
    [peerTls({ operatorCA: {} }), needs, ["example-peer-ca by operator", "example-peer-tls by operator"]],
  ],
  ["tls.certificates.duration", [issued({ duration: "48h" }), (c) => request(c).spec.duration, "48h"]],
  ["tls.certificates.renewBefore", [issued({ renewBefore: "12h" }), (c) => request(c).spec.renewBefore, "12h"]],
  [
    "tls.certificates.extraDNSNames",
    [issued({ extraDNSNames: ["a.example.org"] }), (c) => last(request(c).spec.dnsNames), "a.example.org"],
  ],
  [
    "tls.certificates.extraIPs",
    [issued({ extraIPs: ["192.0.2.1"] }), (c) => last(request(c).spec.ipAddresses), "192.0.2.1"],
  ],
  [
    "tls.extraTrust.secretRef.name",
    [
      clientTls("Mutual", { operatorCA: {} }, { extraTrust: [{ secretRef: { name: "old", key: "k" } }] }),
      (c) => needs(c).includes("old by person"),
      true,
    ],
  ],
  ["service.additional.name", [addedOf({ name: "outside" }), (c) => moreSvc(c).metadata.name, "example-outside"]],
  ...serviceRows("service.client", serviceOf, clientSvc),
  ...serviceRows("service.additional", addedOf, moreSvc),
  ["pod.labels", [podOf({ labels: { x: "1" } }), (c) => pod(c).metadata.labels.x, "1"]],
  ["pod.annotations", [podOf({ annotations: { x: "1" } }), (c) => pod(c).metadata.annotations.x, "1"]],
  podRow("resources", { limits: { memory: "1Gi" } }, (one) => one.containers[0].resources),
  podRow("nodeSelector", { disk: "ssd" }, (one) => one.nodeSelector),
  podRow("tolerations", [{ key: "x", operator: "Exists" }], (one) => one.tolerations),
  [
    "pod.affinity",
    [podOf({ affinity: { nodeAffinity: { a: 1 } } }), (c) => pod(c).spec.affinity.nodeAffinity, { a: 1 }],
  ],
  [
    "pod.antiAffinity.type",
    [
      podOf({ antiAffinity: { type: "Required", topologyKey: "rack" } }),
      (c) => Object.keys(pod(c).spec.affinity.podAntiAffinity),
      ["requiredDuringSchedulingIgnoredDuringExecution"],
    ],
  ],
  [
    "pod.antiAffinity.topologyKey",
    [
      podOf({ antiAffinity: { type: "Preferred", topologyKey: "rack" } }),
      (c) =>
        pod(c).spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm
          .topologyKey,
      "rack",
    ],
  ],
  [
    "pod.topologySpreadConstraints",
    [
      podOf({ topologySpreadConstraints: [{ maxSkew: 2, topologyKey: "rack" }] }),
      (c) => pod(c).spec.topologySpreadConstraints[0].maxSkew,
      2,
    ],
  ],
  podRow("priorityClassName", "high", (one) => one.priorityClassName),
  podRow("serviceAccountName", "account", (one) => one.serviceAccountName),
  [
    "pod.podSecurityContext",
    [podOf({ podSecurityContext: { runAsUser: 7 } }), (c) => pod(c).spec.securityContext.runAsUser, 7],
  ],
  [
    "pod.securityContext",
    [podOf({ securityContext: { runAsUser: 8 } }), (c) => server(c).securityContext.runAsUser, 8],
  ],
  podRow("env", [{ name: "A", value: "b" }], (one) => one.containers[0].env),
  podRow("envFrom", [{ secretRef: { name: "s" } }], (one) => one.containers[0].envFrom),
  podRow("extraVolumes", [{ name: "v", configMap: { name: "m" } }], (one) => one.volumes.slice(1)),
  podRow("extraVolumeMounts", [{ name: "v", mountPath: "/v" }], (one) => one.containers[0].volumeMounts.slice(1)),
  podRow("sidecars", [{ name: "s", image: "i" }], (one) => one.containers.slice(1)),
  podRow("runtimeClassName", "gvisor", (one) => one.runtimeClassName),
  podRow("schedulerName", "other", (one) => one.schedulerName),
  podRow("terminationGracePeriodSeconds", 17, (one) => one.terminationGracePeriodSeconds),
  ...probeRows("startup"),
  ...probeRows("liveness"),
  ...probeRows("readiness"),
  [
    "disruptionBudget.enabled",
    [{ disruptionBudget: { ...spec.disruptionBudget, enabled: false } }, (c) => budget(c), undefined],
  ],
  [
    "disruptionBudget.unhealthyPodEvictionPolicy",
    [
      { disruptionBudget: { enabled: true, unhealthyPodEvictionPolicy: "AlwaysAllow" } },
      (c) => budget(c).spec.unhealthyPodEvictionPolicy,
      "AlwaysAllow",
    ],
  ],
  [
    "inheritedMetadata.labels",
    [
      { inheritedMetadata: { labels: { x: "1" } } },
      (c) => rendered(c).map((one) => (one as Any).metadata.labels.x),
      ["1", "1", "1", "1", "1", "1"],
    ],
  ],
  [
    "inheritedMetadata.annotations",
    [
      { inheritedMetadata: { annotations: { x: "1" } } },
      (c) => rendered(c).map((one) => (one as Any).metadata.annotations.x),
      ["1", "1", "1", "1", "1", "1"],
    ],
  ],
]);

/** Leaves that say what the operator does, and change no object: who reads them shows their effect. */
const ELSEWHERE: readonly string[] = [
  "storage.reclaim.onMemberRemoval",
  // The authorities themselves are read where certificates are made: certificates/work.test.ts.
  "tls.extraTrust.secretRef.key",
  "tls.extraTrust.configMapRef.name",
  "tls.extraTrust.configMapRef.key",
  "update.strategy",
  "update.minReadySeconds",
  "update.memberTimeout",
  "repair.mode",
  "repair.unhealthyAfter",
  "repair.unscheduledAfter",
  "repair.maxPerHour",
  "hibernate",
  "paused",
  "deletionProtection",
];

test("every leaf of the spec has a row here, or is acted on elsewhere", () => {
  assert.deepEqual([...new Set(leavesOf(WHOLE, ""))].sort(), [...ROWS.keys(), ...ELSEWHERE].sort());
});

for (const [path, [changes, look, expected]] of ROWS) {
  test(`spec.${path} has an effect`, () => {
    assert.deepEqual(look(clusterWith(changes)), expected);
    assert.notDeepEqual(lookSafely(look, clusterWith()), expected, "without it there is something else");
  });
}

/** What is not there at all without the leaf cannot be looked into. */
function lookSafely(look: Look, cluster: EtcdCluster): unknown {
  try {
    return look(cluster);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

test("what only the operator acts on changes no object and restarts nobody", () => {
  const { update, repair, hibernate, paused, deletionProtection } = WHOLE;
  const cluster = clusterWith({ update, repair, hibernate, paused, deletionProtection });
  const withoutRecord = (one: EtcdCluster) => rendered(one).slice(1);
  assert.deepEqual(withoutRecord(cluster), withoutRecord(clusterWith()));
  assert.equal(templateHash(cluster, DEFAULTS), templateHash(clusterWith(), DEFAULTS));
});

test("the names of a certificate follow from the spec, and long ones are no common name", () => {
  const names = subjectNames(clusterWith(issued({ extraDNSNames: ["a.example.org", "localhost"] })), "server");
  assert.deepEqual(names.dnsNames, [
    "example-client",
    "example-client.default",
    "example-client.default.svc",
    "example-client.default.svc.cluster.local",
    "*.example-peers.default",
    "*.example-peers.default.svc",
    "*.example-peers.default.svc.cluster.local",
    "localhost",
    "a.example.org",
  ]);
  for (const purpose of ["server", "peer", "operator"] as const)
    assert.ok(subjectNames(clusterWith(), purpose).commonName.length <= 64);
});
