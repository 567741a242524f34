/** Knots and shortest cycles in a graph of dependencies. */

/** An arrow; both ends are transactions' ids. */
export interface Arrow {
  readonly from: number;
  readonly to: number;
}

/** The strongly connected components of more than one member: Tarjan's algorithm, without recursion. */
export function knotsOf(arrows: readonly Arrow[]): Set<number>[] {
  const next = successors(arrows);
  const order = new Map<number, number>();
  const low = new Map<number, number>();
  const open: number[] = [];
  const isOpen = new Set<number>();
  const knots: Set<number>[] = [];

  const close = (root: number) => {
    if (low.get(root) !== order.get(root)) return;
    const members = new Set<number>();
    let one: number | undefined;
    do {
      one = open.pop() as number;
      isOpen.delete(one);
      members.add(one);
    } while (one !== root);
    if (members.size > 1) knots.push(members);
  };

  for (const start of next.keys()) {
    if (order.has(start)) continue;
    const way: { readonly node: number; at: number }[] = [];
    const enter = (node: number) => {
      order.set(node, order.size);
      low.set(node, order.size - 1);
      open.push(node);
      isOpen.add(node);
      way.push({ node, at: 0 });
    };
    enter(start);
    for (let here = way.at(-1); here !== undefined; here = way.at(-1)) {
      const { node } = here;
      const to = next.get(node)?.[here.at++]?.to;
      if (to !== undefined) {
        if (!order.has(to)) enter(to);
        else if (isOpen.has(to)) lower(low, node, order.get(to) as number);
        continue;
      }
      close(node);
      way.pop();
      const above = way.at(-1);
      if (above !== undefined) lower(low, above.node, low.get(node) as number);
    }
  }
  return knots;
}

/** As many arrows are tried as the beginning of a cycle: a knot beyond that is shown by a cycle that may not be the shortest. */
const STARTS_MAX = 500;

/** The shortest way round that begins with one of `starts` and goes on along `arrows`; undefined: there is none. */
export function shortestCycle<A extends Arrow>(arrows: readonly A[], starts: readonly A[]): A[] | undefined {
  const next = successors(arrows);
  let best: A[] | undefined;
  for (const [index, start] of starts.entries()) {
    if (index >= STARTS_MAX && best !== undefined) break;
    const rest = shortestWay(next, start.to, start.from, best?.length ?? Number.POSITIVE_INFINITY);
    if (rest !== undefined && (best === undefined || rest.length + 1 < best.length)) best = [start, ...rest];
  }
  return best;
}

/** Breadth first, shorter than `bound` - 1. */
function shortestWay<A extends Arrow>(
  next: ReadonlyMap<number, readonly A[]>,
  from: number,
  to: number,
  bound: number,
): A[] | undefined {
  const cameBy = new Map<number, A>();
  let edge = [from];
  const seen = new Set(edge);
  for (let length = 1; edge.length > 0 && length < bound; length++) {
    const further: number[] = [];
    for (const node of edge)
      for (const arrow of next.get(node) ?? []) {
        if (seen.has(arrow.to)) continue;
        seen.add(arrow.to);
        cameBy.set(arrow.to, arrow);
        if (arrow.to === to) return wayBack(cameBy, from, to);
        further.push(arrow.to);
      }
    edge = further;
  }
  return undefined;
}

function wayBack<A extends Arrow>(cameBy: ReadonlyMap<number, A>, from: number, to: number): A[] {
  const way: A[] = [];
  for (let node = to; node !== from; ) {
    const arrow = cameBy.get(node) as A;
    way.unshift(arrow);
    node = arrow.from;
  }
  return way;
}

function successors<A extends Arrow>(arrows: readonly A[]): Map<number, A[]> {
  const next = new Map<number, A[]>();
  for (const arrow of arrows) {
    const all = next.get(arrow.from);
    if (all === undefined) next.set(arrow.from, [arrow]);
    else all.push(arrow);
  }
  return next;
}

function lower(low: Map<number, number>, node: number, value: number): void {
  low.set(node, Math.min(low.get(node) as number, value));
}
