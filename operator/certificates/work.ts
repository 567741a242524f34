/**
 * What the certificates of one cluster need now, and how it is made. Whoever signs, members read only Secrets that are
 * written here: from an authority of the operator's own, or copied from what people or cert-manager bring. So every
 * change goes the way of handover.ts, a change of the source too.
 *
 *     source                        what members and the operator read
 *     CLUSTER-client-ca ─┐
 *     a Secret of yours ─┼────────► CLUSTER-server-tls     shown to clients; whose clients are let in
 *     cert-manager's    ─┘
 *     CLUSTER-client-ca ──────────► CLUSTER-operator-tls   shown by the operator, where clients must show one
 *     any of the three  ──────────► CLUSTER-peer-tls       shown among members
 */
import { authoritySecretName, type Purpose } from "../api/tls-names.ts";
import { clientTrust } from "./client-trust.ts";
import { authorityDue, authorityLifetimeMs, isUrgent } from "./due.ts";
import { type HandoverStep, handoverStep } from "./handover.ts";
import { authorityContent, type HeldSecret, heldContent, readHeld, type SecretContent } from "./held.ts";
import { issueAuthority } from "./issue.ts";
import { type Certificate, fingerprintsOf } from "./pem.ts";
import { CertificateProblem } from "./problem.ts";
import type { SeenCertificates } from "./seen.ts";
import { authoritiesInUse, ownAuthority, type Source, secretOf, sourceOf, termsOf } from "./source.ts";

/** How long clients that read the Secret are given for a new authority; the kubelet alone takes a minute. */
const SETTLING_MS = 3 * 60_000;

export interface SecretWrite {
  readonly name: string;
  readonly why: string;
  /** Issues what is to be issued; each call anew. */
  make(): Promise<SecretContent>;
}

export interface CertificateWork {
  /** What can be written now, in this order. */
  readonly writes: readonly SecretWrite[];
  /** What is due and has to wait, and for whom. */
  readonly waiting: readonly string[];
  /** What is wrong with what others fill, each with its remedy. */
  readonly problems: readonly string[];
}

/** What is due. Nothing is issued before `make` is called. */
export function certificateWork(seen: SeenCertificates): CertificateWork {
  const work: Gathering = { writes: [], waiting: [], problems: [] };
  for (const purpose of authoritiesInUse(seen.cluster)) guarded(work, () => authorityWork(seen, purpose, work));
  const { client, peer } = seen.cluster.spec.tls;
  if (client.mode !== "Disabled") guarded(work, () => purposeWork(seen, "server", work));
  if (client.mode === "Mutual") guarded(work, () => purposeWork(seen, "operator", work));
  if (peer.mode !== "Disabled") guarded(work, () => purposeWork(seen, "peer", work));
  return work;
}

interface Gathering {
  readonly writes: SecretWrite[];
  readonly waiting: string[];
  readonly problems: string[];
}

/** What is wrong with one purpose holds up no other. */
function guarded(work: Gathering, step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof CertificateProblem)) throw error;
    if (!work.problems.includes(error.message)) work.problems.push(error.message);
  }
}

function authorityWork(seen: SeenCertificates, purpose: "client" | "peer", work: Gathering): void {
  const { cluster, now } = seen;
  const terms = termsOf(cluster);
  const due = authorityDue(ownAuthority(seen, purpose)?.certificate, terms, now);
  const why = due ?? (seen.rotatesAuthorities === true ? "a rotation was asked for" : undefined);
  if (why === undefined) return;
  const name = authoritySecretName(cluster.metadata.name, purpose);
  const wish = { commonName: `${cluster.metadata.name} ${purpose} CA`, now, lifetimeMs: authorityLifetimeMs(terms) };
  work.writes.push({ name, why, make: async () => authorityContent(name, await issueAuthority(wish)) });
}

function purposeWork(seen: SeenCertificates, purpose: Purpose, work: Gathering): void {
  const name = secretOf(seen.cluster, purpose);
  const held = readHeld(name, seen.secrets.get(name));
  const source = sourceOf(seen, purpose, held);
  // The operator must be let in from the first start of a member on.
  const needsAuthority = purpose === "server" && seen.cluster.spec.tls.client.mode === "Mutual";
  if (source === undefined || (needsAuthority && ownAuthority(seen, "client") === undefined)) {
    work.waiting.push(`${name}: what it is made of is not there yet`);
    return;
  }
  const step = stepOf(seen, purpose, held, source);
  if (step.kind === "wait") work.waiting.push(`${name}: ${step.why}`);
  const trust = clientTrust(seen, purpose, held, source);
  work.problems.push(...trust.problems);
  const why = step.kind === "write" ? step.why : trust.change;
  if (why === undefined) return;
  work.writes.push({
    name,
    why,
    make: () => makeSecret({ name, held, source, step, clients: trust.clients, now: seen.now }),
  });
}

function stepOf(seen: SeenCertificates, purpose: Purpose, held: HeldSecret | undefined, source: Source): HandoverStep {
  const { members, now } = seen;
  const listener = purpose === "peer" ? "peer" : "client";
  const loaded = members.map((one) => ({ member: one.member, fingerprints: one[listener] }));
  return handoverStep({
    held: held && {
      leaf: held.leaf.fingerprint,
      trusted: fingerprintsOf(held.trusted),
      isUrgent: isUrgent(held.leaf, now),
    },
    authorities: fingerprintsOf(source.authorities),
    newLeaf: source.newLeaf,
    // What is shown to clients is checked by clients, whom nobody can ask: they are given time.
    checkers: purpose === "server" ? [] : loaded,
    showers: purpose === "operator" ? [] : loaded,
    isSettled: purpose !== "server" || held === undefined || now - held.trustSince >= SETTLING_MS,
  });
}

interface Making {
  readonly name: string;
  readonly held: HeldSecret | undefined;
  readonly source: Source;
  readonly step: HandoverStep;
  readonly clients: readonly Certificate[];
  readonly now: number;
}

async function makeSecret({ name, held, source, step, clients, now }: Making): Promise<SecretContent> {
  const isNew = held === undefined || (step.kind === "write" && step.leaf === "new");
  const { shown, key } = isNew ? await source.take() : held;
  const known = [...(held?.trusted ?? []), ...source.authorities];
  const wanted = step.kind === "write" ? step.trusted : fingerprintsOf(held?.trusted ?? source.authorities);
  const trusted = wanted.flatMap((fingerprint) => known.find((one) => one.fingerprint === fingerprint) ?? []);
  const isWider = wanted.some((one) => !held?.trusted.some(({ fingerprint }) => fingerprint === one));
  return heldContent(name, { shown, key, trusted, clients, trustSince: isWider ? now : (held?.trustSince ?? now) });
}
