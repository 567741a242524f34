/** Sets of values that the chart must make sense of, and some that it must refuse, with what helm says then. */

export interface Accepted {
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
}

export interface Refused extends Accepted {
  readonly says: RegExp;
}

const MONITORS = { serviceMonitor: { enabled: true, labels: { team: "a" } }, podMonitor: { enabled: true } };

export const ACCEPTED: readonly Accepted[] = [
  { name: "default", values: {} },
  {
    name: "everything",
    values: {
      replicaCount: 2,
      watchNamespaces: ["blue", "green"],
      commonLabels: { team: "a" },
      commonAnnotations: { note: "b" },
      global: { imageRegistry: "registry.example/x", imagePullSecrets: [{ name: "pull" }] },
      image: { tag: "1.2.3", digest: `sha256:${"0".repeat(64)}`, pullSecrets: [{ name: "pull" }, { name: "other" }] },
      serviceAccount: { annotations: { "example/role": "c" } },
      rbac: { aggregate: true, certManager: true },
      metrics: MONITORS,
      networkPolicy: { enabled: true, metricsFrom: [{ namespaceSelector: {} }], extraEgress: [{}] },
      podAnnotations: { d: "e" },
      podLabels: { "app.kubernetes.io/component": "stolen", f: "g" },
      nodeSelector: { h: "i" },
      tolerations: [{ key: "j", operator: "Exists" }],
      topologySpreadConstraints: [],
      priorityClassName: "high",
      runtimeClassName: "kata",
      hostNetwork: true,
      dnsPolicy: "ClusterFirstWithHostNet",
      extraArgs: ["--log-level=debug"],
      extraEnv: [{ name: "K", value: "l" }],
      extraEnvFrom: [{ configMapRef: { name: "m" } }],
      extraVolumes: [{ name: "n", emptyDir: {} }],
      extraVolumeMounts: [{ name: "n", mountPath: "/n" }],
      extraObjects: [
        {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name: "{{ .Release.Name }}-o", namespace: "{{ .Release.Namespace }}" },
        },
      ],
    },
  },
  { name: "all-namespaces", values: { watchAllNamespaces: true } },
  {
    name: "bare",
    values: {
      replicaCount: 0,
      crds: { install: false },
      rbac: { create: false },
      serviceAccount: { create: false, name: "given" },
      admissionPolicies: { deletionProtection: false },
      metrics: { service: { enabled: false } },
      leaderElection: { enabled: false },
      tests: { enabled: false },
    },
  },
  {
    name: "names",
    values: {
      fullnameOverride: "x".repeat(63),
      nameOverride: "short",
      namespaceOverride: "elsewhere",
      crds: { keep: false },
    },
  },
  {
    name: "reads-nothing-outside",
    values: { rbac: { nodes: false, storageClasses: false }, watchNamespaces: ["blue"] },
  },
];

export const REFUSED: readonly Refused[] = [
  { name: "an unknown key", values: { replicas: 2 }, says: /replicas/ },
  { name: "an unknown key below", values: { image: { repo: "x" } }, says: /repo/ },
  { name: "a number as text", values: { replicaCount: "2" }, says: /replicaCount/ },
  { name: "a wrong choice", values: { image: { pullPolicy: "Sometimes" } }, says: /pullPolicy/ },
  { name: "half a digest", values: { image: { digest: "sha256:12" } }, says: /digest/ },
  { name: "no concurrency", values: { operator: { concurrency: 0 } }, says: /concurrency/ },
  { name: "an empty repository", values: { etcdImage: { repository: "" } }, says: /repository/ },
  { name: "all and some namespaces", values: { watchAllNamespaces: true, watchNamespaces: ["a"] }, says: /choose one/ },
  { name: "two that both act", values: { replicaCount: 2, leaderElection: { enabled: false } }, says: /two operators/ },
  {
    name: "a ServiceMonitor without a Service",
    values: { metrics: { service: { enabled: false }, serviceMonitor: { enabled: true } } },
    says: /needs metrics\.service\.enabled/,
  },
];
