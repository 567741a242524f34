/**
 * Who made the revisions that nobody was told of: operations without an answer, revocations (whose answer names no
 * revision of its own) and leases that ended. Each explains one revision at most, and only one later than all that had
 * been answered before it was called. Found by matching: a greedy choice could use up the only one that fits another.
 */
import { type Change, contains, type Kv, type KvRequest, type Operation } from "./history.ts";
import { evaluate, type Versions } from "./model.ts";
import { sameChanges } from "./same.ts";
import type { Floor } from "./time-order.ts";
import { changesWords, operationWords } from "./words.ts";

/** A lease that ended and took its keys with it. */
export interface Lost {
  readonly revision: number;
  readonly lease: bigint;
  /** The revocation that did it; undefined: it expired, or a revocation without an answer. */
  readonly revokedBy: number | undefined;
}

/** A revision in search of its cause. */
interface Unexplained {
  readonly revision: number;
  readonly changes: readonly Change[];
  /** Operations that would have made just these changes. */
  readonly candidates: readonly Operation[];
  /** The lease all whose keys were deleted. */
  readonly lease: bigint | undefined;
}

export class Explanations {
  /** Those with a put in them, by its key and value. */
  readonly #byPut = new Map<string, Operation[]>();
  /** Those that may put what stands not in the request. */
  readonly #keepers: Operation[] = [];
  /** Deletions of one key, by its name. */
  readonly #byDeletedKey = new Map<string, Operation[]>();
  /** Revocations, by their lease. */
  readonly #byLease = new Map<string, Operation[]>();
  /** The others that may delete. */
  readonly #deleters: Operation[] = [];
  /** The highest revision that had been answered before an operation was called: what it explains is later. */
  readonly #floors = new Map<Operation, number>();
  readonly #refused: Operation[] = [];
  readonly #notes: Unexplained[] = [];
  readonly #hasLeases: boolean;

  constructor(operations: readonly Operation[], floor: Floor) {
    this.#hasLeases = operations.some(({ request }) => request.kind === "grant");
    for (const operation of operations) {
      if (operation.answer === undefined || isRevocation(operation)) {
        this.#floors.set(operation, floor.revisionBefore(operation.calledMs));
        this.#index(operation);
      } else if (operation.answer.kind === "refused") this.#refused.push(operation);
    }
  }

  /** Whether anything in the history can have made a revision without an answer that names it. */
  get canExplainGaps(): boolean {
    return this.#hasLeases || this.#floors.size > 0;
  }

  /** Remembers a revision that nobody was told of. `before` is the state before it. */
  note(revision: number, changes: readonly Change[], before: Versions): void {
    const lease = endedLease(changes, before);
    const revocations = lease === undefined ? [] : (this.#byLease.get(`${lease}`) ?? []);
    const candidates = [...revocations, ...this.#possible(changes)].filter((operation) =>
      this.#fits(operation, revision, changes, before),
    );
    this.#notes.push({ revision, changes, candidates, lease });
  }

  /** Gives each revision its cause: sentences for those without one, and the leases that ended. */
  match(): { unexplained: string[]; leaseEnds: Lost[] } {
    const matching = new Matching(this.#notes);
    const unexplained: string[] = [];
    const leaseEnds: Lost[] = [];
    for (const note of this.#notes) {
      const cause = matching.causeOf(note);
      if (note.lease !== undefined && (cause === undefined || cause.request.kind === "revoke"))
        leaseEnds.push({ revision: note.revision, lease: note.lease, revokedBy: cause?.id });
      else if (cause === undefined) unexplained.push(this.#mystery(note));
    }
    return { unexplained, leaseEnds };
  }

  #index(operation: Operation): void {
    const { request } = operation;
    if (hasPart(request, (part) => part.kind === "put" && part.ignoreValue)) this.#keepers.push(operation);
    if (request.kind === "delete" && request.end === "") addTo(this.#byDeletedKey, request.key, operation);
    else if (request.kind === "revoke") addTo(this.#byLease, `${request.lease}`, operation);
    else if (hasPart(request, ({ kind }) => kind === "delete")) this.#deleters.push(operation);
    for (const name of putsOf(request)) addTo(this.#byPut, name, operation);
  }

  /** Operations that are worth trying. */
  #possible(changes: readonly Change[]): Operation[] {
    const put = changes.find((change) => change.kind === "put");
    if (put === undefined) {
      const key = changes[0]?.kind === "delete" ? changes[0].key : "";
      const others = this.#deleters.filter(({ request }) =>
        hasPart(request, (part) => part.kind === "delete" && contains(part, key)),
      );
      return [...(this.#byDeletedKey.get(key) ?? []), ...others];
    }
    return [...new Set([...(this.#byPut.get(nameOf(put.kv)) ?? []), ...this.#keepers])];
  }

  #fits(operation: Operation, revision: number, changes: readonly Change[], view: Versions): boolean {
    if (revision <= (this.#floors.get(operation) ?? 0)) return false;
    if (operation.answer?.kind === "done" && revision > operation.answer.revision) return false;
    const { request } = operation;
    if (request.kind === "revoke") return true;
    if (!isChange(request)) return false;
    const outcome = evaluate(request, { view, revision, at: (earlier) => view.at(earlier) });
    return outcome.kind === "done" && sameChanges(outcome.changes, changes);
  }

  #mystery({ revision, changes }: Unexplained): string {
    const names = new Set(changes.flatMap((change) => (change.kind === "put" ? [nameOf(change.kv)] : [])));
    const refused = this.#refused.find(({ request }) => putsOf(request).some((name) => names.has(name)));
    const hint = refused === undefined ? "" : `; it was asked for by ${operationWords(refused)}`;
    return `revision ${revision} of the log is ${changesWords(changes)}${hint}`;
  }
}

/** Augmenting paths (Kuhn): as many revisions as possible get an operation of their own. */
class Matching {
  readonly #causeOf = new Map<Unexplained, Operation>();
  readonly #usedBy = new Map<number, Unexplained>();

  constructor(notes: readonly Unexplained[]) {
    // What a lease explains as well comes last: no operation is used up for it that another needs.
    for (const note of notes.filter(({ lease }) => lease === undefined)) this.#assign(note, new Set());
    for (const note of notes.filter(({ lease }) => lease !== undefined)) this.#assign(note, new Set());
  }

  causeOf(note: Unexplained): Operation | undefined {
    return this.#causeOf.get(note);
  }

  #assign(note: Unexplained, tried: Set<number>): boolean {
    for (const operation of note.candidates) {
      if (tried.has(operation.id)) continue;
      tried.add(operation.id);
      const other = this.#usedBy.get(operation.id);
      if (other !== undefined && !this.#assign(other, tried)) continue;
      this.#usedBy.set(operation.id, note);
      this.#causeOf.set(note, operation);
      return true;
    }
    return false;
  }
}

/** The lease whose keys were all deleted, in their order, and nothing else. */
function endedLease(changes: readonly Change[], before: Versions): bigint | undefined {
  const first = changes[0];
  if (first?.kind !== "delete") return undefined;
  const lease = before.get(first.key)?.lease ?? 0n;
  if (lease === 0n) return undefined;
  const keys = before.keysOf(lease);
  const isAll =
    keys.length === changes.length && changes.every((one, at) => one.kind === "delete" && one.key === keys[at]);
  return isAll ? lease : undefined;
}

function isRevocation({ request, answer }: Operation): boolean {
  return request.kind === "revoke" && answer?.kind === "done";
}

function isChange(request: Operation["request"]): request is KvRequest {
  return request.kind === "put" || request.kind === "delete" || request.kind === "txn";
}

/** Under these the operation is found: the puts that say their value. */
function putsOf(request: Operation["request"]): string[] {
  if (request.kind === "put") return request.ignoreValue ? [] : [nameOf(request)];
  return request.kind === "txn" ? [...request.success, ...request.failure].flatMap(putsOf) : [];
}

function addTo(index: Map<string, Operation[]>, name: string, operation: Operation): void {
  const all = index.get(name);
  if (all === undefined) index.set(name, [operation]);
  else all.push(operation);
}

function hasPart(request: Operation["request"], is: (part: Operation["request"]) => boolean): boolean {
  if (is(request)) return true;
  return request.kind === "txn" && [...request.success, ...request.failure].some((part) => hasPart(part, is));
}

function nameOf({ key, value }: Pick<Kv, "key" | "value">): string {
  return `${key.length}:${key}${value}`;
}
