/**
 * The exact check of a history against etcd's semantics. Every answer has a revision, so the order of all that changed
 * something is known, and a search is not needed: (a) that order agrees with the order in time; (b) no two writes share a
 * revision and none is missing; (c) replayed in that order, every field of every answer is what the model says; (d) each
 * revision that nobody was told of is explained by an operation without an answer, or by a lease that ended, and by each
 * at most once. Linear in the operations, but for sorting; memory: each version of each key once.
 */
import { checkCompactions } from "./compactions.ts";
import { Explanations, type Lost } from "./explanations.ts";
import {
  assertHistory,
  type Change,
  type ChangeLog,
  type Kv,
  type KvRequest,
  type Operation,
  type Verdict,
  Violations,
  wrote,
} from "./history.ts";
import { evaluate, type Outcome, Versions } from "./model.ts";
import { sameChanges, sameResult } from "./same.ts";
import { type Answered, checkTimeOrder, Floor, isAnswered } from "./time-order.ts";
import { changesWords, operationWords, resultWords } from "./words.ts";

export interface RevisionOrderOptions {
  /** What a member's store, its log or a watcher of every key shows. Needed as soon as a write had no answer. */
  readonly log?: ChangeLog;
  /** Where the store began; without it an empty one at revision 1. */
  readonly start?: { readonly revision: number; readonly kvs: readonly Kv[] };
}

export interface RevisionOrderReport {
  readonly verdict: Verdict;
  /** Revisions that the end of a lease made, as far as they were found: what the lease checker needs. */
  readonly leaseEnds: readonly Lost[];
  /** The last revision that was replayed. */
  readonly revision: number;
}

/** Throws an Error when `operations` are no history; whatever the server did wrong is in the verdict. */
export function checkRevisionOrder(
  operations: readonly Operation[],
  options: RevisionOrderOptions = {},
): RevisionOrderReport {
  assertHistory(operations);
  return new Check(operations, options).run();
}

class Check {
  readonly #violations = new Violations();
  readonly #operations: readonly Operation[];
  readonly #log: ChangeLog | undefined;
  readonly #floor: Floor;
  readonly #state: Versions;
  /** Acknowledged writes by their revision. */
  readonly #writes = new Map<number, Answered>();
  /** What changed nothing, by the revision whose state it saw. */
  readonly #readers = new Map<number, Answered[]>();
  readonly #explanations: Explanations;
  #undecided: string | undefined;

  constructor(operations: readonly Operation[], { log, start }: RevisionOrderOptions) {
    this.#operations = operations;
    this.#log = log;
    this.#state = new Versions(start?.revision, start?.kvs);
    this.#floor = new Floor(operations.filter(isAnswered));
    this.#explanations = new Explanations(operations, this.#floor);
  }

  run(): RevisionOrderReport {
    const answered = this.#operations.filter(isAnswered);
    checkTimeOrder(answered, this.#floor, this.#violations);
    for (const operation of answered) this.#place(operation);
    this.#replay();
    checkCompactions(this.#operations, this.#floor, this.#violations);
    const { unexplained, leaseEnds } = this.#explanations.match();
    if (this.#undecided === undefined)
      for (const text of unexplained) this.#violations.add("change that nobody asked for", text);
    this.#checkAttached(leaseEnds);
    return { verdict: this.#verdict(), leaseEnds, revision: this.#state.revision };
  }

  #verdict(): Verdict {
    const verdict = this.#violations.verdict();
    if (verdict.verdict === "right" && this.#undecided !== undefined)
      return { verdict: "unknown", reason: this.#undecided };
    return verdict;
  }

  #place(operation: Answered): void {
    const { result, revision } = operation.answer;
    const { request } = operation;
    if (wrote(result)) {
      const other = this.#writes.get(revision);
      if (other === undefined) this.#writes.set(revision, operation);
      else
        this.#violations.add(
          "two writes at one revision",
          `${operationWords(operation)} and ${operationWords(other)} were both acknowledged at ${revision}`,
        );
      return;
    }
    const seen = request.kind === "range" && request.revision > 0 ? request.revision : revision;
    if (seen > revision)
      this.#violations.add(
        "read of the future",
        `${operationWords(operation)} was answered, and its header says that ${revision} was the present`,
      );
    else if (seen < this.#state.revision && request.kind === "range")
      this.#undecided ??= `${operationWords(operation)} reads before revision ${this.#state.revision}, where the history begins`;
    else {
      const readers = this.#readers.get(seen);
      if (readers === undefined) this.#readers.set(seen, [operation]);
      else readers.push(operation);
    }
  }

  #replay(): void {
    this.#read(this.#state.revision);
    const last = this.#lastRevision();
    for (let revision = this.#state.revision + 1; revision <= last; revision++) {
      if (this.#violations.isFull) return;
      const changes = this.#changesAt(revision);
      if (changes === undefined) return;
      this.#state.apply(revision, changes);
      this.#read(revision);
    }
  }

  #lastRevision(): number {
    let last = this.#log?.last ?? 0;
    for (const revision of this.#writes.keys()) last = Math.max(last, revision);
    for (const revision of this.#readers.keys()) last = Math.max(last, revision);
    return last;
  }

  /** What the revision changed; undefined when that cannot be known, and the replay ends. */
  #changesAt(revision: number): readonly Change[] | undefined {
    const write = this.#writes.get(revision);
    const logged = this.#loggedAt(revision);
    if (write !== undefined) return this.#replayWrite(write, logged);
    if (logged === "beyond") return this.#gap(revision);
    if (logged.length === 0) {
      this.#violations.add(
        "revision without a change",
        `revision ${revision} changed nothing and nobody was told of it`,
      );
      return undefined;
    }
    this.#explanations.note(revision, logged, this.#state);
    return logged;
  }

  #loggedAt(revision: number): readonly Change[] | "beyond" {
    if (this.#log === undefined || revision < this.#log.first || revision > this.#log.last) return "beyond";
    return this.#log.changes.get(revision) ?? [];
  }

  /** Nobody was told of the revision, and the log does not reach it. */
  #gap(revision: number): undefined {
    const readers = this.#readers.get(revision);
    const isLost = this.#log?.isWhole === true && revision > this.#log.last;
    const hint = readers?.[0] === undefined ? "" : `, but ${operationWords(readers[0])} saw it`;
    if (isLost) this.#violations.add("lost revision", `the store ends at ${this.#log?.last}${hint}`);
    else if (this.#explanations.canExplainGaps) {
      this.#undecided ??= `revision ${revision} belongs to a write without an answer: give the log that shows it`;
    } else this.#violations.add("gap", `nobody wrote revision ${revision}${hint}`);
  }

  #replayWrite(write: Answered, logged: readonly Change[] | "beyond"): readonly Change[] | undefined {
    const { revision, result } = write.answer;
    const outcome = this.#evaluate(write, revision);
    if (outcome.kind === "refused") {
      this.#violations.add("wrong answer", `${operationWords(write)} had to be refused: ${outcome.why}`);
      return logged === "beyond" ? undefined : logged;
    }
    if (!sameResult(outcome.result, result))
      this.#violations.add(
        "wrong answer",
        `${operationWords(write)}; by all that was written before it: ${resultWords(outcome.result) || "no earlier key"}`,
      );
    if (logged === "beyond") {
      if (this.#log?.isWhole === true && revision > this.#log.last)
        this.#violations.add("lost write", `${operationWords(write)}, but the store ends at ${this.#log.last}`);
      return outcome.changes;
    }
    if (!sameChanges(outcome.changes, logged))
      this.#violations.add(
        logged.length === 0 ? "lost write" : "other change in the log",
        `${operationWords(write)}, and revision ${revision} of the log is ${changesWords(logged)} instead of ${changesWords(outcome.changes)}`,
      );
    return logged.length === 0 ? outcome.changes : logged;
  }

  /** Answers of what changed nothing, held against the state after `revision`. */
  #read(revision: number): void {
    for (const reader of this.#readers.get(revision) ?? []) {
      const { request, answer } = reader;
      if (request.kind === "revoke") this.#checkRevoked(reader, request.lease);
      if (answer.result.kind !== request.kind)
        this.#violations.add("wrong answer", `${operationWords(reader)} is the answer to something else`);
      if (!isKv(request)) continue;
      const outcome = this.#evaluate(reader, revision + 1);
      if (outcome.kind === "refused" || !sameResult(outcome.result, answer.result))
        this.#violations.add(
          "wrong answer",
          `${operationWords(reader)}; at revision ${revision} it was ${outcome.kind === "refused" ? outcome.why : resultWords(outcome.result)}`,
        );
      else if (outcome.changes.length > 0)
        this.#violations.add("wrong answer", `${operationWords(reader)} changed ${changesWords(outcome.changes)}`);
    }
  }

  #checkRevoked(reader: Answered, lease: bigint): void {
    const left = this.#state.keysOf(lease);
    if (left.length === 0) return;
    this.#violations.add(
      "key on a revoked lease",
      `${operationWords(reader)}, but "${left[0]}" still hangs on it there`,
    );
  }

  #evaluate({ request }: Answered, revision: number): Outcome {
    if (!isKv(request)) return { kind: "done", result: { kind: "compact" }, changes: [] };
    // Which revision a top-level read asks for decided where it stands; inside transactions it is looked up.
    const placed = request.kind === "range" ? { ...request, revision: 0 } : request;
    return evaluate(placed, { view: this.#state, revision, at: (earlier) => this.#state.at(earlier) });
  }

  /** Nothing is attached to a lease after the revision that ended it, but after it was granted anew. */
  #checkAttached(leaseEnds: readonly Lost[]): void {
    if (leaseEnds.length === 0) return;
    const regranted = new Set<bigint>();
    const granted = new Set<bigint>();
    for (const { request } of this.#operations) {
      if (request.kind !== "grant") continue;
      if (granted.has(request.lease)) regranted.add(request.lease);
      granted.add(request.lease);
    }
    const ends = new Map(leaseEnds.map(({ lease, revision }) => [lease, revision]));
    for (const [revision, write] of this.#writes) {
      for (const lease of attachedBy(write)) {
        const end = ends.get(lease);
        if (end === undefined || end >= revision || regranted.has(lease)) continue;
        this.#violations.add(
          "key on a dead lease",
          `${operationWords(write)}, but lease ${lease} ended at revision ${end}`,
        );
      }
    }
  }
}

function isKv(request: Operation["request"]): request is KvRequest {
  return request.kind === "put" || request.kind === "range" || request.kind === "delete" || request.kind === "txn";
}

/** Leases that the put attaches a key to; those of transactions depend on the branch, and are seen by the log. */
function attachedBy({ request }: Answered): bigint[] {
  return request.kind === "put" && request.lease !== 0n ? [request.lease] : [];
}
