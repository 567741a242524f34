/**
 * What of the operator's own certificates is due for renewal. Pure: facts and the time in, words out. When a new one
 * may be used is another question: see handover.ts.
 */

export interface CertificateTimes {
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface LeafFacts extends CertificateTimes {
  /** Whether the authority of now has signed it. */
  readonly isOfAuthority: boolean;
  /** Names that it should be good for and is not. */
  readonly missingNames: readonly string[];
}

export interface RenewalTerms {
  /** Of a leaf: how long it is good for, and how long before its end it is renewed. Milliseconds. */
  readonly durationMs: number;
  readonly renewBeforeMs: number;
}

const DAY_MS = 24 * 3600_000;
const YEAR_MS = 365 * DAY_MS;

/** An authority lives ten years, or long enough for three leaves. */
export function authorityLifetimeMs({ durationMs }: RenewalTerms): number {
  return Math.max(10 * YEAR_MS, 3 * durationMs);
}

/** Why a new authority is due; undefined when it is not. A leaf must be able to live its whole life under it. */
export function authorityDue(
  authority: CertificateTimes | undefined,
  terms: RenewalTerms,
  now: number,
): string | undefined {
  if (authority === undefined) return "there is none";
  const left = authority.notAfter - now;
  return left < terms.durationMs + terms.renewBeforeMs ? `it ends in ${days(left)}` : undefined;
}

/** Why a new leaf is due; undefined when it is not. */
export function leafDue(leaf: LeafFacts | undefined, terms: RenewalTerms, now: number): string | undefined {
  if (leaf === undefined) return "there is none";
  if (!leaf.isOfAuthority) return "another authority signs now";
  const [missing] = leaf.missingNames;
  if (missing !== undefined) return `it is not good for "${missing}"`;
  return now >= renewalAt(leaf, terms) ? `it ends in ${days(leaf.notAfter - now)}` : undefined;
}

/**
 * When a leaf is renewed. One that was issued for a shorter time than `renewBefore`, as the spec was another then, is
 * renewed after two thirds of its life, and not again and again.
 */
export function renewalAt({ notBefore, notAfter }: CertificateTimes, { renewBeforeMs }: RenewalTerms): number {
  return notAfter - Math.min(renewBeforeMs, (notAfter - notBefore) / 3);
}

/** The last day, or the last tenth of a short life: what is due must then happen, whoever has not answered. */
export function isUrgent({ notBefore, notAfter }: CertificateTimes, now: number): boolean {
  return now >= notAfter - Math.min(DAY_MS, (notAfter - notBefore) / 10);
}

function days(milliseconds: number): string {
  const whole = Math.floor(milliseconds / DAY_MS);
  return whole < 0 ? "the past" : `${whole} days`;
}
