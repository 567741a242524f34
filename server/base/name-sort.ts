/**
 * Byte strings sorted by their characters, from the first on: names of keys share long beginnings, which a comparison of
 * two would walk again each time, and a million of them lie all over the memory, so that each look at one is a wait.
 *
 *     all ── what they begin with alike is skipped ── by the next eight characters ──► groups ── each again ──► ...
 *     small groups by comparison
 *
 * The eight characters are taken out of each name once, into two numbers that are sorted by radix beside one another.
 */
import type { ByteString } from "./bytes.ts";

/** Groups up to this are sorted by comparison. */
const SMALL = 24;
/** Characters that one round sorts by. */
const WINDOW = 8;
const DIGITS = 256;
/** Names looked at between two pauses, about. */
const PAUSE = 50_000;

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
      const depth = group.depth === 0 && shared !== undefined ? shared : commonLength(names, group);
      for (const _ of windows.sortSteps(names, group.from, count, depth)) yield;
      windows.arrange(names, items, group.from, count);
      pushTies(windows, names, items, { from: group.from, to: group.to, depth }, groups);
    }
    if (looked < PAUSE) continue;
    looked = 0;
    yield;
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

  /** Takes the windows out of `count` names and sorts them. Yields in between when there are many. */
  *sortSteps(names: readonly ByteString[], from: number, count: number, depth: number): Generator<void, void, void> {
    for (let at = 0; at < count; at++) {
      const name = names[from + at] as ByteString;
      this.#upper[at] = fourCharacters(name, depth);
      this.#lower[at] = fourCharacters(name, depth + 4);
      this.#names[at] = at;
      if (at % PAUSE === PAUSE - 1) yield;
    }
    // The least significant character first; every pass keeps the order of the one before among equals.
    for (let shift = 0; shift < 2 * 32; shift += 8) {
      this.#pass(shift < 32 ? this.#lower : this.#upper, shift % 32, count);
      if (count > PAUSE) yield;
    }
  }

  #pass(key: Uint32Array, shift: number, count: number): void {
    const places = this.#places.fill(0);
    for (let at = 0; at < count; at++) {
      const digit = ((key[at] as number) >>> shift) & 0xff;
      places[digit] = (places[digit] as number) + 1;
    }
    if (places[((key[0] as number) >>> shift) & 0xff] === count) return; // all alike
    for (let digit = 0, next = 0; digit < DIGITS; digit++) {
      const these = places[digit] as number;
      places[digit] = next;
      next += these;
    }
    const [upper, lower, names] = [this.#upper, this.#lower, this.#names];
    const [otherUpper, otherLower, otherNames] = [this.#otherUpper, this.#otherLower, this.#otherNames];
    for (let at = 0; at < count; at++) {
      const digit = ((key[at] as number) >>> shift) & 0xff;
      const place = places[digit] as number;
      places[digit] = place + 1;
      otherUpper[place] = upper[at] as number;
      otherLower[place] = lower[at] as number;
      otherNames[place] = names[at] as number;
    }
    [this.#upper, this.#lower, this.#names] = [otherUpper, otherLower, otherNames];
    [this.#otherUpper, this.#otherLower, this.#otherNames] = [upper, lower, names];
  }

  /** Brings the names of the group into the order that was found. */
  arrange<T>(names: ByteString[], items: T[], from: number, count: number): void {
    const oldNames = names.slice(from, from + count);
    const oldItems = items.slice(from, from + count);
    for (let at = 0; at < count; at++) {
      const old = this.#names[at] as number;
      names[from + at] = oldNames[old] as ByteString;
      items[from + at] = oldItems[old] as T;
    }
  }

  /** The end of the run of equal windows that begins at `start`. */
  endOfRun(start: number, count: number): number {
    const [upper, lower] = [this.#upper, this.#lower];
    let end = start + 1;
    while (end < count && upper[end] === upper[start] && lower[end] === lower[start]) end++;
    return end;
  }
}

/** Names that the window does not tell apart are sorted further, behind it. */
function pushTies<T>(windows: Windows, names: ByteString[], items: T[], group: Group, groups: Group[]): void {
  const { from, to } = group;
  const depth = group.depth + WINDOW;
  for (let start = from; start < to; ) {
    const end = from + windows.endOfRun(start - from, to - from);
    if (end - start > 1) {
      const open = endedFirst(names, items, { from: start, to: end, depth });
      if (end - open > 1) groups.push({ from: open, to: end, depth });
    }
    start = end;
  }
}

/**
 * Names of one window that end in it, where 0 stands for what they do not have, differ in length alone: at most nine, and
 * they come before those that go on. Answers where these begin.
 */
function endedFirst<T>(names: ByteString[], items: T[], { from, to, depth }: Group): number {
  let open = from;
  for (let at = from; at < to; at++) {
    if ((names[at] as ByteString).length > depth) continue;
    [names[open], names[at]] = [names[at] as ByteString, names[open] as ByteString];
    [items[open], items[at]] = [items[at] as T, items[open] as T];
    open++;
  }
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
function commonLength(names: readonly ByteString[], { from, to, depth }: Group): number {
  const first = names[from] as ByteString;
  let length = first.length;
  for (let at = from + 1; at < to && length > depth; at++)
    length = sharedLength(first, names[at] as ByteString, length, depth);
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
