/**
 * An ordered map that knows how many of its entries in any range count: a B+ tree whose every node carries the number of
 * counted entries below it. Growing never copies more than one node, so no insertion stops the loop, as a rehashed `Map`
 * would; and counting a range looks at the nodes along its two edges, whatever lies between them.
 *
 *            ┌ keys: first key of each child but the first
 *     branch ┤                                             leaf ─ keys, values
 *            └ children, counted                                  counted
 */
import { assert } from "./assert.ts";

/** Entries of a leaf, children of a branch. Wider makes insertion copy more, narrower makes the tree deeper. */
const WIDTH = 64;
/** Two neighbours that fill one node to this are made one: with room left, so that the next insertion does not split it. */
const MERGED = WIDTH / 2;
/** How full nodes are that are built in order: room for a few insertions each, before the first split. */
const BUILT = 56;

interface Leaf<V> {
  readonly keys: string[];
  readonly values: V[];
  readonly children: undefined;
  counted: number;
}

interface Branch<V> {
  /** One fewer than children: `keys[i]` is not above any key of `children[i + 1]`, and above all of those before. */
  readonly keys: string[];
  readonly children: Node<V>[];
  counted: number;
}

type Node<V> = Leaf<V> | Branch<V>;

export class CountedTree<V> {
  readonly #counts: (value: V) => boolean;
  #root: Node<V> = emptyLeaf();
  #size = 0;

  /** `counts`: whether an entry is one of those counted now; whoever changes that says so by `recount`. */
  constructor(counts: (value: V) => boolean) {
    this.#counts = counts;
  }

  get size(): number {
    return this.#size;
  }

  /** Entries that count. */
  get counted(): number {
    return this.#root.counted;
  }

  clear(): void {
    this.#root = emptyLeaf();
    this.#size = 0;
  }

  get(key: string): V | undefined {
    let node = this.#root;
    while (node.children !== undefined) node = node.children[childAt(node.keys, key)] as Node<V>;
    const at = lowerBound(node.keys, key);
    return node.keys[at] === key ? node.values[at] : undefined;
  }

  /** Adds an entry whose key is not there yet. */
  add(key: string, value: V): void {
    const root = this.#root;
    const split = this.#addTo(root, key, value, this.#counts(value) ? 1 : 0);
    this.#size++;
    if (split === undefined) return;
    this.#root = { keys: [split.key], children: [root, split.node], counted: root.counted + split.node.counted };
  }

  /** Whether the key was there; then it is gone. */
  delete(key: string): boolean {
    const removed = this.#deleteFrom(this.#root, key);
    if (!removed) return false;
    this.#size--;
    while (this.#root.children?.length === 1) this.#root = this.#root.children[0] as Node<V>;
    return true;
  }

  /** The entry of `key`, which is there, began (1) or ceased (-1) to count. */
  recount(key: string, by: 1 | -1): void {
    let node = this.#root;
    for (;;) {
      node.counted += by;
      if (node.children === undefined) return;
      node = node.children[childAt(node.keys, key)] as Node<V>;
    }
  }

  /** How many entries with `from <= key < to` count; `to` undefined: to the end. */
  countedIn(from: string, to: string | undefined): number {
    if (to !== undefined && to <= from) return 0;
    const below = from === "" ? 0 : this.#countedBelow(from);
    return (to === undefined ? this.#root.counted : this.#countedBelow(to)) - below;
  }

  /** Visits entries with `from <= key < to` in order until `visit` answers false. The tree must not change meanwhile. */
  scan(from: string, to: string | undefined, visit: (key: string, value: V) => boolean | undefined): void {
    scanNode(this.#root, from, to, visit);
  }

  /** Takes the place of everything with what comes by `append`, in rising order of keys; then call `finish` once. */
  static builder<V>(tree: CountedTree<V>): TreeBuilder<V> {
    tree.clear();
    return new TreeBuilder<V>(tree.#counts, (root, size) => {
      tree.#root = root as Node<V>;
      tree.#size = size;
    });
  }

  #addTo(node: Node<V>, key: string, value: V, counted: 0 | 1): Split<V> | undefined {
    node.counted += counted;
    if (node.children === undefined) {
      const at = lowerBound(node.keys, key);
      assert(node.keys[at] !== key, "a key is added once");
      node.keys.splice(at, 0, key);
      node.values.splice(at, 0, value);
      return node.keys.length > WIDTH ? this.#splitLeaf(node) : undefined;
    }
    const at = childAt(node.keys, key);
    const split = this.#addTo(node.children[at] as Node<V>, key, value, counted);
    if (split === undefined) return undefined;
    node.keys.splice(at, 0, split.key);
    node.children.splice(at + 1, 0, split.node);
    return node.children.length > WIDTH ? splitBranch(node) : undefined;
  }

  #splitLeaf(leaf: Leaf<V>): Split<V> {
    const half = leaf.keys.length >>> 1;
    const right: Leaf<V> = {
      keys: leaf.keys.slice(half),
      values: leaf.values.slice(half),
      children: undefined,
      counted: 0,
    };
    leaf.keys.length = half;
    leaf.values.length = half;
    for (const value of right.values) if (this.#counts(value)) right.counted++;
    leaf.counted -= right.counted;
    return { key: right.keys[0] as string, node: right };
  }

  #deleteFrom(node: Node<V>, key: string): boolean {
    if (node.children === undefined) {
      const at = lowerBound(node.keys, key);
      if (node.keys[at] !== key) return false;
      if (this.#counts(node.values[at] as V)) node.counted--;
      node.keys.splice(at, 1);
      node.values.splice(at, 1);
      return true;
    }
    const at = childAt(node.keys, key);
    const child = node.children[at] as Node<V>;
    const before = child.counted;
    if (!this.#deleteFrom(child, key)) return false;
    node.counted -= before - child.counted;
    if (lengthOf(child) < MERGED / 2) mergeAround(node, at);
    return true;
  }

  #countedBelow(key: string): number {
    let below = 0;
    let node = this.#root;
    while (node.children !== undefined) {
      const at = childAt(node.keys, key);
      for (let index = 0; index < at; index++) below += (node.children[index] as Node<V>).counted;
      node = node.children[at] as Node<V>;
    }
    const end = lowerBound(node.keys, key);
    for (let index = 0; index < end; index++) if (this.#counts(node.values[index] as V)) below++;
    return below;
  }
}

/** Makes a tree from keys that come in order, without looking for the place of any. */
export class TreeBuilder<V> {
  readonly #counts: (value: V) => boolean;
  readonly #done: (root: unknown, size: number) => void;
  #leaves: Leaf<V>[] = [];
  #size = 0;

  constructor(counts: (value: V) => boolean, done: (root: unknown, size: number) => void) {
    this.#counts = counts;
    this.#done = done;
  }

  /**
   * The entries from place `from` up to `to` of two columns. `allCount`: nobody of them has to be looked at, which for very
   * many is a wait for the memory each.
   */
  append(keys: readonly string[], values: readonly V[], from: number, to: number, allCount: boolean): void {
    for (let at = from; at < to; at += BUILT) {
      const end = Math.min(at + BUILT, to);
      const leaf: Leaf<V> = {
        keys: keys.slice(at, end),
        values: values.slice(at, end),
        children: undefined,
        counted: end - at,
      };
      if (!allCount) leaf.counted = leaf.values.filter(this.#counts).length;
      this.#leaves.push(leaf);
    }
    this.#size += to - from;
  }

  finish(): void {
    let level: Node<V>[] = this.#leaves.length === 0 ? [emptyLeaf()] : this.#leaves;
    while (level.length > 1) level = grouped(level);
    this.#done(level[0], this.#size);
    this.#leaves = [];
  }
}

interface Split<V> {
  /** The first key of the new node. */
  readonly key: string;
  readonly node: Node<V>;
}

function emptyLeaf<V>(): Leaf<V> {
  return { keys: [], values: [], children: undefined, counted: 0 };
}

function lengthOf<V>(node: Node<V>): number {
  return node.children === undefined ? node.keys.length : node.children.length;
}

function grouped<V>(level: readonly Node<V>[]): Node<V>[] {
  const above: Node<V>[] = [];
  for (let at = 0; at < level.length; at += BUILT) {
    const children = level.slice(at, at + BUILT);
    const keys = children.slice(1).map(firstKey);
    above.push({ keys, children, counted: countedOf(children) });
  }
  return above;
}

function firstKey<V>(node: Node<V>): string {
  let first = node;
  while (first.children !== undefined) first = first.children[0] as Node<V>;
  return first.keys[0] as string;
}

function countedOf<V>(nodes: readonly Node<V>[]): number {
  let sum = 0;
  for (const { counted } of nodes) sum += counted;
  return sum;
}

function splitBranch<V>(branch: Branch<V>): Split<V> {
  const half = branch.children.length >>> 1;
  const children = branch.children.slice(half);
  const right: Branch<V> = { keys: branch.keys.slice(half), children, counted: countedOf(children) };
  const key = branch.keys[half - 1] as string;
  branch.children.length = half;
  branch.keys.length = half - 1;
  branch.counted -= right.counted;
  return { key, node: right };
}

/** The child at `at` has become small: into a neighbour with it if both then fit, or away with it when it is empty. */
function mergeAround<V>(parent: Branch<V>, at: number): void {
  const child = parent.children[at] as Node<V>;
  if (lengthOf(child) === 0 && parent.children.length > 1) {
    parent.children.splice(at, 1);
    parent.keys.splice(Math.max(0, at - 1), 1);
    return;
  }
  const left = at > 0 ? at - 1 : at;
  const [first, second] = [parent.children[left], parent.children[left + 1]];
  if (first === undefined || second === undefined || lengthOf(first) + lengthOf(second) > MERGED) return;
  parent.children[left] = merged(first, second, parent.keys[left] as string);
  parent.children.splice(left + 1, 1);
  parent.keys.splice(left, 1);
}

function merged<V>(first: Node<V>, second: Node<V>, between: string): Node<V> {
  const counted = first.counted + second.counted;
  if (first.children === undefined || second.children === undefined) {
    assert(first.children === undefined && second.children === undefined, "neighbours are of one level");
    return {
      keys: first.keys.concat(second.keys),
      values: first.values.concat(second.values),
      children: undefined,
      counted,
    };
  }
  return {
    keys: [...first.keys, between, ...second.keys],
    children: first.children.concat(second.children),
    counted,
  };
}

/** False: `visit` has had enough, or the end is reached. */
function scanNode<V>(
  node: Node<V>,
  from: string,
  to: string | undefined,
  visit: (key: string, value: V) => boolean | undefined,
): boolean {
  const { keys } = node;
  if (node.children === undefined) {
    for (let at = lowerBound(keys, from); at < keys.length; at++) {
      const key = keys[at] as string;
      if (to !== undefined && key >= to) return false;
      if (visit(key, node.values[at] as V) === false) return false;
    }
    return true;
  }
  for (let at = childAt(keys, from); at < node.children.length; at++) {
    if (!scanNode(node.children[at] as Node<V>, from, to, visit)) return false;
  }
  return true;
}

/** The child in which `key` is, if it is in the branch of these keys: behind the last one that is not above it. */
function childAt(keys: readonly string[], key: string): number {
  let low = 0;
  for (let high = keys.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first place whose key is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  for (let high = keys.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
