/** The kinds of objects that a cluster has, as the API's paths name them. */
import { GROUP, VERSION } from "../api/names.ts";
import type { Resource } from "../runtime/kube.ts";

function namespaced(group: string, version: string, plural: string, kind: string): Resource {
  return { group, version, plural, kind, isNamespaced: true };
}

export const CLUSTERS: Resource = namespaced(GROUP, VERSION, "etcdclusters", "EtcdCluster");
export const PODS: Resource = namespaced("", "v1", "pods", "Pod");
export const CLAIMS: Resource = namespaced("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim");
export const SERVICES: Resource = namespaced("", "v1", "services", "Service");
export const CONFIG_MAPS: Resource = namespaced("", "v1", "configmaps", "ConfigMap");
export const SERVICE_ACCOUNTS: Resource = namespaced("", "v1", "serviceaccounts", "ServiceAccount");
export const SECRETS: Resource = namespaced("", "v1", "secrets", "Secret");
export const BUDGETS: Resource = namespaced("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget");
export const CERTIFICATES: Resource = namespaced("cert-manager.io", "v1", "certificates", "Certificate");
export const NODES: Resource = { group: "", version: "v1", plural: "nodes", kind: "Node", isNamespaced: false };
export const NAMESPACES: Resource = {
  group: "",
  version: "v1",
  plural: "namespaces",
  kind: "Namespace",
  isNamespaced: false,
};
export const STORAGE_CLASSES: Resource = {
  group: "storage.k8s.io",
  version: "v1",
  plural: "storageclasses",
  kind: "StorageClass",
  isNamespaced: false,
};

/** Objects that belong to a cluster beside its Pods and claims, and are owned whole. */
export const CHILDREN: readonly Resource[] = [SERVICES, CONFIG_MAPS, SERVICE_ACCOUNTS, BUDGETS, CERTIFICATES];

const BY_KIND: ReadonlyMap<string, Resource> = new Map(
  [...CHILDREN, PODS, CLAIMS, SECRETS].map((resource) => [resource.kind, resource]),
);

/** The resource of an object that a plan names. Throws an Error for a kind that no cluster has. */
export function resourceOfKind(kind: string): Resource {
  const found = BY_KIND.get(kind);
  if (found === undefined) throw new Error(`a cluster has no ${kind}: ${[...BY_KIND.keys()].join(", ")}`);
  return found;
}
