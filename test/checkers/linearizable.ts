/**
 * Linearizability without any knowledge of revisions or logs: is there one order of the calls, each at a moment between
 * its beginning and its end, that explains all answers? Wing and Gong's search with Lowe's cache, as porcupine does it:
 * calls and returns in a linked list; the first call whose answer fits is lifted out; a return that is reached first
 * means to go back. What was done and the state it led to are remembered, so that no such pair is tried twice. Keys that
 * no operation joins are checked apart. Exponential at worst, hence the bound; meant for some hundred operations.
 */
import { assertHistory, type Operation, type Verdict, Violations } from "./history.ts";
import { type KvState, kvModel, partsOf } from "./kv-model.ts";
import { operationWords } from "./words.ts";

/** What one operation does to a state. */
export interface SequentialModel<State> {
  readonly initial: State;
  /** The state after it; undefined when its answer is not possible here. Without an answer: what it would do. */
  step(state: State, operation: Operation): State | undefined;
  /** Equal for equal states only. */
  nameOf(state: State): string;
  /** For a person. */
  wordsFor(state: State, operation: Operation): string;
}

export interface LinearizableOptions {
  /** Steps of the search over all partitions; then the verdict is "unknown". */
  readonly stepsMax?: number;
}

const STEPS_MAX = 2_000_000;
/** More calls under way are not listed where the search is stuck. */
const PENDING_SHOWN = 12;

/**
 * Checks etcd's puts, deletes, transactions and reads of the present. Reads at a revision, serializable reads and
 * compactions say nothing without revisions and are left out; a lease may end at any moment.
 */
export function checkLinearizable(operations: readonly Operation[], options: LinearizableOptions = {}): Verdict {
  assertHistory(operations);
  let steps = options.stepsMax ?? STEPS_MAX;
  const violations = new Violations();
  let undecided: string | undefined;
  for (const part of partsOf(operations)) {
    const search = new Search<KvState>(kvModel, part, steps);
    const found = search.run();
    steps -= search.steps;
    if (found === "no order") violations.add("not linearizable", search.explanation());
    else if (found === "gave up") {
      undecided = `${search.steps} steps were not enough for ${part.length} operations; the search began with ${operationWords(part[0] as Operation)}`;
      break;
    }
  }
  const verdict = violations.verdict();
  return verdict.verdict === "right" && undecided !== undefined ? { verdict: "unknown", reason: undecided } : verdict;
}

/** A call or a return in the list; what is lifted out keeps its neighbours, so that it can be put back. */
interface Entry {
  readonly at: number;
  readonly operation: Operation;
  /** Of a call that was answered: where it returned. */
  readonly returned: Entry | undefined;
  readonly isCall: boolean;
  previous: Entry | undefined;
  next: Entry | undefined;
}

/** One search, over operations that belong together. */
class Search<State> {
  steps = 0;
  readonly #model: SequentialModel<State>;
  readonly #operations: readonly Operation[];
  readonly #stepsMax: number;
  readonly #head: Entry;
  readonly #done: Uint16Array;
  readonly #seen = new Set<string>();
  /** The way so far: each with the state before it. */
  readonly #way: { readonly call: Entry; readonly before: State }[] = [];
  #longest: { readonly operation: Operation; readonly before: State }[] = [];
  #stuckAt: { readonly state: State; readonly pending: readonly Operation[] } | undefined;
  #state: State;

  constructor(model: SequentialModel<State>, operations: readonly Operation[], stepsMax: number) {
    this.#model = model;
    this.#operations = operations;
    this.#stepsMax = stepsMax;
    this.#state = model.initial;
    this.#done = new Uint16Array(Math.ceil(operations.length / 16));
    this.#head = listOf(operations);
  }

  run(): "found" | "no order" | "gave up" {
    let entry = this.#head.next;
    // How many returns are still in the list: those without an answer may stay for ever.
    let open = this.#operations.filter(({ answer }) => answer !== undefined).length;
    while (open > 0) {
      if (this.steps++ >= this.#stepsMax) return "gave up";
      if (entry?.isCall === true) {
        if (this.#take(entry)) {
          if (entry.returned !== undefined) open--;
          entry = this.#head.next;
        } else entry = entry.next;
        continue;
      }
      // A return, or the end: what should have been before it does not fit here.
      this.#noteStuck(entry);
      const last = this.#way.pop();
      if (last === undefined) return "no order";
      if (last.call.returned !== undefined) open++;
      this.#putBack(last.call, last.before);
      entry = last.call.next;
    }
    return "found";
  }

  /** The longest order that was found, and the calls under way, none of which fits behind it. */
  explanation(): string {
    const stuck = this.#stuckAt;
    const last = this.#longest.slice(-4).map(({ operation }) => operationWords(operation));
    const order =
      last.length === 0
        ? "no operation can be the first"
        : `${this.#longest.length} operations have an order, which ends with ${last.join(", then ")}`;
    if (stuck === undefined) return order;
    const pending = stuck.pending.map(
      (operation) => `${operationWords(operation)} (for then ${this.#model.wordsFor(stuck.state, operation)})`,
    );
    return `${order}; then none of these fits:\n  ${pending.join("\n  ")}`;
  }

  #take(entry: Entry): boolean {
    const after = this.#model.step(this.#state, entry.operation);
    if (after === undefined) return false;
    // Never to take effect is as good as to change nothing.
    if (entry.returned === undefined && this.#model.nameOf(after) === this.#model.nameOf(this.#state)) return false;
    this.#mark(entry.at);
    const name = `${String.fromCharCode(...this.#done)}${this.#model.nameOf(after)}`;
    if (this.#seen.has(name)) {
      this.#mark(entry.at);
      return false;
    }
    this.#seen.add(name);
    this.#way.push({ call: entry, before: this.#state });
    this.#state = after;
    unlink(entry);
    if (entry.returned !== undefined) unlink(entry.returned);
    return true;
  }

  #putBack(entry: Entry, before: State): void {
    this.#mark(entry.at);
    this.#state = before;
    if (entry.returned !== undefined) relink(entry.returned);
    relink(entry);
  }

  #mark(at: number): void {
    this.#done[at >> 4] = (this.#done[at >> 4] as number) ^ (1 << (at & 15));
  }

  #noteStuck(entry: Entry | undefined): void {
    if (entry === undefined || (this.#stuckAt !== undefined && this.#way.length <= this.#longest.length)) return;
    this.#longest = this.#way.map(({ call, before }) => ({ operation: call.operation, before }));
    const pending: Operation[] = [];
    for (let one = this.#head.next; one !== undefined && one !== entry; one = one.next)
      if (one.isCall && pending.length < PENDING_SHOWN) pending.push(one.operation);
    this.#stuckAt = { state: this.#state, pending };
  }
}

/** Calls and returns in the order of time; at one moment calls come first, since they may overlap. */
function listOf(operations: readonly Operation[]): Entry {
  const none = { previous: undefined, next: undefined };
  const entries: { readonly entry: Entry; readonly atMs: number }[] = [];
  for (const [at, operation] of operations.entries()) {
    const isAnswered = operation.answer !== undefined;
    const returned: Entry | undefined = isAnswered
      ? { at, operation, returned: undefined, isCall: false, ...none }
      : undefined;
    entries.push({ entry: { at, operation, returned, isCall: true, ...none }, atMs: operation.calledMs });
    if (returned !== undefined) entries.push({ entry: returned, atMs: operation.returnedMs });
  }
  entries.sort((left, right) => left.atMs - right.atMs || Number(right.entry.isCall) - Number(left.entry.isCall));
  const head: Entry = { at: -1, operation: operations[0] as Operation, returned: undefined, isCall: false, ...none };
  let last = head;
  for (const { entry } of entries) {
    last.next = entry;
    entry.previous = last;
    last = entry;
  }
  return head;
}

function unlink(entry: Entry): void {
  if (entry.previous !== undefined) entry.previous.next = entry.next;
  if (entry.next !== undefined) entry.next.previous = entry.previous;
}

function relink(entry: Entry): void {
  if (entry.previous !== undefined) entry.previous.next = entry;
  if (entry.next !== undefined) entry.next.previous = entry;
}
