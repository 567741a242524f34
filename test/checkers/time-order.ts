/**
 * The order in time of a history whose answers carry revisions: what had returned before another was called has no
 * higher revision, and a write has a higher one than all of that.
 */
import { mayLag, type Operation, type Violations, wrote } from "./history.ts";
import { operationWords } from "./words.ts";

/** An operation that was answered with a revision. */
export interface Answered extends Operation {
  readonly answer: Extract<NonNullable<Operation["answer"]>, { kind: "done" }>;
}

export function isAnswered(operation: Operation): operation is Answered {
  return operation.answer?.kind === "done";
}

/** The highest revision that anybody had been told by a moment, and who. */
export class Floor {
  /** Operations in the order of their return, only those that raise the revision. */
  readonly #steps: Answered[] = [];

  constructor(operations: readonly Answered[]) {
    const byReturn = [...operations].sort((left, right) => left.returnedMs - right.returnedMs);
    let highest = Number.NEGATIVE_INFINITY;
    for (const operation of byReturn) {
      if (operation.answer.revision <= highest) continue;
      highest = operation.answer.revision;
      this.#steps.push(operation);
    }
  }

  /** Who returned the highest revision before `timeMs`; undefined when nobody had. */
  before(timeMs: number): Answered | undefined {
    let [low, high] = [0, this.#steps.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#steps[middle] as Answered).returnedMs < timeMs) low = middle + 1;
      else high = middle;
    }
    return this.#steps[low - 1];
  }

  /** 0 when nobody had returned. */
  revisionBefore(timeMs: number): number {
    return this.before(timeMs)?.answer.revision ?? 0;
  }

  /** The earliest time by which a revision of at least `revision` had been answered; Infinity: never. */
  knownAtMs(revision: number): number {
    let [low, high] = [0, this.#steps.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#steps[middle] as Answered).answer.revision < revision) low = middle + 1;
      else high = middle;
    }
    return this.#steps[low]?.returnedMs ?? Number.POSITIVE_INFINITY;
  }
}

/** Adds what breaks the order. Answers that may lag bind others, and nothing binds them from below. */
export function checkTimeOrder(operations: readonly Answered[], floor: Floor, violations: Violations): void {
  for (const operation of operations) {
    if (mayLag(operation.request)) continue;
    const before = floor.before(operation.calledMs);
    if (before === undefined) continue;
    const isWrite = wrote(operation.answer.result);
    const least = before.answer.revision + (isWrite ? 1 : 0);
    if (operation.answer.revision >= least) continue;
    violations.add(
      isWrite ? "write in the past" : "stale read",
      `${operationWords(operation)}, but revision ${before.answer.revision} had been answered before it was called: ${operationWords(before)}`,
    );
    if (violations.isFull) return;
  }
}
