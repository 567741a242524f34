/**
 * A hash of what the operator wants a member's Pod to be. A Pod with another one is outdated and is replaced in its
 * turn. It is made from the spec and not from the Pod: what a webhook adds to a Pod, or a new operator writes
 * differently, restarts nobody.
 *
 * In it is what a running Pod cannot take in: image, settings, TLS modes, what is mounted, how it is scheduled. Not in
 * it: who the members are, sizes of volumes, certificates (files are read again), inherited metadata, and everything
 * that only the operator acts on.
 */
import type { EtcdCluster, EtcdClusterSpec, Quantity } from "../api/etcd-cluster.ts";
import { bytesOf } from "../api/quantity.ts";
import { canonicalJson } from "./canonical.ts";
import { imageOf } from "./image.ts";
import type { OperatorDefaults } from "./member.ts";
import { shortHash } from "./short-hash.ts";

/**
 * Raised only when every member of every cluster must be restarted for a change of the operator itself. A field that
 * is new in the spec is added below so that its default leaves the text as it was: undefined is not written.
 */
const EPOCH = 1;

/** 16 digits of lower-case hex; the same for all members of a cluster. */
export function templateHash(cluster: EtcdCluster, defaults: OperatorDefaults): string {
  return shortHash(canonicalJson(intent(cluster.spec, defaults)));
}

function intent(spec: EtcdClusterSpec, defaults: OperatorDefaults): object {
  const { quotaBackendBytes, maxRequestBytes, ...config } = spec.config;
  return {
    epoch: EPOCH,
    image: imageOf(spec, defaults),
    pullPolicy: spec.image?.pullPolicy,
    pullSecrets: some(spec.image?.pullSecrets),
    ipFamily: defaults.ipFamily === "IPv6" ? "IPv6" : undefined,
    config: { ...config, quotaBackendBytes: bytes(quotaBackendBytes), maxRequestBytes: bytes(maxRequestBytes) },
    extraArgs: some(spec.extraArgs),
    tls: { client: spec.tls.client.mode, peer: spec.tls.peer.mode },
    ephemeral: spec.storage.ephemeral,
    pod: Object.fromEntries(Object.entries(spec.pod).map(([name, value]) => [name, podField(name, value)])),
    probes: spec.probes,
  };
}

/** Lists and records that are empty say as little as absent ones, but for the spread, where empty means none. */
function podField(name: string, value: unknown): unknown {
  if (name === "topologySpreadConstraints" || typeof value !== "object" || value === null) return value;
  return Object.keys(value).length === 0 ? undefined : value;
}

function some<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list?.length === 0 ? undefined : list;
}

/** The same amount written differently is the same. */
function bytes(quantity: Quantity | undefined): number | undefined {
  return quantity === undefined ? undefined : bytesOf(quantity);
}
