/**
 * Byte strings sorted by their characters, from the first on: names of keys share long beginnings, which a comparison of
 * two would walk again each time. Takes a third of the time of the runtime's sort for a million names of 60 bytes.
 *
 *     all ── by the first character in which they differ ──► groups ── each again ──► ... ──► small ones, by comparison
 */
import type { ByteString } from "./bytes.ts";

/** Groups up to this are sorted by comparison. */
const SMALL = 24;
/** Of a byte string, and one before them all for "ends here". */
const CHARACTERS = 257;
/** Names looked at between two pauses, about. */
const PAUSE = 50_000;

interface Group {
  readonly from: number;
  readonly to: number;
  /** Characters in which all of them agree. */
  readonly depth: number;
}

/** Sorts `names`, which differ from one another, and what belongs to each. Yields now and then. */
export function* nameSortSteps<T>(names: ByteString[], items: T[]): Generator<void, void, void> {
  const groups: Group[] = [{ from: 0, to: names.length, depth: 0 }];
  const otherNames: ByteString[] = new Array<ByteString>(names.length);
  const otherItems: T[] = new Array<T>(names.length);
  let looked = 0;
  for (let group = groups.pop(); group !== undefined; group = groups.pop()) {
    const count = group.to - group.from;
    if (count <= SMALL) insertionSort(names, items, group);
    else spread(names, items, otherNames, otherItems, group, groups);
    looked += count;
    if (looked < PAUSE) continue;
    looked = 0;
    yield;
  }
}

/** Brings the names of a group into the order of their first different character; what must be sorted further is pushed. */
function spread<T>(
  names: ByteString[],
  items: T[],
  otherNames: ByteString[],
  otherItems: T[],
  group: Group,
  groups: Group[],
): void {
  const { from, to } = group;
  const depth = commonLength(names, group);
  const places = new Uint32Array(CHARACTERS + 1);
  for (let at = from; at < to; at++) {
    const after = characterAt(names[at] as ByteString, depth) + 1;
    places[after] = (places[after] as number) + 1;
  }
  for (let character = 1; character <= CHARACTERS; character++) {
    places[character] = (places[character] as number) + (places[character - 1] as number);
  }
  const starts = places.slice();
  for (let at = from; at < to; at++) {
    const name = names[at] as ByteString;
    const character = characterAt(name, depth);
    const place = places[character] as number;
    places[character] = place + 1;
    otherNames[place] = name;
    otherItems[place] = items[at] as T;
  }
  for (let at = from; at < to; at++) {
    names[at] = otherNames[at - from] as ByteString;
    items[at] = otherItems[at - from] as T;
  }
  for (let character = 1; character < CHARACTERS; character++) {
    const start = from + (starts[character] as number);
    const end = from + (starts[character + 1] as number);
    if (end - start > 1) groups.push({ from: start, to: end, depth: depth + 1 });
  }
}

/** How many characters all names of the group begin with alike. */
function commonLength(names: readonly ByteString[], { from, to, depth }: Group): number {
  const first = names[from] as ByteString;
  let length = first.length;
  for (let at = from + 1; at < to && length > depth; at++) {
    const name = names[at] as ByteString;
    let same = depth;
    const end = Math.min(length, name.length);
    while (same < end && name.charCodeAt(same) === first.charCodeAt(same)) same++;
    length = same;
  }
  return length;
}

/** From 1 on; 0 where the name has ended. */
function characterAt(name: ByteString, at: number): number {
  return at < name.length ? name.charCodeAt(at) + 1 : 0;
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
