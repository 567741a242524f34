/**
 * The last spec that was found good, whole, in a ConfigMap: while the present one is bad, members are kept by this. A
 * hash could not be served from.
 */
import type { EtcdCluster, EtcdClusterSpec } from "../api/etcd-cluster.ts";
import { acceptedSpecName } from "../api/names.ts";
import { canonicalJson } from "./canonical.ts";
import type { DesiredMap } from "./desired.ts";
import { metadataOf } from "./metadata.ts";

const KEY = "spec.json";

/** The ConfigMap that holds `spec`. The schema bounds a spec far below the 1 MiB that a ConfigMap may have. */
export function acceptedSpecMap(cluster: EtcdCluster, spec: EtcdClusterSpec): DesiredMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: metadataOf(cluster, { name: acceptedSpecName(cluster.metadata.name) }),
    data: { [KEY]: canonicalJson(spec) },
  };
}

/** The spec in such a ConfigMap; nothing when somebody has made it unreadable: it is written anew from a good spec. */
export function readAcceptedSpec(object: { readonly data?: unknown }): EtcdClusterSpec | undefined {
  const text = (object.data as Readonly<Record<string, unknown>> | undefined)?.[KEY];
  if (typeof text !== "string") return undefined;
  try {
    const spec: unknown = JSON.parse(text);
    return isSpec(spec) ? spec : undefined;
  } catch {
    return undefined;
  }
}

/** What nothing can be served without; the rest was checked when it was accepted. */
function isSpec(spec: unknown): spec is EtcdClusterSpec {
  if (typeof spec !== "object" || spec === null) return false;
  const { replicas, version, storage, config, tls, pod } = spec as Readonly<Record<string, unknown>>;
  const areRecords = [storage, config, tls, pod].every((one) => typeof one === "object" && one !== null);
  return typeof replicas === "number" && typeof version === "string" && areRecords;
}
