/**
 * The certificates that members show each other, as names without keys. What is due and which step comes next is said by
 * the operator's own pure rules (`due.ts`, `handover.ts`); what a step writes is kept here, and read by kubelets.
 */

import { durationMs } from "../../../operator/api/duration.ts";
import type { EtcdCluster } from "../../../operator/api/etcd-cluster.ts";
import { authoritySecretName, tlsSecretName } from "../../../operator/api/tls-names.ts";
import {
  authorityDue,
  authorityLifetimeMs,
  isUrgent,
  leafDue,
  type RenewalTerms,
} from "../../../operator/certificates/due.ts";
import { type HandoverStep, handoverStep, type Loaded } from "../../../operator/certificates/handover.ts";
import type { Observation, SecretFacts } from "../../../operator/plan/observation.ts";

interface Authority {
  readonly fingerprint: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** The request that it was made for. */
  readonly rotation: string | undefined;
}

/** What lies in the Secret that members mount; never changed: a write makes another. */
export interface Files {
  readonly leaf: string;
  readonly signedBy: string;
  /** Fingerprints of authorities. */
  readonly trusted: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
}

type Due = NonNullable<Observation["certificatesDue"]>;

interface Write {
  readonly secret: string;
  readonly why: string;
  readonly make: () => void;
}

/** An issuer may be told to skip what it should wait for: a mistake that is planted. */
export interface IssuerHabits {
  readonly swapsAtOnce?: boolean;
}

export class Certificates {
  authority: Authority | undefined;
  /** What kubelets bring to members. */
  files: Files | undefined;
  /** Whether something was ever written in haste, for fear of an end: who had not loaded it then may be left out. */
  wasUrgent = false;
  /** Of the first authority, milliseconds; absent: as long as one lives. */
  readonly #firstLifeMs: number | undefined;
  #serial = 0;

  constructor(firstLifeMs: number | undefined) {
    this.#firstLifeMs = firstLifeMs;
  }

  /** By name, as far as they are there. */
  secrets(cluster: EtcdCluster): Observation["secrets"] {
    const { authority, files } = this;
    const found = new Map<string, SecretFacts>();
    if (authority !== undefined) {
      const { fingerprint, notBefore, notAfter } = authority;
      const facts = factsOf([fingerprint], notBefore, notAfter, fingerprint);
      const { rotation } = authority;
      found.set(authorityName(cluster), rotation === undefined ? facts : { ...facts, rotation });
    }
    if (files !== undefined)
      found.set(
        filesName(cluster),
        factsOf(fingerprintsOf(files), files.notBefore, files.notAfter, files.trusted.join()),
      );
    return found;
  }

  /** `members`: those that run, with what they say they have loaded. */
  due(cluster: EtcdCluster, members: readonly Loaded[], now: number): Due {
    return this.#writes(cluster, members, now, undefined, {}).map(({ secret, why }) => ({ secret, why }));
  }

  /** Writes what is due of these Secrets, as seen by whoever asked; answers whether anything was. */
  issue(
    cluster: EtcdCluster,
    wanted: { readonly secrets: readonly string[]; readonly rotation?: string },
    members: readonly Loaded[],
    now: number,
    habits: IssuerHabits,
  ): boolean {
    const due = this.#writes(cluster, members, now, wanted.rotation, habits).filter(({ secret }) =>
      wanted.secrets.includes(secret),
    );
    for (const { make } of due) make();
    return due.length > 0;
  }

  #writes(
    cluster: EtcdCluster,
    members: readonly Loaded[],
    now: number,
    rotation: string | undefined,
    habits: IssuerHabits,
  ): readonly Write[] {
    const terms = termsOf(cluster);
    const writes: Write[] = [];
    const why =
      authorityDue(this.authority, terms, now) ?? (rotation === undefined ? undefined : "a rotation was asked for");
    if (why !== undefined)
      writes.push({ secret: authorityName(cluster), why, make: () => this.#newAuthority(terms, now, rotation) });
    const { authority } = this;
    const step = this.#step(members, terms, now, habits);
    // Signed by the authority that was seen, whichever has been written since.
    if (step?.kind === "write" && authority !== undefined)
      writes.push({ secret: filesName(cluster), why: step.why, make: () => this.#write(step, authority, terms, now) });
    return writes;
  }

  #step(
    members: readonly Loaded[],
    terms: RenewalTerms,
    now: number,
    { swapsAtOnce }: IssuerHabits,
  ): HandoverStep | undefined {
    const { authority, files } = this;
    if (authority === undefined) return undefined;
    const isOfAuthority = files?.signedBy === authority.fingerprint;
    const newLeaf = leafDue(files && { ...files, isOfAuthority, missingNames: [] }, terms, now);
    if (swapsAtOnce === true && newLeaf !== undefined)
      return { kind: "write", leaf: "new", trusted: [authority.fingerprint], why: newLeaf };
    return handoverStep({
      held: files && { leaf: files.leaf, trusted: files.trusted, isUrgent: isUrgent(files, now) },
      authorities: [authority.fingerprint],
      newLeaf,
      checkers: members,
      showers: members,
      isSettled: true,
    });
  }

  #newAuthority(terms: RenewalTerms, now: number, rotation: string | undefined): void {
    const lifeMs = this.authority === undefined ? this.#firstLifeMs : undefined;
    const notAfter = now + (lifeMs ?? authorityLifetimeMs(terms));
    this.authority = { fingerprint: `authority-${++this.#serial}`, notBefore: now, notAfter, rotation };
  }

  #write(
    step: Extract<HandoverStep, { kind: "write" }>,
    authority: Authority,
    { durationMs: lifeMs }: RenewalTerms,
    now: number,
  ): void {
    const { files } = this;
    if (files !== undefined && isUrgent(files, now)) this.wasUrgent = true;
    const isNew = step.leaf === "new" || files === undefined;
    const leaf = isNew
      ? {
          leaf: `leaf-${++this.#serial}`,
          signedBy: authority.fingerprint,
          notBefore: now,
          notAfter: Math.min(now + lifeMs, authority.notAfter),
        }
      : files;
    this.files = { ...leaf, trusted: step.trusted };
  }
}

/** Whether two members that have loaded these take each other's connections. */
export function meet(one: Files | undefined, other: Files | undefined, now: number): boolean {
  if (one === undefined || other === undefined) return false;
  if (one.notAfter <= now || other.notAfter <= now) return false;
  return one.trusted.includes(other.signedBy) && other.trusted.includes(one.signedBy);
}

export function fingerprintsOf({ leaf, trusted }: Files): readonly string[] {
  return [leaf, ...trusted];
}

export function usesTls({ spec }: Pick<EtcdCluster, "spec">): boolean {
  return spec.tls.peer.mode !== "Disabled";
}

export function authorityName({ metadata }: EtcdCluster): string {
  return authoritySecretName(metadata.name, "peer");
}

export function filesName({ metadata }: EtcdCluster): string {
  return tlsSecretName(metadata.name, "peer");
}

function termsOf({ spec: { tls } }: EtcdCluster): RenewalTerms {
  const { duration, renewBefore } = tls.certificates;
  return { durationMs: durationMs(duration), renewBeforeMs: durationMs(renewBefore) };
}

function factsOf(fingerprints: readonly string[], notBefore: number, notAfter: number, caHash: string): SecretFacts {
  return { hash: `${notBefore} ${fingerprints.join()}`, caHash, notBefore, notAfter, fingerprints };
}
