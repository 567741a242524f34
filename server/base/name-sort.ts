/**
 * Byte strings sorted by their characters, from the first on: names of keys share long beginnings, which a comparison of
 * two would walk again each time, and a million of them lie all over the memory, so that each look at one is a wait.
 *
 *     all ── what they begin with alike is skipped ── by the next eight characters ──► groups ── each again ──► ...
 *     small groups by comparison
 *
 * The eight characters are taken out of each name once, into two numbers that are sorted by radix beside one another. All of
 * it is done in slices of so many names that one takes some milliseconds, whatever they are.
 */
import type { ByteString } from "./bytes.ts";

/** Groups up to this are sorted by comparison. */
const SMALL = 24;
/** Characters that one round sorts by. */
const WINDOW = 8;
const DIGITS = 256;
/** Names of a slice: each may be a wait for memory. */
const SLICE = 8000;

interface Group {
  readonly from: number;
  readonly to: number;
  /** Characters in which all of them agree. */
  readonly depth: number;
}

/**
 * Sorts `names`, which differ from one another, and what belongs to each. Yields now and then. `shared`: so many
 * characters all of them are known to begin with.
 */
export function* nameSortSteps<T>(names: ByteString[], items: T[], shared?: number): Generator<void, void, void> {
  const groups: Group[] = [{ from: 0, to: names.length, depth: 0 }];
  const windows = new Windows(names.length);
  let looked = 0;
  for (let group = groups.pop(); group !== undefined; group = groups.pop()) {
    const count = group.to - group.from;
    looked += count;
    if (count <= SMALL) insertionSort(names, items, group);
    else {
      const depth = group.depth === 0 && shared !== undefined ? shared : yield* commonLengthSteps(names, group);
      yield* windows.sortSteps(names, group.from, count, depth);
      yield* windows.arrangeSteps(names, items, group.from, count);
      yield* tieSteps(windows, names, items, { from: group.from, to: group.to, depth }, groups);
    }
    if (looked < SLICE) continue;
    looked = 0;
    yield;
  }
}

/** Does `work` on slices of the numbers up to `count`, with a pause after each but the last. */
function* sliced(count: number, work: (from: number, to: number) => void): Generator<void, void, void> {
  for (let from = 0; from < count; from += SLICE) {
    if (from > 0) yield;
    work(from, Math.min(from + SLICE, count));
  }
}

/** What the names of one group have in the window, and which name it is of. Memory of its own for the largest group. */
class Windows {
  /** Four characters each; 0 where a name has ended. */
  #upper: Uint32Array;
  #lower: Uint32Array;
  /** Places in the group. */
  #names: Uint32Array;
  #otherUpper: Uint32Array;
  #otherLower: Uint32Array;
  #otherNames: Uint32Array;
  readonly #places = new Uint32Array(DIGITS);

  constructor(count: number) {
    this.#upper = new Uint32Array(count);
    this.#lower = new Uint32Array(count);
    this.#names = new Uint32Array(count);
    this.#otherUpper = new Uint32Array(count);
    this.#otherLower = new Uint32Array(count);
    this.#otherNames = new Uint32Array(count);
  }

  /** Takes the windows out of `count` names and sorts them. */
  *sortSteps(names: readonly ByteString[], first: number, count: number, depth: number): Generator<void, void, void> {
    yield* sliced(count, (from, to) => this.#take(names, first, depth, from, to));
    // The least significant character first; every pass keeps the order of the one before among equals.
    for (let shift = 0; shift < 2 * 32; shift += 8)
      yield* this.#passSteps(shift < 32 ? this.#lower : this.#upper, shift % 32, count);
  }

  #take(names: readonly ByteString[], first: number, depth: number, from: number, to: number): void {
    for (let at = from; at < to; at++) {
      const name = names[first + at] as ByteString;
      this.#upper[at] = fourCharacters(name, depth);
      this.#lower[at] = fourCharacters(name, depth + 4);
      this.#names[at] = at;
    }
  }

  *#passSteps(key: Uint32Array, shift: number, count: number): Generator<void, void, void> {
    const places = this.#places.fill(0);
    yield* sliced(count, (from, to) => countDigits(key, shift, places, from, to));
    if (places[((key[0] as number) >>> shift) & 0xff] === count) return; // all alike
    for (let digit = 0, next = 0; digit < DIGITS; digit++) {
      const these = places[digit] as number;
      places[digit] = next;
      next += these;
    }
    yield* sliced(count, (from, to) => this.#distribute(key, shift, from, to));
    [this.#upper, this.#otherUpper] = [this.#otherUpper, this.#upper];
    [this.#lower, this.#otherLower] = [this.#otherLower, this.#lower];
    [this.#names, this.#otherNames] = [this.#otherNames, this.#names];
  }

  #distribute(key: Uint32Array, shift: number, from: number, to: number): void {
    const places = this.#places;
    const [upper, lower, names] = [this.#upper, this.#lower, this.#names];
    const [otherUpper, otherLower, otherNames] = [this.#otherUpper, this.#otherLower, this.#otherNames];
    for (let at = from; at < to; at++) {
      const digit = ((key[at] as number) >>> shift) & 0xff;
      const place = places[digit] as number;
      places[digit] = place + 1;
      otherUpper[place] = upper[at] as number;
      otherLower[place] = lower[at] as number;
      otherNames[place] = names[at] as number;
    }
  }

  /** Brings the names of the group into the order that was found. */
  *arrangeSteps<T>(names: ByteString[], items: T[], first: number, count: number): Generator<void, void, void> {
    const oldNames: ByteString[] = [];
    const oldItems: T[] = [];
    yield* sliced(count, (from, to) => {
      for (let at = from; at < to; at++) {
        oldNames.push(names[first + at] as ByteString);
        oldItems.push(items[first + at] as T);
      }
    });
    yield* sliced(count, (from, to) => {
      for (let at = from; at < to; at++) {
        const old = this.#names[at] as number;
        names[first + at] = oldNames[old] as ByteString;
        items[first + at] = oldItems[old] as T;
      }
    });
  }

  /** The end of the run of equal windows that begins at `start`. */
  endOfRun(start: number, count: number): number {
    const [upper, lower] = [this.#upper, this.#lower];
    let end = start + 1;
    while (end < count && upper[end] === upper[start] && lower[end] === lower[start]) end++;
    return end;
  }
}

function countDigits(key: Uint32Array, shift: number, counts: Uint32Array, from: number, to: number): void {
  for (let at = from; at < to; at++) {
    const digit = ((key[at] as number) >>> shift) & 0xff;
    counts[digit] = (counts[digit] as number) + 1;
  }
}

/** Names that the window does not tell apart are sorted further, behind it. */
function* tieSteps<T>(
  windows: Windows,
  names: ByteString[],
  items: T[],
  group: Group,
  groups: Group[],
): Generator<void, void, void> {
  const { from, to } = group;
  const depth = group.depth + WINDOW;
  let looked = 0;
  for (let start = from; start < to; ) {
    const end = from + windows.endOfRun(start - from, to - from);
    if (end - start > 1) {
      const open = yield* endedFirstSteps(names, items, { from: start, to: end, depth });
      if (end - open > 1) groups.push({ from: open, to: end, depth });
    }
    looked += end - start;
    start = end;
    if (looked < SLICE) continue;
    looked = 0;
    yield;
  }
}

/**
 * Names of one window that end in it, where 0 stands for what they do not have, differ in length alone: at most nine, and
 * they come before those that go on. Answers where these begin.
 */
function* endedFirstSteps<T>(
  names: ByteString[],
  items: T[],
  { from, to, depth }: Group,
): Generator<void, number, void> {
  let open = from;
  yield* sliced(to - from, (sliceFrom, sliceTo) => {
    for (let at = from + sliceFrom; at < from + sliceTo; at++) {
      if ((names[at] as ByteString).length > depth) continue;
      [names[open], names[at]] = [names[at] as ByteString, names[open] as ByteString];
      [items[open], items[at]] = [items[at] as T, items[open] as T];
      open++;
    }
  });
  insertionSort(names, items, { from, to: open, depth });
  return open;
}

function fourCharacters(name: ByteString, at: number): number {
  if (at + 4 <= name.length)
    return (
      ((name.charCodeAt(at) << 24) |
        (name.charCodeAt(at + 1) << 16) |
        (name.charCodeAt(at + 2) << 8) |
        name.charCodeAt(at + 3)) >>>
      0
    );
  let characters = 0;
  for (let one = at; one < at + 4; one++)
    characters = (characters << 8) | (one < name.length ? name.charCodeAt(one) : 0);
  return characters >>> 0;
}

/** How many characters all names of the group begin with alike. */
function* commonLengthSteps(names: readonly ByteString[], { from, to, depth }: Group): Generator<void, number, void> {
  const first = names[from] as ByteString;
  let length = first.length;
  yield* sliced(to - from, (sliceFrom, sliceTo) => {
    for (let at = from + sliceFrom; at < from + sliceTo && length > depth; at++)
      length = sharedLength(first, names[at] as ByteString, length, depth);
  });
  return length;
}

/** How many of the first `limit` characters two names have alike; that the first `known` are is known. */
export function sharedLength(left: ByteString, right: ByteString, limit: number, known = 0): number {
  const end = Math.min(limit, left.length, right.length);
  let same = known;
  while (same < end && left.charCodeAt(same) === right.charCodeAt(same)) same++;
  return same;
}

function insertionSort<T>(names: ByteString[], items: T[], { from, to }: Group): void {
  for (let at = from + 1; at < to; at++) {
    const name = names[at] as ByteString;
    const item = items[at] as T;
    let place = at;
    for (; place > from && (names[place - 1] as ByteString) > name; place--) {
      names[place] = names[place - 1] as ByteString;
      items[place] = items[place - 1] as T;
    }
    names[place] = name;
    items[place] = item;
  }
}
