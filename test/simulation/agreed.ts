/**
 * The one history of a simulated cluster: every change by its revision, taken from each member at the moment at which it
 * has applied it. Members that differ in any of them, or that leave one out, are found at once. What clients and watchers
 * were told is held against it.
 */
import { fromByteString, printableBytes, utf8Text } from "../../server/base/bytes.ts";
import { crc32c } from "../../server/base/crc32c.ts";
import type { Store } from "../../server/mvcc/store.ts";
import { KeyValue } from "../../server/proto/mvccpb.ts";

/** A key as it stands at some revision. */
export interface Version {
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease: bigint;
}

/** One change; `version` undefined: a deletion. */
export interface Change {
  readonly revision: number;
  readonly key: string;
  readonly version: Version | undefined;
  /** Of the record as it is stored. */
  readonly sum: number;
}

export class Agreed {
  readonly #nowMs: () => number;
  /** From revision 2 on, whole revisions in their order. */
  readonly #revisions: { readonly atMs: number; readonly changes: readonly Change[] }[] = [];
  readonly #versions = new Map<string, Change[]>();
  readonly #values = new Map<string, number>();
  /** Called with each revision when the first member has applied it. */
  readonly #applied: (revision: number, changes: readonly Change[]) => void;

  constructor(nowMs: () => number, applied: (revision: number, changes: readonly Change[]) => void) {
    this.#nowMs = nowMs;
    this.#applied = applied;
  }

  /** The newest revision that any member has applied. */
  get revision(): number {
    return this.#revisions.length + 1;
  }

  /** Compares all of a member's changes above `seen` that it still has. Answers its revision. Throws an Error at a difference. */
  take(who: string, store: Store, seen: number): number {
    const from = Math.max(seen + 1, store.compactRevision + 1, 2);
    const { currentRevision } = store;
    let changes: Change[] = [];
    for (const { type, key, kv, revision } of store.events(from, currentRevision, Number.POSITIVE_INFINITY)) {
      if (changes.length > 0 && changes[0]?.revision !== revision.main) {
        this.#add(who, changes);
        changes = [];
      }
      const version = type === "put" ? versionOf(KeyValue.decode(kv)) : undefined;
      const name = printableBytes(fromByteString(key));
      changes.push({ revision: revision.main, key: name, version, sum: crc32c(kv) });
    }
    if (changes.length > 0) this.#add(who, changes);
    return currentRevision;
  }

  /** The changes of one revision; none of one that nobody has applied. */
  at(revision: number): readonly Change[] {
    return this.#revisions[revision - 2]?.changes ?? [];
  }

  /** A key as it stood after `revision`; undefined: it was not there. */
  versionAt(key: string, revision: number): Version | undefined {
    const changes = this.#versions.get(key) ?? [];
    let [low, high] = [0, changes.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((changes[middle] as Change).revision <= revision) low = middle + 1;
      else high = middle;
    }
    return changes[low - 1]?.version;
  }

  /** Keys that ever were, in their order. */
  keys(): string[] {
    return [...this.#versions.keys()].sort();
  }

  #add(who: string, changes: readonly Change[]): void {
    const { revision } = changes[0] as Change;
    if (revision <= this.revision) {
      const known = this.at(revision);
      if (said(known) === said(changes)) return;
      throw new Error(`revision ${revision} is ${said(changes)} on ${who}, and was ${said(known)} on another member`);
    }
    if (revision > this.revision + 1)
      throw new Error(`${who} is at revision ${revision}, and nobody has had ${this.revision + 1}`);
    this.#revisions.push({ atMs: this.#nowMs(), changes });
    for (const change of changes) this.#note(change);
    this.#applied(revision, changes);
  }

  #note(change: Change): void {
    const all = this.#versions.get(change.key);
    if (all === undefined) this.#versions.set(change.key, [change]);
    else all.push(change);
    if (change.version === undefined) return;
    // No two calls write the same value: whoever sees one twice has carried out one call twice.
    const { value } = change.version;
    const before = this.#values.get(value);
    if (before !== undefined)
      throw new Error(`${value} was written at revision ${before} and again at ${change.revision}`);
    this.#values.set(value, change.revision);
  }
}

function versionOf({ value, createRevision, modRevision, version, lease }: KeyValue): Version {
  return { value: utf8Text(value), createRevision, modRevision, version, lease };
}

/** For comparing and for people. */
export function said(changes: readonly Change[]): string {
  return changes.map(({ key, version, sum }) => `${key} = ${version?.value ?? "gone"} (${sum})`).join(", ");
}
