/** The JSON merge patch (RFC 7386) that makes one value out of another. */

/** Nothing when they are equal. What is undefined counts as absent; lists are replaced whole. */
export function mergePatchOf(from: unknown, to: unknown): object | undefined {
  const patch = difference(asJson(from) ?? {}, asJson(to) ?? {});
  return patch === SAME ? undefined : (patch as object);
}

const SAME = Symbol("same");

function difference(from: unknown, to: unknown): unknown {
  if (!isMap(from) || !isMap(to)) return isEqual(from, to) ? SAME : whole(to);
  const patch: Record<string, unknown> = {};
  for (const name of Object.keys(from)) if (to[name] === undefined) patch[name] = null;
  for (const [name, value] of Object.entries(to)) {
    const change = from[name] === undefined ? whole(value) : difference(from[name], value);
    if (change !== SAME) patch[name] = change;
  }
  return Object.keys(patch).length === 0 ? SAME : patch;
}

/** A null in a patch means "take away": as a value it can only be left out. */
function whole(value: unknown): unknown {
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, child]) => child !== null)
      .map(([name, child]) => [name, whole(child)]),
  );
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whatever the order of fields. */
export function isEqual(left: unknown, right: unknown): boolean {
  if (Array.isArray(left) && Array.isArray(right))
    return left.length === right.length && left.every((item, index) => isEqual(item, right[index]));
  if (!isMap(left) || !isMap(right)) return left === right;
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...names].every((name) => isEqual(left[name], right[name]));
}

function asJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
