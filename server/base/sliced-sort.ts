/** Sorting that never holds the loop: a stable merge sort that stops every few thousand steps. */

/** Items sorted at once to begin with, and items moved between two stops. */
const RUN = 1024;
const STEP = 8192;

/**
 * The items in order, in an array of their own; those that tie stay as they came. Yields after every slice of a
 * millisecond or so; the items must stay what they are meanwhile.
 */
export function* sortInSlices<T>(
  items: readonly T[],
  compare: (left: T, right: T) => number,
): Generator<void, T[], void> {
  let from: T[] = [];
  for (let at = 0; at < items.length; at += RUN) {
    for (const item of items.slice(at, at + RUN).sort(compare)) from.push(item);
    if (at + RUN < items.length) yield;
  }
  let into: T[] = [];
  for (let run = RUN; run < from.length; run *= 2) {
    let left = STEP;
    for (let start = 0; start < from.length; start += 2 * run) {
      const middle = Math.min(start + run, from.length);
      const end = Math.min(start + 2 * run, from.length);
      for (let first = start, second = middle; first < middle || second < end; ) {
        const takesFirst = second >= end || (first < middle && compare(from[first] as T, from[second] as T) <= 0);
        into.push(from[takesFirst ? first++ : second++] as T);
        if (--left > 0) continue;
        left = STEP;
        yield;
      }
    }
    from = into;
    into = [];
  }
  return from;
}
