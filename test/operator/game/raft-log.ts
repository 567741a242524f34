/**
 * A raft log with its entries left out: who led when which indices were written, and which of them change the membership.
 * Entries are known by (term, index); as a term has one leader, two logs that agree on an entry agree on all before it.
 */

export interface GameMember {
  /** 16 digits of lower-case hex. */
  readonly id: string;
  readonly name: string;
  readonly peerUrl: string;
  readonly isLearner: boolean;
}

/** Never changed: a change of members makes a new one. */
export interface Membership {
  readonly members: readonly GameMember[];
  readonly voters: readonly string[];
}

interface Segment {
  readonly term: number;
  readonly from: number;
  /** Inclusive; grows while the leader of `term` writes. */
  to: number;
  /** The one entry of this segment sets it. */
  readonly membership: Membership | undefined;
}

/** Followers share the segments of the leader whom they follow, each up to its own `last`. */
export interface RaftLog {
  readonly segments: Segment[];
  last: number;
}

export function membershipOf(members: readonly GameMember[]): Membership {
  return { members, voters: members.filter(({ isLearner }) => !isLearner).map(({ id }) => id) };
}

export function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

export function emptyLog(): RaftLog {
  return { segments: [], last: 0 };
}

/** A copy that its owner, a new leader, may write to. */
export function ownLog(log: RaftLog): RaftLog {
  const segments: Segment[] = [];
  for (const segment of log.segments) {
    if (segment.from > log.last) break;
    segments.push({ ...segment, to: Math.min(segment.to, log.last) });
  }
  return { segments, last: log.last };
}

/** Only the owner of the segments appends. */
export function append(log: RaftLog, term: number, entries: number, membership?: Membership): void {
  const tail = log.segments.at(-1);
  const from = log.last + 1;
  log.last += entries;
  if (tail?.term === term && membership === undefined && tail.membership === undefined) tail.to = log.last;
  else log.segments.push({ term, from, to: log.last, membership });
}

export function termAt(log: RaftLog, index: number): number {
  if (index > log.last) return 0;
  for (let at = log.segments.length - 1; at >= 0; at--) {
    const segment = log.segments[at] as Segment;
    if (segment.from <= index) return index <= segment.to ? segment.term : 0;
  }
  return 0;
}

export function lastTerm(log: RaftLog): number {
  return termAt(log, log.last);
}

/** Raft 5.4.1: whether `log` may lead one that has `other`. */
export function isUpToDate(log: RaftLog, other: RaftLog): boolean {
  const [own, their] = [lastTerm(log), lastTerm(other)];
  return own > their || (own === their && log.last >= other.last);
}

/** The last index on which both agree. */
export function agreedIndex(a: RaftLog, b: RaftLog): number {
  if (a.segments === b.segments) return Math.min(a.last, b.last);
  let agreed = 0;
  let [i, j] = [0, 0];
  while (i < a.segments.length && j < b.segments.length) {
    const [one, other] = [a.segments[i] as Segment, b.segments[j] as Segment];
    if (one.term !== other.term) break;
    const [oneEnd, otherEnd] = [Math.min(one.to, a.last), Math.min(other.to, b.last)];
    agreed = Math.max(agreed, Math.min(oneEnd, otherEnd));
    if (agreed === a.last || agreed === b.last) break;
    if (oneEnd <= agreed) i++;
    if (otherEnd <= agreed) j++;
  }
  return agreed;
}

/** What holds at `index`: the newest change at or before it. */
export function membershipAt(log: RaftLog, index: number): { readonly index: number; readonly membership: Membership } {
  for (let at = log.segments.length - 1; at >= 0; at--) {
    const { from, membership } = log.segments[at] as Segment;
    if (membership !== undefined && from <= index && from <= log.last) return { index: from, membership };
  }
  return { index: 0, membership: NOBODY };
}

const NOBODY: Membership = membershipOf([]);
