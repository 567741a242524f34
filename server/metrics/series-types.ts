/**
 * Numbers that are counted up and scraped. Counting costs an addition and allocates nothing: whoever counts keeps the
 * series in its hand, labels are resolved once, and the text is made only when somebody scrapes.
 */
import { assert } from "../base/assert.ts";

/** Only rises. */
export class Counter {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  /** `amount` >= 0. */
  inc(amount = 1): void {
    this.#value += amount;
  }

  /** Takes over a sum that is kept elsewhere and only rises. */
  raiseTo(sum: number): void {
    if (sum > this.#value) this.#value = sum;
  }
}

/** Goes up and down. */
export class Gauge {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  set(value: number): void {
    this.#value = value;
  }

  inc(amount = 1): void {
    this.#value += amount;
  }

  dec(amount = 1): void {
    this.#value -= amount;
  }
}

/** How often values fell below each of a list of bounds. */
export class Histogram {
  /** Upper bounds, rising, without infinity. */
  readonly bounds: readonly number[];
  /** One more than there are bounds: the last counts what is above all. Not cumulative. */
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    assert(
      bounds.every((bound, index) => index === 0 || bound > (bounds[index - 1] as number)),
      "bounds of a histogram rise",
    );
    this.bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  get sum(): number {
    return this.#sum;
  }

  observe(value: number): void {
    const bounds = this.bounds;
    let at = 0;
    // At most some twenty bounds, and most values lie near the first ones: faster than halving.
    while (at < bounds.length && value > (bounds[at] as number)) at++;
    (this.#counts[at] as number)++;
    this.#sum += value;
  }

  /** Values at or below each bound; the last is all of them. */
  cumulative(): number[] {
    let total = 0;
    return this.#counts.map((count) => {
      total += count;
      return total;
    });
  }
}

/** Share, from the smallest value, at which a summary is read. */
export const SUMMARY_QUANTILES: readonly number[] = [0, 0.25, 0.5, 0.75, 1];

/** Quantiles of the last values, sum and number of all. */
export class Summary {
  /** Values that quantiles are taken of; Go's collector keeps as many. */
  static readonly KEPT = 256;
  readonly #last: number[] = [];
  #count = 0;
  #sum = 0;

  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  observe(value: number): void {
    this.#last[this.#count % Summary.KEPT] = value;
    this.#count++;
    this.#sum += value;
  }

  /** The values at SUMMARY_QUANTILES; zeros while there are none. */
  quantiles(): number[] {
    const sorted = [...this.#last].sort((left, right) => left - right);
    return SUMMARY_QUANTILES.map((share) => sorted[Math.round(share * (sorted.length - 1))] ?? 0);
  }
}

/** `count` bounds from `start`, each `factor` times the one before: the way in which etcd chooses them. */
export function exponentialBounds(start: number, factor: number, count: number): readonly number[] {
  const bounds: number[] = [];
  for (let bound = start; bounds.length < count; bound *= factor) bounds.push(bound);
  return bounds;
}

/** Series of one name told apart by labels. */
export class Family<Child> {
  /** Children beyond which new label values are counted together: labels may come from clients. */
  static readonly LIMIT = 1000;
  readonly labels: readonly string[];
  readonly #create: () => Child;
  readonly #children = new Map<string, { readonly values: readonly string[]; readonly child: Child }>();

  constructor(labels: readonly string[], create: () => Child) {
    this.labels = labels;
    this.#create = create;
  }

  /** The series whose labels have `values`, in the order in which the labels are named. Keep it. */
  with(...values: readonly string[]): Child {
    assert(values.length === this.labels.length, `labels are ${this.labels.join(", ")}`);
    const key = values.join("\u0000");
    const known = this.#children.get(key);
    if (known !== undefined) return known.child;
    if (this.#children.size >= Family.LIMIT && values.some((value) => value !== "other")) {
      return this.with(...values.map(() => "other"));
    }
    const child = this.#create();
    this.#children.set(key, { values, child });
    return child;
  }

  /** Takes the series away, say because what it counted is gone. */
  remove(...values: readonly string[]): void {
    this.#children.delete(values.join("\u0000"));
  }

  clear(): void {
    this.#children.clear();
  }

  children(): readonly { readonly values: readonly string[]; readonly child: Child }[] {
    return [...this.#children.values()];
  }
}
