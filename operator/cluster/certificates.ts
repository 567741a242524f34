/** What is known of a cluster's certificates in a pass, and what is due of them. */
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import { secretTexts } from "../certificates/held.ts";
import type { LoadedCertificates, SeenCertificates } from "../certificates/seen.ts";
import { certificateWork } from "../certificates/work.ts";
import type { LoadedFingerprints } from "../etcd/etcd-admin.ts";
import type { Observation } from "../plan/observation.ts";
import type { SecretJson } from "./facts/secret.ts";
import type { MapJson } from "./secrets.ts";

/** Kept from looking to acting: what is issued is issued for what was seen. */
export interface Certificates {
  readonly seen: SeenCertificates;
  /** As they were read: a write is bound to their versions. */
  readonly secrets: ReadonlyMap<string, SecretJson>;
}

/** Of members whose container runs; nothing where a member did not say. */
export type LoadedByMember = ReadonlyMap<string, LoadedFingerprints | undefined>;

export function usesTls({ spec: { tls } }: EtcdCluster): boolean {
  return tls.client.mode !== "Disabled" || tls.peer.mode !== "Disabled";
}

export function seenCertificates(
  cluster: EtcdCluster,
  secrets: ReadonlyMap<string, SecretJson>,
  maps: ReadonlyMap<string, MapJson>,
  loaded: LoadedByMember,
  now: number,
): Certificates {
  const members = Array.from(
    loaded,
    ([member, found]): LoadedCertificates => ({ member, client: found?.client, peer: found?.peer }),
  );
  const seen = {
    cluster,
    secrets: new Map(Array.from(secrets, ([name, { data }]) => [name, secretTexts(data)] as const)),
    maps: new Map(Array.from(maps, ([name, { data }]) => [name, new Map(Object.entries(data ?? {}))] as const)),
    members,
    now,
  };
  return { seen, secrets };
}

export interface CertificatesDue {
  readonly due: NonNullable<Observation["certificatesDue"]>;
  /** What is wrong with Secrets that others fill, each with its remedy. */
  readonly problems: readonly string[];
}

/** Nothing is issued by looking. */
export function certificatesDue({ seen }: Certificates): CertificatesDue {
  const { writes, problems } = certificateWork(seen);
  return { due: writes.map(({ name, why }) => ({ secret: name, why })), problems };
}

/** ConfigMaps that a spec names. */
export function trustedMaps({ spec: { tls } }: EtcdCluster): readonly string[] {
  return (tls.extraTrust ?? []).flatMap(({ configMapRef }) => (configMapRef === undefined ? [] : [configMapRef.name]));
}
