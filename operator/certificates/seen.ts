/** What is known when certificates are looked at. */
import type { EtcdCluster } from "../api/etcd-cluster.ts";

/** `data` of a Secret or ConfigMap, decoded. */
export type SecretTexts = ReadonlyMap<string, string>;

/** All that is known. Secrets and ConfigMaps that are not there are absent. */
export interface SeenCertificates {
  readonly cluster: EtcdCluster;
  readonly secrets: ReadonlyMap<string, SecretTexts>;
  /** Of `tls.extraTrust`. */
  readonly maps: ReadonlyMap<string, SecretTexts>;
  /** Members whose container runs. */
  readonly members: readonly LoadedCertificates[];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** New authorities are asked for, whatever the age of those that there are. */
  readonly rotatesAuthorities?: boolean;
}

/** Fingerprints of what a member says it has loaded; undefined: it did not say. */
export interface LoadedCertificates {
  readonly member: string;
  readonly client: readonly string[] | undefined;
  readonly peer: readonly string[] | undefined;
}
