/** Sorting in steps: short runs by the runtime's own sort, then runs merged two by two, with a pause every now and then. */

/** Sorted at once: about 2 ms with a comparison of strings. */
const RUN = 4096;
/** Merged between two pauses. */
const MERGE = 16_384;

/**
 * `items` in the order of `compare`, those that are equal as they came. Yields about every 2 ms; reorders the array
 * that it was given, too.
 */
export function* sortSteps<T>(items: T[], compare: (left: T, right: T) => number): Generator<void, T[], void> {
  if (items.length <= RUN) return items.sort(compare);
  let from: T[] = [];
  for (let start = 0; start < items.length; start += RUN) {
    for (const item of items.slice(start, start + RUN).sort(compare)) from.push(item);
    yield;
  }
  let to = items;
  for (let width = RUN; width < from.length; width *= 2) {
    for (let start = 0; start < from.length; start += 2 * width) yield* mergeSteps({ from, to, start, width, compare });
    [from, to] = [to, from];
  }
  return from;
}

/** Merges the runs that begin at `start` and `width` behind it into the same places of `to`. */
function* mergeSteps<T>(work: {
  readonly from: readonly T[];
  readonly to: T[];
  readonly start: number;
  readonly width: number;
  readonly compare: (left: T, right: T) => number;
}): Generator<void, void, void> {
  const { from, to, start, width, compare } = work;
  const middle = Math.min(start + width, from.length);
  const end = Math.min(middle + width, from.length);
  let left = start;
  let right = middle;
  for (let at = start; at < end; at++) {
    const takesLeft = left < middle && (right >= end || compare(from[left] as T, from[right] as T) <= 0);
    to[at] = from[takesLeft ? left++ : right++] as T;
    if (at % MERGE === MERGE - 1) yield;
  }
}
