/** EtcdClusters as the suite makes them and looks at them. */
import type { Condition, EtcdClusterStatus } from "../../../operator/api/etcd-cluster.ts";
import { ANNOTATIONS, API_VERSION, LABELS } from "../../../operator/api/names.ts";
import { TODAY } from "./images.ts";
import { type Kube, type Thing, until } from "./kube.ts";
import { FIELD } from "./suite.ts";

/** Of the client certificates of tests, which the members of the load's cluster are told to trust. */
export const AUTHORITY_MAP = "load-authority";

/** Patient enough for a slow machine, and quick enough for a test. */
const QUICK = {
  update: { minReadySeconds: 2, memberTimeout: "90s" },
  repair: { unhealthyAfter: "30s", unscheduledAfter: "10m", maxPerHour: 20 },
  // As patient as by default, and asked more often: by default a member waits some seconds of each start for the kubelet.
  probes: { startup: { periodSeconds: 2, failureThreshold: 900 }, readiness: { periodSeconds: 2 } },
};

const TLS = {
  client: {
    mode: "Mutual",
    source: { operatorCA: {} },
  },
  peer: { mode: "Mutual", source: { operatorCA: {} } },
  extraTrust: [{ configMapRef: { name: AUTHORITY_MAP, key: "ca.crt" } }],
};

/** A cluster as the suite's steps find it and leave it behind. `changes` replace whole fields of the spec. */
export function clusterObject(name: string, changes: object = {}): object {
  return {
    apiVersion: API_VERSION,
    kind: "EtcdCluster",
    metadata: { name, namespace: FIELD },
    spec: {
      replicas: 3,
      version: TODAY,
      storage: { persistent: { size: "1Gi" }, reclaim: { onDelete: "Delete" } },
      ...QUICK,
      ...changes,
    },
  };
}

/** The cluster that bears the load: TLS everywhere, clients of another authority let in. */
export function loadCluster(name: string): object {
  return clusterObject(name, { tls: TLS });
}

/** Puts back what steps change of the load's cluster; absent fields are taken out. */
export const AS_IT_WAS = {
  spec: {
    replicas: 3,
    version: TODAY,
    image: null,
    extraArgs: null,
    config: { logLevel: "info" },
    pod: { sidecars: null, labels: null },
    hibernate: false,
    ...QUICK,
  },
};

export function statusOf(cluster: Thing | undefined): Partial<EtcdClusterStatus> {
  return (cluster?.["status"] ?? {}) as Partial<EtcdClusterStatus>;
}

export function conditionOf(cluster: Thing | undefined, type: string): Condition | undefined {
  return statusOf(cluster).conditions?.find((one) => one.type === type);
}

/** Ready, and said of the spec as it is now. */
export function isReady(cluster: Thing | undefined): boolean {
  const ready = conditionOf(cluster, "Ready");
  return ready?.status === "True" && ready.observedGeneration === cluster?.metadata.generation;
}

/** Waits for it; an Error tells what the conditions say instead. */
export async function becomesReady(kube: Kube, name: string, seconds: number): Promise<Thing> {
  let last: Thing | undefined;
  try {
    return await until(`${name} Ready`, seconds, async () => {
      last = await kube.get("clusters", FIELD, name);
      return isReady(last) ? last : undefined;
    });
  } catch (error) {
    throw new Error(`${(error as Error).message}: ${conditionWords(last)}`);
  }
}

/** For people. */
export function conditionWords(cluster: Thing | undefined): string {
  if (cluster === undefined) return "it is not there";
  const { phase, operation, conditions = [] } = statusOf(cluster);
  const told = conditions.map((one) => `${one.type}=${one.status} ${one.reason}: ${one.message}`);
  return `phase ${phase}, doing ${operation?.type} ${operation?.step} ${operation?.member ?? ""}; ${told.join("; ")}`;
}

/** Pods of a cluster's members, by name. */
export function podsOf(kube: Kube, cluster: string): Promise<readonly Thing[]> {
  return kube.list("pods", FIELD, `${LABELS.cluster}=${cluster},${LABELS.member}`);
}

export function claimsOf(kube: Kube, cluster: string): Promise<readonly Thing[]> {
  return kube.list("claims", FIELD, `${LABELS.cluster}=${cluster}`);
}

/** Each Pod's own uid, and how often its containers were started again: what tells a Pod from its successor. */
export function livesOf(pods: readonly Thing[]): Readonly<Record<string, string>> {
  const lives = pods.map(({ metadata, ...pod }) => [metadata.name, `${metadata.uid} +${restartsOf(pod)}`] as const);
  return Object.fromEntries(lives.sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function restartsOf(pod: { readonly [field: string]: unknown }): number {
  const { containerStatuses = [] } = (pod["status"] ?? {}) as { containerStatuses?: { restartCount: number }[] };
  return containerStatuses.reduce((sum, { restartCount }) => sum + restartCount, 0);
}

export function isPodReady(pod: Thing): boolean {
  const conditions = (pod["status"]?.conditions ?? []) as readonly { type: string; status: string }[];
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

/** The ids that claims carry, each once; a claim without one counts as "none". */
export function idsOnClaims(claims: readonly Thing[]): readonly string[] {
  return [...new Set(claims.map(({ metadata }) => metadata.annotations?.[ANNOTATIONS.clusterId] ?? "none"))];
}

/** The member that leads and its Pod. */
export async function leaderOf(kube: Kube, cluster: string): Promise<{ readonly name: string; readonly node: string }> {
  return until("a leader", 60, async () => {
    const { leader } = statusOf(await kube.get("clusters", FIELD, cluster));
    const pod = leader === undefined ? undefined : await kube.get("pods", FIELD, leader);
    const node = pod?.["spec"]?.nodeName as string | undefined;
    return leader !== undefined && node !== undefined ? { name: leader, node } : undefined;
  });
}
