/**
 * What a history of list transactions tells about who depends on whom, and the anomalies that need no cycle: reads of
 * what was aborted (G1a) or only in between (G1b), lists that do not continue each other, updates that were lost.
 */

import type { Arrow } from "./cycles.ts";
import type { Violations } from "./history.ts";
import { encodeList, type ListTransaction, listText, listWords } from "./list-transactions.ts";
import { shortNumber } from "./words.ts";

export interface Dependency extends Arrow {
  /** ww: overwrote; wr: read; rw: did not see yet; rt: had returned before the other was called. */
  readonly kind: "ww" | "wr" | "rw" | "rt";
  /** In words: what `from` did, seen from it. */
  readonly why: string;
}

/** All appends and reads of one key. */
interface KeyHistory {
  readonly writers: Map<number, ListTransaction>;
  /** The last append of each transaction: what others may see the list end with. */
  readonly finals: Map<ListTransaction, number>;
  readonly reads: { readonly reader: ListTransaction; readonly list: readonly number[] }[];
}

export function dependenciesOf(
  transactions: readonly ListTransaction[],
  violations: Violations,
): { dependencies: Dependency[]; committed: ListTransaction[] } {
  const keys = historiesOf(transactions, violations);
  const seen = new Set<ListTransaction>();
  for (const { writers, reads } of keys.values())
    for (const { list } of reads) for (const value of list) addIfThere(seen, writers.get(value));
  const isCommitted = (one: ListTransaction) =>
    one.outcome === "committed" || (one.outcome === "unknown" && seen.has(one));
  const committed = transactions.filter(isCommitted);
  const dependencies: Dependency[] = [];
  for (const [key, history] of keys) {
    checkReads(key, history, violations);
    dependencies.push(...keyDependencies(key, history, violations, isCommitted));
  }
  checkLostUpdates(committed, violations);
  return { dependencies: [...dependencies, ...timeDependencies(committed)], committed };
}

function historiesOf(transactions: readonly ListTransaction[], violations: Violations): Map<string, KeyHistory> {
  const keys = new Map<string, KeyHistory>();
  for (const transaction of transactions) {
    const own = new Map<string, number[]>();
    for (const step of transaction.steps) {
      const history: KeyHistory = keys.get(step.key) ?? { writers: new Map(), finals: new Map(), reads: [] };
      keys.set(step.key, history);
      if (step.kind === "append") {
        const other = history.writers.get(step.value);
        if (other !== undefined)
          throw new Error(
            `${step.value} is appended to "${step.key}" by #${other.id} and #${transaction.id}: append each value once`,
          );
        history.writers.set(step.value, transaction);
        history.finals.set(transaction, step.value);
        own.set(step.key, [...(own.get(step.key) ?? []), step.value]);
      } else if (transaction.outcome === "committed" && step.list !== undefined) {
        const before = withoutOwn(transaction, step.key, step.list, own.get(step.key) ?? [], violations);
        history.reads.push({ reader: transaction, list: before });
      }
    }
  }
  return keys;
}

/** The list as others left it: a transaction sees its own appends at the end. */
function withoutOwn(
  transaction: ListTransaction,
  key: string,
  list: readonly number[],
  own: readonly number[],
  violations: Violations,
): readonly number[] {
  const before = list.slice(0, list.length - own.length);
  const end = list.slice(before.length);
  if (end.length === own.length && end.every((value, at) => value === own[at])) return before;
  violations.add(
    "internal",
    `${listWords(transaction)} does not see its own appends at the end of "${key}": [${own.join(" ")}]`,
  );
  return list.filter((value) => !own.includes(value));
}

function checkReads(key: string, { writers, finals, reads }: KeyHistory, violations: Violations): void {
  // What is wrong stays in the list: only its first reader is named.
  const told = new Set<number>();
  for (const { reader, list } of reads) {
    if (new Set(list).size < list.length)
      violations.add("double append", `${listWords(reader)} sees a value twice in "${key}"`);
    for (const value of list) {
      const writer = writers.get(value);
      if ((writer !== undefined && writer.outcome !== "aborted") || told.has(value)) continue;
      told.add(value);
      if (writer === undefined)
        violations.add("garbage", `${listWords(reader)} sees ${value} in "${key}", which nobody appended`);
      else
        violations.add(
          "G1a",
          `${listWords(reader)} sees ${value} in "${key}", which was aborted: ${listWords(writer)}`,
        );
    }
    const last = list.at(-1);
    const writer = last === undefined ? undefined : writers.get(last);
    const final = writer === undefined || writer === reader ? last : finals.get(writer);
    if (writer !== undefined && final !== last)
      violations.add("G1b", `${listWords(reader)} sees "${key}" end with ${last}, the middle of ${listWords(writer)}`);
  }
}

/** The longest list that was read is the order of the appends; every other must be a beginning of it. */
function keyDependencies(
  key: string,
  { writers, reads }: KeyHistory,
  violations: Violations,
  isCommitted: (one: ListTransaction) => boolean,
): Dependency[] {
  let longest = reads[0];
  for (const read of reads) if (read.list.length > (longest?.list.length ?? 0)) longest = read;
  const order = longest?.list ?? [];
  // Appended for certain, and never read: behind all that was.
  const observed = new Set(order);
  const unseen = [...writers].filter(([value, writer]) => !observed.has(value) && isCommitted(writer));
  const found: Dependency[] = [];
  const add = (
    kind: Dependency["kind"],
    from: ListTransaction | undefined,
    to: ListTransaction | undefined,
    why: string,
  ) => {
    if (from !== undefined && to !== undefined && from !== to) found.push({ kind, from: from.id, to: to.id, why });
  };
  for (const [at, value] of order.entries()) {
    const following = order[at + 1];
    const writer = writers.get(value);
    if (following !== undefined)
      add("ww", writer, writers.get(following), `appended ${value} to ${key} just before ${following}`);
    else for (const [later, other] of unseen) add("ww", writer, other, `appended ${value} to ${key} before ${later}`);
  }
  for (const { reader, list } of reads) {
    if (!list.every((value, at) => value === order[at])) {
      violations.add(
        "incompatible order",
        `"${key}" was read as ${listText(list)} and as ${listText(order)}, and neither continues the other: ${listWords(reader)} and ${listWords(longest?.reader)}`,
      );
      continue;
    }
    const last = list.at(-1);
    if (last !== undefined) add("wr", writers.get(last), reader, `appended ${last} to ${key}, which the next saw`);
    const following = order[list.length];
    const why = (value: number) => `read ${key} without ${value}, which the next appended`;
    if (following !== undefined) add("rw", reader, writers.get(following), why(following));
    else for (const [value, writer] of unseen) add("rw", reader, writer, why(value));
  }
  return found;
}

/** Two that read the same state of a key and both appended to it: one did not know of the other. */
function checkLostUpdates(committed: readonly ListTransaction[], violations: Violations): void {
  const updaters = new Map<string, ListTransaction>();
  for (const transaction of committed) {
    const done = new Set<string>();
    for (const step of transaction.steps) {
      if (step.kind === "append") done.add(step.key);
      else if (!done.has(step.key) && step.list !== undefined) {
        done.add(step.key);
        if (!transaction.steps.some((other) => other.kind === "append" && other.key === step.key)) continue;
        const name = `${step.key} ${encodeList(step.list)}`;
        const other = updaters.get(name);
        if (other === undefined) updaters.set(name, transaction);
        else
          violations.add(
            "lost update",
            `both read ${step.key} ${listText(step.list)} and appended to it: ${listWords(other)} and ${listWords(transaction)}`,
          );
      }
    }
  }
}

/**
 * Who had returned before whom was called, without what follows from the others: each is bound to those that had
 * returned and that nobody else stands between.
 */
function timeDependencies(committed: readonly ListTransaction[]): Dependency[] {
  const moments = committed.flatMap((one) => [
    { atMs: one.calledMs, one, isCall: true },
    ...(one.outcome === "committed" ? [{ atMs: one.returnedMs, one, isCall: false }] : []),
  ]);
  // Who is called at the moment of a return is not after it.
  moments.sort((left, right) => left.atMs - right.atMs || Number(right.isCall) - Number(left.isCall));
  const found: Dependency[] = [];
  let frontier = new Set<ListTransaction>();
  const before = new Map<ListTransaction, Set<ListTransaction>>();
  for (const { one, isCall } of moments) {
    if (isCall) {
      before.set(one, frontier);
      for (const earlier of frontier) found.push(inTime(earlier, one));
    } else {
      const covered = before.get(one) as Set<ListTransaction>;
      frontier = new Set([...frontier].filter((earlier) => !covered.has(earlier)));
      frontier.add(one);
    }
  }
  return found;
}

export function inTime(earlier: ListTransaction, later: ListTransaction): Dependency {
  const why = `returned at ${shortNumber(earlier.returnedMs)} ms, before the next was called`;
  return { kind: "rt", from: earlier.id, to: later.id, why };
}

function addIfThere<T>(set: Set<T>, item: T | undefined): void {
  if (item !== undefined) set.add(item);
}
