/**
 * What is made of a simulated history when it is over: the checkers are given all that clients asked and were told, all
 * that watchers were sent, and the one history of the cluster. Each must say that it is right.
 */
import type { ChangeLog, Operation, Verdict } from "../checkers/history.ts";
import { checkLeases } from "../checkers/lease-checker.ts";
import { checkLinearizable } from "../checkers/linearizable.ts";
import { checkListAppend } from "../checkers/list-append.ts";
import type { ListTransaction } from "../checkers/list-transactions.ts";
import { checkRevisionOrder } from "../checkers/revision-order.ts";
import { trueEvents, type Watcher } from "../checkers/watch-history.ts";
import { checkWatchers } from "../checkers/watch-validators.ts";
import { isRegister } from "./requests.ts";

export interface Evidence {
  readonly operations: readonly Operation[];
  readonly lists: readonly ListTransaction[];
  readonly watchers: readonly Watcher[];
  /** All that any member has applied, and nothing more. */
  readonly log: ChangeLog;
  /** When the first member had applied a revision. */
  readonly appliedMs: (revision: number) => number | undefined;
  /** How much faster than the world's a member's clock may go. */
  readonly rateMax: number;
}

/** Of a search without revisions, for one register; beyond it nothing is decided. */
const STEPS_MAX = 20_000;
/** Clocks tell whole milliseconds. */
const CLOCK_MS = 1;
/** Complaints of one checker that are shown. */
const SHOWN_MAX = 3;

/** Counts, by name, what was looked at. Throws an Error with what each checker complains of, unless all say "right". */
export function judge(evidence: Evidence, point: (name: string) => void): void {
  const { operations, log, watchers, lists, appliedMs, rateMax } = evidence;
  const { verdict, leaseEnds } = checkRevisionOrder(operations, { log });
  // Nobody may say how long a lease stays behind its time while there may be no leader: that all end is seen in the calm.
  const lateMs = Number.POSITIVE_INFINITY;
  const leases = checkLeases(operations, { ends: leaseEnds, lateMs, driftMs: CLOCK_MS, rateMax, appliedMs });
  const watches = checkWatchers(watchers, trueEvents(log), { compactedTo: compactedTo(operations) });
  const complaints = [verdict, ...registerVerdicts(operations, point), checkListAppend(lists), leases, watches];
  for (const { outcome } of lists) point(`list transaction ${outcome}`);
  for (const { revokedBy } of leaseEnds) point(revokedBy === undefined ? "lease ended by time" : "lease revoked");
  const texts = complaints.flatMap(textsOf);
  if (texts.length > 0) throw new Error(texts.join("\n"));
}

/** Each register is a short history that shares no key with others: searched without a look at revisions. */
function registerVerdicts(operations: readonly Operation[], point: (name: string) => void): Verdict[] {
  const registers = new Map<string, Operation[]>();
  for (const operation of operations) {
    const name = registerOf(operation);
    if (name === undefined) continue;
    const all = registers.get(name);
    if (all === undefined) registers.set(name, [operation]);
    else all.push(operation);
  }
  return [...registers.values()].flatMap((all) => {
    const verdict = checkLinearizable(all, { stepsMax: STEPS_MAX });
    point(verdict.verdict === "unknown" ? "register not decided" : "register searched");
    return verdict.verdict === "unknown" ? [] : [verdict];
  });
}

function registerOf({ request }: Operation): string | undefined {
  const part = request.kind === "txn" ? request.success[0] : request;
  return part !== undefined && "key" in part && isRegister(part.key) ? part.key : undefined;
}

/** The highest revision at which anybody asked for a compaction. */
function compactedTo(operations: readonly Operation[]): number {
  return operations.reduce((to, { request }) => (request.kind === "compact" ? Math.max(to, request.revision) : to), 0);
}

/** What is wrong, or why nothing was decided. */
function textsOf(verdict: Verdict): string[] {
  if (verdict.verdict === "right") return [];
  if (verdict.verdict === "unknown") return [`not decided: ${verdict.reason}`];
  const { violations } = verdict;
  const shown = violations.slice(0, SHOWN_MAX).map(({ text }) => text);
  return violations.length > SHOWN_MAX ? [...shown, `and ${violations.length - SHOWN_MAX} more`] : shown;
}
