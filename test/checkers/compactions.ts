/**
 * Compaction has no revision of its own, so it is ordered by time alone: once it was acknowledged, what lies before it
 * cannot be read; and what was refused as compacted or as future must have been, at some moment of the call.
 */
import { mayLag, type Operation, type Request, type Violations } from "./history.ts";
import type { Floor } from "./time-order.ts";
import { operationWords } from "./words.ts";

/** An operation that asks for a compaction and was not refused. */
interface Compaction {
  readonly operation: Operation;
  readonly revision: number;
}

export function checkCompactions(operations: readonly Operation[], floor: Floor, violations: Violations): void {
  const compactions = operations.flatMap((operation): Compaction[] =>
    operation.request.kind === "compact" && operation.answer?.kind !== "refused"
      ? [{ operation, revision: operation.request.revision }]
      : [],
  );
  const acknowledged = compactions.filter(({ operation }) => operation.answer !== undefined);
  const done = highest(acknowledged, ({ returnedMs }) => returnedMs);
  const possible = highest(compactions, ({ calledMs }) => calledMs);
  for (const operation of operations) {
    if (violations.isFull) return;
    const { request, answer, calledMs, returnedMs } = operation;
    if (answer === undefined) continue;
    const asked = askedRevisions(request);
    if (asked.length === 0) continue;
    if (answer.kind === "done") {
      const hiding = done(justBefore(calledMs));
      const isHidden = hiding !== undefined && asked.some((revision) => isBelow(request, revision, hiding.revision));
      if (isHidden && !mayLag(request) && request.kind !== "txn")
        violations.add(
          "read of what is compacted",
          `${operationWords(operation)} came after ${operationWords(hiding.operation)}`,
        );
    } else if (answer.why === "compacted") {
      const hiding = possible(returnedMs);
      if (hiding === undefined || !asked.some((revision) => isBelow(request, revision, hiding.revision)))
        violations.add(
          "refused without a compaction",
          `${operationWords(operation)}, and nobody had asked for a compaction that reaches it${hiding === undefined ? "" : `; the highest was ${operationWords(hiding.operation)}`}`,
        );
    } else if (answer.why === "future revision" && !mayLag(request)) {
      const before = floor.before(calledMs);
      if (before !== undefined && asked.every((revision) => revision <= before.answer.revision))
        violations.add(
          "refused as future",
          `${operationWords(operation)}, but it was the past already: ${operationWords(before)}`,
        );
    }
  }
}

/** Compacting at the compacted revision is refused; reading there is not. */
function isBelow(request: Request, revision: number, compacted: number): boolean {
  return request.kind === "compact" ? revision <= compacted : revision < compacted;
}

/** Revisions that the request names. */
function askedRevisions(request: Request): number[] {
  if (request.kind === "compact") return [request.revision];
  if (request.kind === "range") return request.revision > 0 ? [request.revision] : [];
  if (request.kind !== "txn") return [];
  return [...request.success, ...request.failure].flatMap(askedRevisions);
}

/** What ends at the moment at which another begins is not before it. */
function justBefore(momentMs: number): number {
  return momentMs - Math.max(Number.MIN_VALUE, Math.abs(momentMs) * Number.EPSILON);
}

/** A function that tells the highest compaction whose time is up to a moment. */
function highest(
  compactions: readonly Compaction[],
  timeOf: (operation: Operation) => number,
): (momentMs: number) => Compaction | undefined {
  const steps: Compaction[] = [];
  for (const one of [...compactions].sort((left, right) => timeOf(left.operation) - timeOf(right.operation)))
    if (one.revision > (steps.at(-1)?.revision ?? -1)) steps.push(one);
  return (momentMs) => {
    let [low, high] = [0, steps.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (timeOf((steps[middle] as Compaction).operation) <= momentMs) low = middle + 1;
      else high = middle;
    }
    return steps[low - 1];
  };
}
