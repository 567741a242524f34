/**
 * What hashes of the members say of their data, as etcd judges them. A hash stands for the keys at a revision, by the
 * rules of the compaction that was known: two can only be held against each other when both are the same.
 */
import type { PeerHash } from "../ports/network.ts";

/** Hash of this member's own keys. */
export interface OwnHash {
  readonly hash: number;
  readonly compactRevision: number;
  /** The revision that it is of. */
  readonly hashRevision: number;
}

/** What a member has answered to the question for its hash at our revision. */
export interface PeerAnswer {
  readonly id: bigint;
  /** Undefined: it did not answer, or could not at that revision. */
  readonly hash: PeerHash | undefined;
}

/** Someone whose data are wrong, and why it is thought so: for the log. */
export interface Suspect {
  readonly id: bigint;
  readonly why: string;
}

/** Who differs from us though it follows the same compaction. */
export function differing(own: OwnHash, answers: readonly PeerAnswer[]): bigint[] {
  return answers
    .filter(({ hash }) => hash !== undefined && hash.compactRevision === own.compactRevision && hash.hash !== own.hash)
    .map(({ id }) => id);
}

/**
 * The periodic check of a leader: `before` was taken before the others were asked, and `after` when all that was committed
 * meanwhile was applied here. Undefined: nothing is wrong. etcd names the first that it finds, once a check.
 */
export function suspectOf(
  selfId: bigint,
  { before, after }: { readonly before: OwnHash; readonly after: OwnHash },
  answers: readonly PeerAnswer[],
): Suspect | undefined {
  const isSamePlace = before.hashRevision === after.hashRevision && before.compactRevision === after.compactRevision;
  if (isSamePlace && before.hash !== after.hash) {
    return { id: selfId, why: `the same revision hashes to ${before.hash} and then to ${after.hash}` };
  }
  for (const { id, hash } of answers) {
    if (hash === undefined) continue;
    if (hash.revision > after.hashRevision) {
      return { id, why: `it is at revision ${hash.revision}, its leader at ${after.hashRevision}` };
    }
    if (hash.compactRevision > after.compactRevision) {
      return { id, why: `it was compacted at ${hash.compactRevision}, its leader at ${after.compactRevision}` };
    }
    if (hash.compactRevision === before.compactRevision && hash.hash !== before.hash) {
      return { id, why: `revision ${before.hashRevision} hashes to ${hash.hash}, at its leader to ${before.hash}` };
    }
  }
  return undefined;
}

/**
 * Whose data are wrong by the hashes of one compaction: all that differ from what a majority has; `[0n]` (the cluster as a
 * whole) when no majority agrees; none when all that can be compared are alike.
 */
export function outvoted(selfId: bigint, own: OwnHash, answers: readonly PeerAnswer[]): bigint[] {
  const holders = new Map<number, bigint[]>([[own.hash, [selfId]]]);
  for (const { id, hash } of answers) {
    if (hash === undefined || hash.compactRevision !== own.compactRevision) continue;
    const alike = holders.get(hash.hash);
    if (alike === undefined) holders.set(hash.hash, [id]);
    else alike.push(id);
  }
  if (holders.size === 1) return [];
  const quorum = Math.floor((answers.length + 1) / 2) + 1;
  const agreed = [...holders].find(([, ids]) => ids.length >= quorum)?.[0];
  if (agreed === undefined) return [0n];
  return [...holders].flatMap(([hash, ids]) => (hash === agreed ? [] : ids));
}
