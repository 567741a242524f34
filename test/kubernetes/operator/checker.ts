/**
 * The judge of a load: from its batches alone to what is wrong. A promise of etcd each: an acknowledged write is there, at
 * the revision that was said; nothing is there that nobody wrote; a watcher is sent every write once, in the order of
 * revisions, and nothing else. Writes of unknown outcome may be there or not, but if they are, watchers have seen them.
 */
import type { Batch, State } from "./records.ts";

export interface Verdict {
  /** Nothing is wrong when it is empty. */
  readonly problems: readonly string[];
  readonly acknowledged: number;
  readonly unknown: number;
  /** Events that had to be sent, all watchers together. */
  readonly events: number;
  /** States that were looked at; without one nothing has been shown. */
  readonly states: number;
}

/** Of each kind so many are told; there may be thousands. */
const TOLD = 5;

/** What the batches say, put together. */
interface History {
  readonly acked: ReadonlyMap<string, number>;
  readonly failed: ReadonlySet<string>;
  readonly events: ReadonlyMap<string, readonly (readonly [revision: number, key: string])[]>;
  readonly states: readonly State[];
  readonly from: number;
}

/** `batches` from the first line on. A load without a state is not right: nobody has looked. */
export function judge(batches: readonly Batch[]): Verdict {
  const problems: string[] = [];
  const history = historyOf(batches, problems);
  const truth = truthOf(history.states, problems);
  const last = history.states.at(-1);
  if (last === undefined) problems.push("nobody has read the state: nothing is shown");
  else checkState(history, truth, last, problems);
  let events = 0;
  for (const [watcher, seen] of history.events)
    events += checkWatcher(watcher, seen, history, truth, last?.revision ?? 0, problems);
  const { acked, failed, states } = history;
  return { problems, acknowledged: acked.size, unknown: failed.size, events, states: states.length };
}

function historyOf(batches: readonly Batch[], problems: string[]): History {
  const acked = new Map<string, number>();
  const failed = new Set<string>();
  const events = new Map<string, (readonly [number, string])[]>();
  const states: State[] = [];
  const lost = batches.findIndex((batch, index) => batch.n !== index);
  if (lost >= 0) problems.push(`line ${lost} of the load's log is missing: it shows nothing`);
  const began = batches[0]?.began;
  for (const watcher of began?.watchers ?? []) events.set(watcher, []);
  for (const batch of batches) {
    for (const [key, revision] of batch.acked ?? []) acked.set(key, revision);
    for (const [key] of batch.failed ?? []) failed.add(key);
    for (const [watcher, revision, key] of batch.events ?? []) events.get(watcher)?.push([revision, key]);
    if (batch.state !== undefined) states.push(batch.state);
  }
  return { acked, failed, events, states, from: began?.revision ?? 0 };
}

/** All keys that any state has shown, with their revisions: keys are never taken away. */
function truthOf(states: readonly State[], problems: string[]): ReadonlyMap<string, number> {
  const truth = new Map<string, number>();
  for (const { keys, count, revision } of states) {
    for (const [key, at] of keys) {
      const before = truth.get(key);
      if (before !== undefined && before !== at) problems.push(`${key} was made at ${before}, and again at ${at}`);
      truth.set(key, at);
    }
    if (count !== truth.size)
      problems.push(`at revision ${revision} there are ${count} keys, and ${truth.size} had been seen by then`);
  }
  return truth;
}

/** What must be there, and what may be. A complete state is held against all writes, another against those after it. */
function checkState(
  { acked, failed }: History,
  truth: ReadonlyMap<string, number>,
  last: State,
  problems: string[],
): void {
  const listed = new Map(last.keys);
  const lost = new Some("acknowledged write is lost", problems);
  const moved = new Some("acknowledged write has another revision", problems);
  for (const [key, revision] of acked) {
    if (revision > last.revision) continue;
    const found = revision > last.since ? listed.get(key) : truth.get(key);
    if (found === undefined) lost.add(`${key} of revision ${revision}`);
    else if (found !== revision) moved.add(`${key} was said to be of ${revision} and is of ${found}`);
  }
  const strange = new Some("key is there that nobody wrote", problems);
  for (const [key, revision] of truth)
    if (!acked.has(key) && !failed.has(key)) strange.add(`${key} of revision ${revision}`);
  for (const kind of [lost, moved, strange]) kind.tell();
}

/** Answers how many events it had to be sent. */
function checkWatcher(
  watcher: string,
  seen: readonly (readonly [revision: number, key: string])[],
  { from }: History,
  truth: ReadonlyMap<string, number>,
  to: number,
  problems: string[],
): number {
  const missed = new Some(`event was missed by watcher ${watcher}`, problems);
  const disorder = new Some(`event came twice or out of order to watcher ${watcher}`, problems);
  const invented = new Some(`event came to watcher ${watcher} of a write that is not there`, problems);
  const got = new Set<string>();
  let before = 0;
  for (const [revision, key] of seen) {
    if (revision <= before) disorder.add(`${key} of ${revision} behind ${before}`);
    before = Math.max(before, revision);
    // What came after the last look is looked at by the next one.
    if (revision <= to && truth.get(key) !== revision) invented.add(`${key} of revision ${revision}`);
    got.add(key);
  }
  let due = 0;
  for (const [key, revision] of truth) {
    if (revision <= from || revision > to) continue;
    due++;
    if (!got.has(key)) missed.add(`${key} of revision ${revision}`);
  }
  for (const kind of [missed, disorder, invented]) kind.tell();
  return due;
}

/** Problems of one kind, counted and told in one sentence. */
class Some {
  readonly #kind: string;
  readonly #problems: string[];
  readonly #first: string[] = [];
  #count = 0;

  constructor(kind: string, problems: string[]) {
    this.#kind = kind;
    this.#problems = problems;
  }

  add(text: string): void {
    this.#count++;
    if (this.#first.length < TOLD) this.#first.push(text);
  }

  tell(): void {
    if (this.#count > 0) this.#problems.push(`${this.#kind} (${this.#count}): ${this.#first.join(", ")}`);
  }
}

/**
 * The longest time, in milliseconds, in which no write of anybody was acknowledged, among batches `begin` to `end` (without
 * it). The time before the first of them counts from the last acknowledgement before. Infinity: there was none at all.
 */
export function longestGap(batches: readonly Batch[], begin: number, end: number): number {
  const times = batches.slice(begin, end).flatMap((batch) => (batch.acked ?? []).map(([, , at]) => at));
  if (times.length === 0) return Number.POSITIVE_INFINITY;
  const earlier = batches.slice(0, begin).findLast((batch) => (batch.acked?.length ?? 0) > 0);
  const before = Math.max(...(earlier?.acked ?? []).map(([, , at]) => at));
  if (Number.isFinite(before)) times.push(before);
  times.sort((a, b) => a - b);
  return times.reduce((longest, at, index) => Math.max(longest, at - (times[index - 1] ?? at)), 0);
}
