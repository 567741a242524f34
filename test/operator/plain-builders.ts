/** Builders of objects that hold what the plan decided and nothing else: what real ones look like is tested beside them. */
import type { EtcdCluster } from "../../operator/api/etcd-cluster.ts";
import {
  ANNOTATIONS,
  claimName,
  disruptionBudgetName,
  LABELS,
  memberHost,
  peerServiceName,
} from "../../operator/api/names.ts";
import type { Desired } from "../../operator/plan/action.ts";
import type { Builders, SecretNeed, SpecFault } from "../../operator/plan/builders.ts";

export interface PlainOptions {
  readonly faults?: readonly SpecFault[];
  readonly secrets?: readonly SecretNeed[];
}

/** The template's hash is made of the fields that the tests change. */
export function plainHash(cluster: EtcdCluster): string {
  const { version, config, image } = cluster.spec;
  return `${version}/${config.logLevel}${image?.repository === undefined ? "" : `/${image.repository}`}`;
}

export function plainBuilders(options: PlainOptions = {}): Builders {
  return {
    validate: () => options.faults ?? [],
    templateHash: plainHash,
    pod: (cluster, need) =>
      object(cluster, "Pod", need.member, {
        metadata: {
          labels: { [LABELS.version]: cluster.spec.version },
          annotations: { [ANNOTATIONS.templateHash]: plainHash(cluster) },
        },
        need,
      }),
    claim: (cluster, need) => object(cluster, "PersistentVolumeClaim", claimName(need.member), { need }),
    children: (cluster) => [
      object(cluster, "Service", peerServiceName(cluster.metadata.name), { spec: { clusterIP: "None" } }),
    ],
    budget: (cluster, minAvailable) =>
      object(cluster, "PodDisruptionBudget", disruptionBudgetName(cluster.metadata.name), { spec: { minAvailable } }),
    secrets: () => options.secrets ?? [],
    peerUrl: ({ metadata }, member) => `http://${memberHost(metadata.name, metadata.namespace, member)}:2380`,
    endpoints: () => ({ client: "http://client", peer: "http://peer" }),
  };
}

function object(
  cluster: EtcdCluster,
  kind: string,
  name: string,
  more: { readonly metadata?: object; readonly [field: string]: unknown },
): Desired {
  const metadata = { ...more.metadata, name, namespace: cluster.metadata.namespace };
  return { ...more, apiVersion: "v1", kind, metadata } as Desired;
}
