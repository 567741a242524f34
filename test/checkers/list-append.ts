/**
 * Transactions that append to lists and read them, checked as Elle does (Kingsbury and Alvaro, 2020): values are unique,
 * so a list that was read tells the order of all appends in it, and who depends on whom. A cycle of dependencies is an
 * anomaly with a name from Adya's thesis. Needs no revisions, and so catches a wrong revision as well as a wrong value.
 * Linear in the operations, but for the shortest cycle of each knot.
 */

import { knotsOf, shortestCycle } from "./cycles.ts";
import { type Verdict, Violations } from "./history.ts";
import { type Dependency, dependenciesOf, inTime } from "./list-dependencies.ts";
import { type ListTransaction, listWords } from "./list-transactions.ts";

/** Throws an Error when a value is appended twice; whatever the server did wrong is in the verdict. */
export function checkListAppend(transactions: readonly ListTransaction[]): Verdict {
  const violations = new Violations();
  const { dependencies, committed } = dependenciesOf(transactions, violations);
  const byId = new Map(committed.map((one) => [one.id, one]));
  for (const knot of knotsOf(dependencies)) {
    const within = dependencies.filter(({ from, to }) => knot.has(from) && knot.has(to));
    const found = anomalyOf([...within, ...allInTime(committed.filter(({ id }) => knot.has(id)))]);
    if (found === undefined) continue;
    const { name, cycle } = found;
    const ways = cycle.map(({ from, to, why }) => `${listWords(byId.get(from))}\n    ${why}, so it is before #${to}`);
    violations.add(name, `${cycle.length} transactions would each be before the other:\n  ${ways.join("\n  ")}`);
  }
  return violations.verdict();
}

/** A knot of more transactions is shown with the chains in time that the search went by. */
const KNOT_SHOWN_MAX = 300;

/** Every order in time within a knot, so that a cycle need not go step by step. */
function allInTime(knot: readonly ListTransaction[]): Dependency[] {
  if (knot.length > KNOT_SHOWN_MAX) return [];
  return knot.flatMap((one) =>
    knot
      .filter((other) => one.outcome === "committed" && one.returnedMs < other.calledMs)
      .map((other) => inTime(one, other)),
  );
}

/** The worst anomaly that the dependencies of one knot hold; without order in time before with it. */
function anomalyOf(all: readonly Dependency[]): { name: string; cycle: readonly Dependency[] } | undefined {
  const some = (...kinds: Dependency["kind"][]) => all.filter(({ kind }) => kinds.includes(kind));
  for (const time of [[], ["rt"]] as const) {
    const suffix = time.length === 0 ? "" : "-realtime";
    const writes = some("ww", ...time);
    const cycle0 = shortestCycle(writes, some("ww"));
    if (cycle0 !== undefined) return { name: `G0${suffix}`, cycle: cycle0 };
    const reads = some("ww", "wr", ...time);
    const cycle1 = shortestCycle(reads, some("wr"));
    if (cycle1 !== undefined) return { name: `G1c${suffix}`, cycle: cycle1 };
    const single = shortestCycle(reads, some("rw"));
    if (single !== undefined) return { name: `G-single${suffix}`, cycle: single };
    const cycle2 = shortestCycle([...reads, ...some("rw")], some("rw"));
    if (cycle2 !== undefined) return { name: `G2${suffix}`, cycle: cycle2 };
  }
  return undefined;
}
