/**
 * The one history of a simulated cluster: every change by its revision, taken from each member at the moment at which it
 * has applied it. Members that differ in any of them, or that leave one out, are found at once. At the end it is the log
 * that the checkers hold all answers and events against.
 */
import { equalBytes } from "../../server/base/bytes.ts";
import type { Change as StoredChange } from "../../server/mvcc/event.ts";
import type { Store } from "../../server/mvcc/store.ts";
import type { Change, ChangeLog, Kv } from "../checkers/history.ts";
import { logOf } from "../checkers/messages.ts";
import { changesWords } from "../checkers/words.ts";

interface AgreedRevision {
  /** When the first member had applied it. */
  readonly atMs: number;
  readonly stored: readonly StoredChange[];
  readonly changes: readonly Change[];
}

export class Agreed {
  readonly #nowMs: () => number;
  /** From revision 2 on, whole revisions in their order. */
  readonly #revisions: AgreedRevision[] = [];
  readonly #versions = new Map<string, { readonly revision: number; readonly kv: Kv | undefined }[]>();
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
    let changes: StoredChange[] = [];
    for (const change of store.events(from, currentRevision, Number.POSITIVE_INFINITY)) {
      if (changes.length > 0 && changes[0]?.revision.main !== change.revision.main) {
        this.#add(who, changes);
        changes = [];
      }
      changes.push(change);
    }
    if (changes.length > 0) this.#add(who, changes);
    return currentRevision;
  }

  /** When the first member had applied a revision; undefined: none has. */
  appliedMs(revision: number): number | undefined {
    return this.#revisions[revision - 2]?.atMs;
  }

  /** A key as it stood after `revision`; undefined: it was not there. */
  versionAt(key: string, revision: number): Kv | undefined {
    return this.#versions.get(key)?.findLast((version) => version.revision <= revision)?.kv;
  }

  /** All of it; `isWhole`: nothing beyond it may have been acknowledged. */
  log(isWhole: boolean): ChangeLog {
    const changes = new Map(this.#revisions.map((revision, at) => [at + 2, revision.changes]));
    return { first: 2, last: this.revision, isWhole, changes };
  }

  #add(who: string, stored: readonly StoredChange[]): void {
    const revision = (stored[0] as StoredChange).revision.main;
    const known = this.#revisions[revision - 2];
    if (known !== undefined) {
      if (isSame(known.stored, stored)) return;
      throw new Error(
        `revision ${revision} is ${said(stored)} on ${who}, and was ${said(known.stored)} on another member`,
      );
    }
    if (revision > this.revision + 1)
      throw new Error(`${who} is at revision ${revision}, and nobody has had ${this.revision + 1}`);
    const changes = logOf(stored, { first: revision, last: revision, isWhole: false }).changes.get(revision) ?? [];
    this.#revisions.push({ atMs: this.#nowMs(), stored, changes });
    for (const change of changes) this.#note(change, revision);
    this.#applied(revision, changes);
  }

  #note(change: Change, revision: number): void {
    const key = change.kind === "put" ? change.kv.key : change.key;
    const version = { revision, kv: change.kind === "put" ? change.kv : undefined };
    const all = this.#versions.get(key);
    if (all === undefined) this.#versions.set(key, [version]);
    else all.push(version);
  }
}

function isSame(left: readonly StoredChange[], right: readonly StoredChange[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ type, kv }, at) => type === right[at]?.type && equalBytes(kv, (right[at] as StoredChange).kv))
  );
}

/** For people. */
function said(stored: readonly StoredChange[]): string {
  const { main } = (stored[0] as StoredChange).revision;
  return changesWords(logOf(stored, { first: main, last: main, isWhole: false }).changes.get(main) ?? []);
}
