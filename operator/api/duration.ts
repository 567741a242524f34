/**
 * Durations of a spec: whole numbers with units, the greatest first, such as "10m" or "1h30m". It is the part of Go's
 * form that people write; signs, fractions and what is below a millisecond have no use here and are refused. The bound
 * on digits keeps the sum within what Go and CEL can hold.
 */

/** Longer than any honest duration; the schema holds the same bound. */
export const MAX_DURATION_LENGTH = 24;

/** What the schema holds a duration to; the empty text fits too and is none. */
export const DURATION_PATTERN = "^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?([0-9]{1,6}ms)?$";

const SHAPE = new RegExp(DURATION_PATTERN);

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Durations that were read last: a spec has a handful, and they are asked for in every pass. */
const KEPT_MAX = 256;
const KEPT = new Map<string, number>();

/** Milliseconds. Throws an Error that names the text and says what a duration looks like. */
export function durationMs(text: string): number {
  const kept = KEPT.get(text);
  if (kept !== undefined) return kept;
  const sum = read(text);
  if (KEPT.size >= KEPT_MAX) KEPT.clear();
  KEPT.set(text, sum);
  return sum;
}

function read(text: string): number {
  if (text === "" || text.length > MAX_DURATION_LENGTH || !SHAPE.test(text)) throw noDuration(text);
  let sum = 0;
  for (const [, count = "", unit = ""] of text.matchAll(/(\d+)(ms|s|m|h)/g))
    sum += Number(count) * (MILLISECONDS[unit] ?? 0);
  return sum;
}

function noDuration(text: string): Error {
  const shown = text.length <= MAX_DURATION_LENGTH ? text : `${text.slice(0, MAX_DURATION_LENGTH)}...`;
  return new Error(`"${shown}" is no duration: give whole numbers with units (h, m, s, ms), such as 30s, 10m or 1h30m`);
}
