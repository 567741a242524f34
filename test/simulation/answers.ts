/**
 * What clients of a cluster were told, and whether the one history explains it. Every answer says at which revision it was
 * made, so the order of all calls is known: what is left to check is that this order agrees with the order in time, and
 * that each answer is what the history says at its revision. Exact, and linear in the calls (but for a logarithm).
 */
import type { Agreed, Change, Version } from "./agreed.ts";

/** A key as a client was shown it. */
export interface Shown extends Version {
  readonly key: string;
}

/** Keys from `from` on, below `to`; the one key `from` when `to` is undefined. */
export interface Span {
  readonly from: string;
  readonly to?: string | undefined;
}

/** What a transaction asks of a key: its value, or the revision of its last change (0: there is none). */
export type Condition =
  | { readonly target: "value"; readonly key: string; readonly value: string }
  | { readonly target: "modRevision"; readonly key: string; readonly revision: number };

/** What a call writes; `value` undefined: it deletes. */
export interface Wanted {
  readonly key: string;
  readonly value: string | undefined;
  readonly lease?: bigint;
}

/** What was answered, by what was asked. */
export type Told =
  | { readonly kind: "put"; readonly wanted: Wanted; readonly previous: Shown | undefined }
  | { readonly kind: "delete"; readonly span: Span; readonly deleted: number; readonly previous: readonly Shown[] }
  /** `atRevision`: what was asked for; `isStale`: what may be old was good enough. */
  | {
      readonly kind: "read";
      readonly span: Span;
      readonly shown: readonly Shown[];
      readonly atRevision?: number;
      readonly isStale?: boolean;
    }
  | {
      readonly kind: "txn";
      readonly conditions: readonly Condition[];
      readonly held: boolean;
      readonly wanted: readonly Wanted[];
      /** Of the read that is made instead. */
      readonly span: Span;
      readonly shown: readonly Shown[];
    }
  /** Refused, for the history that was asked for is gone. */
  | { readonly kind: "compacted"; readonly atRevision: number };

export interface Answer {
  readonly client: string;
  /** Of the header. */
  readonly revision: number;
  /** By the clock that all clients share. */
  readonly beganMs: number;
  readonly endedMs: number;
  readonly told: Told;
}

export class Answers {
  readonly all: Answer[] = [];
  /** Compactions that somebody has asked for, the highest. */
  compactedMax = 0;

  /** Throws an Error at the first answer that `agreed` does not explain. */
  check(agreed: Agreed): void {
    for (const answer of this.all) {
      const complaint = this.#complaint(answer, agreed);
      if (complaint !== undefined) throw new Error(`${describe(answer)}: ${complaint}`);
    }
    this.#checkTime();
  }

  #complaint({ told, revision }: Answer, agreed: Agreed): string | undefined {
    switch (told.kind) {
      case "put":
        return (
          wroteExactly(agreed.at(revision), [told.wanted]) ??
          sameAs(told.previous, told.wanted.key, agreed.versionAt(told.wanted.key, revision - 1))
        );
      case "delete":
        return deletedRightly(told, revision, agreed);
      case "read":
        return readRightly(told.span, told.shown, told.atRevision ?? revision, agreed);
      case "txn":
        return txnRightly(told, revision, agreed);
      case "compacted":
        return told.atRevision < this.compactedMax
          ? undefined
          : `no compaction above ${this.compactedMax} was asked for`;
    }
  }

  /** Whatever ended before another began has no higher revision, and what wrote has a lower one than what it wrote at. */
  #checkTime(): void {
    const counted = this.all.filter(({ told }) => !(told.kind === "read" && told.isStale) && told.kind !== "compacted");
    const ends = [...counted].sort((left, right) => left.endedMs - right.endedMs);
    const begins = counted.sort((left, right) => left.beganMs - right.beganMs);
    let highest: Answer | undefined;
    let at = 0;
    for (const answer of begins) {
      for (; at < ends.length && (ends[at] as Answer).endedMs < answer.beganMs; at++) {
        const ended = ends[at] as Answer;
        if (highest === undefined || ended.revision > highest.revision) highest = ended;
      }
      const least = (highest?.revision ?? 0) + (hasWritten(answer) ? 1 : 0);
      if (answer.revision >= least || highest === undefined) continue;
      throw new Error(`${describe(answer)} began when ${describe(highest)} had ended`);
    }
  }
}

/** For people. */
export function describe({ client, told, revision, beganMs, endedMs }: Answer): string {
  return `${told.kind} of ${client} (${beganMs} to ${endedMs} ms, revision ${revision})`;
}

function hasWritten({ told }: Answer): boolean {
  if (told.kind === "put") return true;
  if (told.kind === "delete") return told.deleted > 0;
  return told.kind === "txn" && told.held && told.wanted.length > 0;
}

/** Whether a revision is what a call has asked for, and nothing more. */
function wroteExactly(changes: readonly Change[], wanted: readonly Wanted[]): string | undefined {
  const is = changes.map(({ key, version }) => textOf(key, version?.value, version?.lease)).sort();
  const ought = wanted.map(({ key, value, lease }) => textOf(key, value, lease)).sort();
  return is.join("; ") === ought.join("; ")
    ? undefined
    : `${ought.join("; ")} was acknowledged, where ${is.join("; ") || "nothing"} is`;
}

function textOf(key: string, value: string | undefined, lease = 0n): string {
  return `"${key}" = ${value ?? "gone"}${value !== undefined && lease !== 0n ? ` by ${lease}` : ""}`;
}

function deletedRightly(
  { span, deleted, previous }: Told & { kind: "delete" },
  revision: number,
  agreed: Agreed,
): string | undefined {
  if (deleted === 0) return readRightly(span, [], revision, agreed);
  const complaint = readRightly(span, previous, revision - 1, agreed);
  if (complaint !== undefined) return complaint;
  if (deleted !== previous.length) return `${deleted} keys are said to be gone, of ${previous.length}`;
  return wroteExactly(
    agreed.at(revision),
    previous.map(({ key }) => ({ key, value: undefined })),
  );
}

function readRightly(span: Span, shown: readonly Shown[], revision: number, agreed: Agreed): string | undefined {
  if (revision > agreed.revision) return `revision ${revision} was read, and nobody has come beyond ${agreed.revision}`;
  const expected = keysOf(span, agreed).filter((key) => agreed.versionAt(key, revision) !== undefined);
  const found = shown.map(({ key }) => key);
  if (expected.join() !== found.join())
    return `at revision ${revision} there are the keys "${expected.join()}", and "${found.join()}" were shown`;
  for (const one of shown) {
    const complaint = sameAs(one, one.key, agreed.versionAt(one.key, revision));
    if (complaint !== undefined) return `at revision ${revision}, ${complaint}`;
  }
  return undefined;
}

function txnRightly(told: Told & { kind: "txn" }, revision: number, agreed: Agreed): string | undefined {
  const writes = told.held && told.wanted.length > 0;
  const before = writes ? revision - 1 : revision;
  const holds = told.conditions.every((condition) => isMet(condition, before, agreed));
  if (holds !== told.held) return `its conditions ${holds ? "hold" : "do not hold"} at revision ${before}`;
  return writes ? wroteExactly(agreed.at(revision), told.wanted) : readRightly(told.span, told.shown, revision, agreed);
}

function isMet(condition: Condition, revision: number, agreed: Agreed): boolean {
  const version = agreed.versionAt(condition.key, revision);
  // As etcd: the value of what is not there equals nothing.
  if (condition.target === "value") return version !== undefined && version.value === condition.value;
  return (version?.modRevision ?? 0) === condition.revision;
}

function keysOf({ from, to }: Span, agreed: Agreed): string[] {
  if (to === undefined) return [from];
  return agreed.keys().filter((key) => key >= from && key < to);
}

function sameAs(shown: Shown | undefined, key: string, version: Version | undefined): string | undefined {
  const [is, ought] = [wholeText(shown), wholeText(version)];
  return is === ought ? undefined : `"${key}" was shown as ${is}, and is ${ought}`;
}

function wholeText(version: Version | undefined): string {
  if (version === undefined) return "gone";
  const { value, createRevision, modRevision, version: count, lease } = version;
  return `${value} (${createRevision}/${modRevision}/${count}/${lease})`;
}
