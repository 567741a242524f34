/**
 * Quantities of Kubernetes ("2Gi", "500m", "1e3"), read exactly. A quantity is a number with one of three kinds of
 * suffix: a power of 1024 (Ki to Ei), a power of 1000 (n to E), or an exponent (e3, E-3).
 */

/** Longer than any honest quantity; the schema holds the same bound. */
export const MAX_QUANTITY_LENGTH = 32;

/** The smallest part that is told apart: 10^-9. Kubernetes rounds away from zero below it, and so do we. */
const NANOS = 9;

/** Kubernetes keeps 63 bits before the point. */
const MAX_VALUE = 2n ** 63n - 1n;

/** The greatest exponent of the form 1e3 that could still be within bounds. */
const MAX_EXPONENT = 18;

const SHAPE = /^([+-]?)(\d*)(?:\.(\d*))?(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d{1,3})?$/;

const BINARY: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };
const DECIMAL: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

/**
 * Billionths of the unit. Throws an Error that names the text and says what a quantity looks like, also for one beyond
 * 2^63 - 1.
 */
export function parseQuantity(quantity: string | number): bigint {
  const text = String(quantity);
  const match = text.length <= MAX_QUANTITY_LENGTH ? SHAPE.exec(text) : null;
  if (match === null) throw noQuantity(text);
  const [, sign = "", whole = "", fraction = "", suffix = ""] = match;
  if (whole === "" && fraction === "") throw noQuantity(text);
  const { exponent, shift } = scaleOf(suffix);
  if (Math.abs(exponent) > MAX_EXPONENT) throw noQuantity(text);
  const digits = BigInt(whole + fraction) << BigInt(shift);
  const nanos = scaled(digits, exponent + NANOS - fraction.length);
  if (nanos > MAX_VALUE * 10n ** BigInt(NANOS))
    throw new Error(`quantity "${text}" is beyond 2^63 - 1: give a smaller one`);
  return sign === "-" ? -nanos : nanos;
}

/** Whole bytes, rounded up as Kubernetes does. Throws an Error for what is no quantity, negative or beyond 2^53 - 1. */
export function bytesOf(quantity: string | number): number {
  const nanos = parseQuantity(quantity);
  if (nanos < 0n) throw new Error(`quantity "${quantity}" is negative: bytes are 0 or more`);
  const bytes = Number(dividedUp(nanos, 10n ** BigInt(NANOS)));
  if (!Number.isSafeInteger(bytes)) throw new Error(`quantity "${quantity}" is beyond 8Pi: give a smaller one`);
  return bytes;
}

/** Below 0 when `a` is less than `b`, 0 when they are the same amount however written, above 0 when it is more. */
export function compareQuantities(a: string | number, b: string | number): number {
  const difference = parseQuantity(a) - parseQuantity(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** `bytes` with the greatest suffix that keeps it whole: 2147483648 is "2Gi", 1000 is "1000". 0 or more. */
export function formatBytes(bytes: number): string {
  let rest = bytes;
  let suffix = "";
  for (const next of Object.keys(BINARY)) {
    if (rest === 0 || rest % 1024 !== 0) break;
    rest /= 1024;
    suffix = next;
  }
  return `${rest}${suffix}`;
}

/** For people, in three digits or so: "0 B", "12.5 MiB". `bytes` 0 or more. */
export function shownBytes(bytes: number): string {
  let rest = bytes;
  let unit = "B";
  for (const next of ["KiB", "MiB", "GiB", "TiB"]) {
    if (rest < 1024) break;
    rest /= 1024;
    unit = next;
  }
  return `${rest < 100 ? Math.round(rest * 10) / 10 : Math.round(rest)} ${unit}`;
}

function scaleOf(suffix: string): { readonly exponent: number; readonly shift: number } {
  const shift = BINARY[suffix];
  if (shift !== undefined) return { exponent: 0, shift };
  return { exponent: DECIMAL[suffix] ?? (suffix === "" ? 0 : Number(suffix.slice(1))), shift: 0 };
}

/** `digits` times ten to the `power`, rounded up. */
function scaled(digits: bigint, power: number): bigint {
  return power >= 0 ? digits * 10n ** BigInt(power) : dividedUp(digits, 10n ** BigInt(-power));
}

function dividedUp(amount: bigint, by: bigint): bigint {
  return (amount + by - 1n) / by;
}

function noQuantity(text: string): Error {
  const shown = text.length <= MAX_QUANTITY_LENGTH ? text : `${text.slice(0, MAX_QUANTITY_LENGTH)}...`;
  return new Error(`"${shown}" is no quantity: give a number with a suffix, such as 500m, 2Gi or 1.5Ti`);
}
