/** Comparing JSON: whole values, and a wish with what the API server made of it. */

/** Whether two JSON values are the same; an absent field and one that is undefined are. */
export function isSame(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right))
    return left.length === right.length && left.every((item, index) => isSame(item, right[index]));
  if (!isRecord(left) || !isRecord(right)) return false;
  for (const key of Object.keys(left)) if (!isSame(left[key], right[key])) return false;
  for (const key of Object.keys(right)) if (left[key] === undefined && right[key] !== undefined) return false;
  return true;
}

/**
 * Whether `found` has all that `wanted` says; it may have more, as the API server fills in defaults. Lists are compared
 * item by item and must be of one length.
 */
export function hasAll(found: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return (
      Array.isArray(found) &&
      found.length === wanted.length &&
      wanted.every((item, index) => hasAll(found[index], item))
    );
  if (!isRecord(wanted)) return found === wanted;
  if (!isRecord(found)) return Object.values(wanted).every((value) => value === undefined);
  for (const key of Object.keys(wanted)) {
    const value = wanted[key];
    if (value !== undefined && !hasAll(found[key], value)) return false;
  }
  return true;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
