/** Holds what the clients of a cluster were told against all that the checkers know. */
import { setImmediate as turn } from "node:timers/promises";
import {
  assertRight,
  type Change,
  type ChangeLog,
  type Operation,
  type Request,
  type Verdict,
} from "../../checkers/history.ts";
import { checkLeases } from "../../checkers/lease-checker.ts";
import { checkLinearizable } from "../../checkers/linearizable.ts";
import { checkListAppend } from "../../checkers/list-append.ts";
import { checkRevisionOrder } from "../../checkers/revision-order.ts";
import { trueEvents } from "../../checkers/watch-history.ts";
import { checkWatchers } from "../../checkers/watch-validators.ts";
import { RATE_MAX } from "./faults-of-disks-and-clocks.ts";
import { windowOf } from "./key-clients.ts";
import { TTL_MAX_MS } from "./lease-clients.ts";
import type { Load } from "./load.ts";
import type { WatchLoop } from "./watch-loop.ts";

/** Of one window; more is not tried. */
const STEPS_MAX = 100_000;
/** Each doubles the orders that are possible. */
const OPEN_MAX = 8;
/**
 * How long a lease may outlive its time is not bound here: each new leader gives it all of it anew, and while nobody leads
 * nothing ends. That all have ended soon after the faults is asked of the cluster itself.
 */
const LATE_MS = Number.POSITIVE_INFINITY;

export interface Judgement {
  /** Calls, and how many of them were answered. */
  readonly operations: number;
  readonly answers: number;
  readonly revision: number;
  readonly events: number;
  readonly leasesEnded: number;
  readonly lists: number;
  /** Short histories in which an order was found, and those in which too much was open to look for one. */
  readonly windows: number;
  readonly undecided: number;
}

/** Throws an Error with the first promises that were not kept. `last`: the revision at which all members were level. */
export async function judge(load: Load, last: number): Promise<Judgement> {
  const { recorder, watchers, log: logged } = load;
  const { operations, lists } = recorder;
  const log = logOf(logged, last);
  const { verdict, leaseEnds, revision } = checkRevisionOrder(operations, { log });
  right("the order of revisions", verdict);
  await turn();
  const truth = trueEvents(log);
  const pieces = [logged, ...watchers].flatMap((watcher) => watcher.pieces);
  right("watches", checkWatchers(pieces, truth, { compactedTo: load.compactedTo }));
  right(
    "leases",
    checkLeases(operations, { ends: leaseEnds, lateMs: LATE_MS, driftMs: TTL_MAX_MS * (RATE_MAX - 1) + 50 }),
  );
  await turn();
  right("lists", checkListAppend(lists));
  let [windows, undecided] = [0, 0];
  for (const window of windowsOf(operations)) {
    await turn();
    const found = isSearchable(window) ? checkLinearizable(window, { stepsMax: STEPS_MAX }) : undefined;
    if (found?.verdict === "wrong") right("a window", found);
    if (found?.verdict === "right") windows++;
    else undecided++;
  }
  const events = [logged, ...watchers].reduce((sum, watcher) => sum + watcher.events, 0);
  const counts = { operations: operations.length, answers: recorder.answers, revision, events, lists: lists.length };
  return { ...counts, leasesEnded: leaseEnds.length, windows, undecided };
}

function right(what: string, verdict: Verdict): void {
  try {
    assertRight(verdict);
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).message}`);
  }
}

/** All that the log was sent, as far as the members had come. */
function logOf({ pieces }: WatchLoop, last: number): ChangeLog {
  const changes = new Map<number, Change[]>();
  for (const { responses } of pieces)
    for (const { events } of responses)
      for (const { kind, kv } of events) {
        const change: Change =
          kind === "put" ? { kind: "put", kv } : { kind: "delete", key: kv.key, revision: kv.modRevision };
        const all = changes.get(kv.modRevision);
        if (all === undefined) changes.set(kv.modRevision, [change]);
        else all.push(change);
      }
  return { first: 2, last, isWhole: true, changes };
}

/** Histories of keys that nobody used before or after. */
function windowsOf(operations: readonly Operation[]): Operation[][] {
  const windows = new Map<string, Operation[]>();
  for (const operation of operations) {
    const name = windowNamed(operation.request);
    if (name === undefined) continue;
    const window = windows.get(name);
    if (window === undefined) windows.set(name, [operation]);
    else window.push(operation);
  }
  return [...windows.values()];
}

/** Serializable ranges over all windows belong to none; the search leaves them out anyway. */
function windowNamed(request: Request): string | undefined {
  if (request.kind === "range" && request.serializable) return undefined;
  if (request.kind === "put" || request.kind === "range" || request.kind === "delete") return windowOf(request.key);
  if (request.kind !== "txn") return undefined;
  const [first] = [...request.success, ...request.failure];
  return first === undefined ? undefined : windowNamed(first);
}

function isSearchable(window: readonly Operation[]): boolean {
  return window.filter(({ answer, request }) => answer === undefined && request.kind !== "range").length <= OPEN_MAX;
}
