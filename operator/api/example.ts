/** A complete valid spec and object as the API server would give them back, defaults filled in: for tests and docs. */
import type { EtcdCluster, EtcdClusterSpec } from "./etcd-cluster.ts";
import { API_VERSION } from "./names.ts";
import { withDefaults } from "./schema/defaults.ts";
import { spec } from "./schema/spec.ts";

/** The least that a person must write. */
export const LEAST_SPEC = { version: "0.1.0", storage: { persistent: { size: "2Gi" } } } as const;

/** Three members on volumes of 2 GiB, everything else as defaults have it. `changes` replace whole fields of the spec. */
export function exampleSpec(changes: Partial<EtcdClusterSpec> = {}): EtcdClusterSpec {
  return { ...withDefaults(spec, LEAST_SPEC), ...changes };
}

/** An object with `exampleSpec()` that nobody has acted on yet. `changes` replace whole fields. */
export function exampleCluster(changes: Partial<EtcdCluster> = {}): EtcdCluster {
  return {
    apiVersion: API_VERSION,
    kind: "EtcdCluster",
    metadata: {
      name: "example",
      namespace: "default",
      uid: "11111111-2222-3333-4444-555555555555",
      resourceVersion: "1",
      generation: 1,
      creationTimestamp: "2026-01-01T00:00:00Z",
    },
    spec: exampleSpec(),
    status: { observedGeneration: -1 },
    ...changes,
  };
}
