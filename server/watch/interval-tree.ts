/**
 * Half-open intervals of byte strings, [start, end), and the question: which of them hold this key?
 *
 * A balanced (AVL) tree by start, each node knowing the largest end below it, so that a search leaves out every part
 * that ends too early:
 *
 *                      [c, f) max z
 *                     /            \
 *            [a, b) max b        [d, z) max z         key "e": b <= e, so the left side is never entered
 *
 * A search costs O(log n) and O(log n) for each answer, a change O(log n). Why not simpler: a sorted array must be
 * rebuilt whenever a watch comes or goes, and these do so between any two events; a bucket per prefix length answers
 * only prefixes. Why AVL and not a treap: the keys are the clients', and no sequence of theirs may make it deep.
 */
import type { ByteString } from "../base/bytes.ts";

/** An end above every byte string: characters of those stop at 0xff. */
export const END_OF_KEYS: ByteString = "\uffff";

interface Node<V> {
  start: ByteString;
  end: ByteString;
  value: V;
  height: number;
  maxEnd: ByteString;
  left: Node<V> | undefined;
  right: Node<V> | undefined;
}

export class IntervalTree<V> {
  #root: Node<V> | undefined;
  #size = 0;

  /** Different intervals. */
  get size(): number {
    return this.#size;
  }

  /** Levels; at most 1.44 log2(size + 2). */
  get height(): number {
    return this.#root?.height ?? 0;
  }

  get(start: ByteString, end: ByteString): V | undefined {
    let node = this.#root;
    while (node !== undefined) {
      const order = compare(start, end, node);
      if (order === 0) return node.value;
      node = order < 0 ? node.left : node.right;
    }
    return undefined;
  }

  /** Adds an interval that is not there yet. */
  add(start: ByteString, end: ByteString, value: V): void {
    this.#root = insert(this.#root, {
      start,
      end,
      value,
      height: 1,
      maxEnd: end,
      left: undefined,
      right: undefined,
    });
    this.#size++;
  }

  /** Removes an interval that is there. */
  delete(start: ByteString, end: ByteString): void {
    this.#root = remove(this.#root, start, end);
    this.#size--;
  }

  /** Adds the values of all intervals with start <= key < end to `into`. */
  collect(key: ByteString, into: V[]): void {
    collect(this.#root, key, into);
  }
}

function collect<V>(node: Node<V> | undefined, key: ByteString, into: V[]): void {
  if (node === undefined || node.maxEnd <= key) return;
  collect(node.left, key, into);
  if (node.start > key) return;
  if (key < node.end) into.push(node.value);
  collect(node.right, key, into);
}

/** Order of [start, end) and the node's interval: by start, then by end. */
function compare<V>(start: ByteString, end: ByteString, node: Node<V>): number {
  if (start !== node.start) return start < node.start ? -1 : 1;
  if (end !== node.end) return end < node.end ? -1 : 1;
  return 0;
}

function insert<V>(node: Node<V> | undefined, added: Node<V>): Node<V> {
  if (node === undefined) return added;
  if (compare(added.start, added.end, node) < 0) node.left = insert(node.left, added);
  else node.right = insert(node.right, added);
  return balance(node);
}

function remove<V>(node: Node<V> | undefined, start: ByteString, end: ByteString): Node<V> | undefined {
  if (node === undefined) return undefined;
  const order = compare(start, end, node);
  if (order < 0) node.left = remove(node.left, start, end);
  else if (order > 0) node.right = remove(node.right, start, end);
  else {
    if (node.left === undefined) return node.right;
    if (node.right === undefined) return node.left;
    // The next interval in order takes this one's place.
    const next = leftmost(node.right);
    node.right = remove(node.right, next.start, next.end);
    node.start = next.start;
    node.end = next.end;
    node.value = next.value;
  }
  return balance(node);
}

function leftmost<V>(node: Node<V>): Node<V> {
  let first = node;
  while (first.left !== undefined) first = first.left;
  return first;
}

/** The root of this subtree after making it level again; only this node may be out of balance, and by one. */
function balance<V>(node: Node<V>): Node<V> {
  const lean = heightOf(node.left) - heightOf(node.right);
  if (lean > 1) {
    const left = node.left as Node<V>;
    if (heightOf(left.left) < heightOf(left.right)) node.left = rotateLeft(left);
    return rotateRight(node);
  }
  if (lean < -1) {
    const right = node.right as Node<V>;
    if (heightOf(right.right) < heightOf(right.left)) node.right = rotateRight(right);
    return rotateLeft(node);
  }
  return refresh(node);
}

function rotateRight<V>(node: Node<V>): Node<V> {
  const top = node.left as Node<V>;
  node.left = top.right;
  top.right = refresh(node);
  return refresh(top);
}

function rotateLeft<V>(node: Node<V>): Node<V> {
  const top = node.right as Node<V>;
  node.right = top.left;
  top.left = refresh(node);
  return refresh(top);
}

/** What a node knows of those below it. */
function refresh<V>(node: Node<V>): Node<V> {
  const { left, right } = node;
  node.height = 1 + Math.max(heightOf(left), heightOf(right));
  node.maxEnd = node.end;
  if (left !== undefined && left.maxEnd > node.maxEnd) node.maxEnd = left.maxEnd;
  if (right !== undefined && right.maxEnd > node.maxEnd) node.maxEnd = right.maxEnd;
  return node;
}

function heightOf<V>(node: Node<V> | undefined): number {
  return node === undefined ? 0 : node.height;
}
