/**
 * How another certificate or authority comes into use without a moment in which two ends do not trust each other:
 *
 *     widen   all trust the authorities of the new certificate beside those of the old; the old one is shown
 *     swap    the new one is shown, once everybody who checks it has loaded the wider trust
 *     narrow  the old authorities are dropped, once everybody who shows one has loaded the new one
 *
 * Pure, and without memory: where it stands follows from what the Secret holds and what members say they have loaded.
 * A member that says nothing has not loaded anything. One whose Pod does not run is not asked: it will read what is
 * there when it starts.
 */

export interface Handover {
  /** What the Secret holds; nothing when there is none. */
  readonly held: Held | undefined;
  /** Who signs now: whoever checks the certificate must trust all of these. */
  readonly authorities: readonly string[];
  /** Why another leaf is to be shown; undefined: the one held is right. */
  readonly newLeaf: string | undefined;
  /** Members that must trust the authorities before a leaf of theirs is shown. Empty: nobody that could be asked. */
  readonly checkers: readonly Loaded[];
  /** Members that show the leaf, and must have loaded it before the authorities of the one before are dropped. */
  readonly showers: readonly Loaded[];
  /** Others, who cannot be asked, have had time to read the wider trust. Not so: the swap waits. */
  readonly isSettled: boolean;
}

export interface Held {
  /** Fingerprints. */
  readonly leaf: string;
  readonly trusted: readonly string[];
  /** It ends so soon that waiting for anybody would cost more than it saves. */
  readonly isUrgent: boolean;
}

export interface Loaded {
  readonly member: string;
  /** What it says it has loaded; undefined when it did not say. */
  readonly fingerprints: readonly string[] | undefined;
}

export type HandoverStep =
  | { readonly kind: "none" }
  /** Write the Secret: this leaf, these authorities. */
  | { readonly kind: "write"; readonly leaf: "held" | "new"; readonly trusted: readonly string[]; readonly why: string }
  | { readonly kind: "wait"; readonly why: string };

/** The next step, one at a time. */
export function handoverStep(handover: Handover): HandoverStep {
  const { held, authorities, newLeaf } = handover;
  if (held === undefined) return { kind: "write", leaf: "new", trusted: authorities, why: "it is not there yet" };
  const trusted = [...new Set([...held.trusted, ...authorities])];
  if (trusted.length > held.trusted.length)
    return { kind: "write", leaf: "held", trusted, why: "the new authority is trusted before anybody shows it" };
  if (newLeaf !== undefined) return swap(handover, trusted, newLeaf);
  return narrow(handover, held);
}

function swap(handover: Handover, trusted: readonly string[], why: string): HandoverStep {
  const { held, authorities, checkers, isSettled } = handover;
  if (held?.isUrgent !== true) {
    const late = checkers.find((checker) => !hasLoaded(checker, authorities));
    if (late !== undefined) return { kind: "wait", why: `${late.member} has not loaded the new authority yet` };
    if (!isSettled) return { kind: "wait", why: "clients need time to read the new authority" };
  }
  return { kind: "write", leaf: "new", trusted, why };
}

function narrow({ authorities, showers }: Handover, { leaf, trusted }: Held): HandoverStep {
  if (trusted.every((authority) => authorities.includes(authority))) return { kind: "none" };
  const late = showers.find((shower) => !hasLoaded(shower, [leaf]));
  if (late !== undefined) return { kind: "wait", why: `${late.member} has not loaded the new certificate yet` };
  return { kind: "write", leaf: "held", trusted: authorities, why: "nobody shows a certificate of the old authority" };
}

function hasLoaded({ fingerprints }: Loaded, wanted: readonly string[]): boolean {
  return fingerprints !== undefined && wanted.every((one) => fingerprints.includes(one));
}
