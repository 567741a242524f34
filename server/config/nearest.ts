/** The known word that a misspelt one was probably meant to be. */

/** Farther than this is another word; so is one of which more than a third is different. */
const MAX_DISTANCE = 3;

/** The nearest of `known` to `word`, the first of several; undefined when none is near. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.min(MAX_DISTANCE, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(word, candidate);
    if (distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/** Letters to insert, drop, change or swap with their neighbour to get from `from` to `to`. */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1] ? 0 : 1;
      const drop = (last[column] as number) + 1;
      const insert = (current[column - 1] as number) + 1;
      const change = (last[column - 1] as number) + same;
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const swap = swapped ? (beforeLast[column - 2] ?? Number.POSITIVE_INFINITY) + 1 : Number.POSITIVE_INFINITY;
      current.push(Math.min(drop, insert, change, swap));
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] as number;
}
