/**
 * The calls under way, as a list through the calls themselves. Not a Set: calls come and go by the hundred thousand a
 * second, and the tables that a Set leaves behind hold on to one another and to the calls in them until the whole heap is
 * collected.
 */

/** What stands in the list. Its neighbours belong to the list alone. */
export interface Listed<T> {
  before: T | undefined;
  after: T | undefined;
}

export class CallList<T extends Listed<T>> {
  #first: T | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(call: T): void {
    const first = this.#first;
    call.after = first;
    if (first !== undefined) first.before = call;
    this.#first = call;
    this.#size++;
  }

  /** Nothing happens when it is not in the list. */
  delete(call: T): void {
    const { before, after } = call;
    if (before === undefined && this.#first !== call) return;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after !== undefined) after.before = before;
    call.before = undefined;
    call.after = undefined;
    this.#size--;
  }

  /** All of them now, newest first. */
  list(): T[] {
    const calls: T[] = [];
    for (let call = this.#first; call !== undefined; call = call.after) calls.push(call);
    return calls;
  }
}
