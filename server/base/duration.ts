/**
 * Durations as Go writes and reads them ("300ms", "1h30m"), which is how etcd's flags, log lines and warnings give
 * them. Inside they are milliseconds, a number that may have a fraction.
 */

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  "\u00b5s": 1e3,
  "\u03bcs": 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Go keeps nanoseconds in 63 bits. */
const MAX_NANOSECONDS = 2 ** 63;

/**
 * Milliseconds of `text`: numbers with units, one after another, with an optional sign; or just "0". Throws an Error
 * that says what is wrong with it.
 */
export function parseDuration(text: string): number {
  const unsigned = text.replace(/^[+-]/, "");
  if (unsigned === "0") return 0;
  if (unsigned === "") throw new Error("a duration is a number with a unit, such as 500ms or 10m");
  const part = /(\d+\.?\d*|\.\d+)([^\d.]*)/y;
  let nanoseconds = 0;
  while (part.lastIndex < unsigned.length) {
    const match = part.exec(unsigned);
    if (match === null) throw new Error("a duration is a number with a unit, such as 500ms or 10m");
    const [, count, unit] = match as unknown as [string, string, string];
    if (unit === "") throw new Error(`${count} has no unit: ns, us, ms, s, m or h`);
    const size = NANOSECONDS[unit];
    if (size === undefined) throw new Error(`"${unit}" is not a unit: ns, us, ms, s, m or h`);
    nanoseconds += Number(count) * size;
  }
  if (nanoseconds >= MAX_NANOSECONDS) throw new Error("a duration is at most 292 years");
  return (text.startsWith("-") ? -nanoseconds : nanoseconds) / 1e6;
}

/** `milliseconds` as Go prints a duration: "1m0s", "1.5s", "300ms", "82.4µs", "0s". Below a nanosecond is rounded. */
export function formatDuration(milliseconds: number): string {
  const nanoseconds = Math.round(Math.abs(milliseconds) * 1e6);
  const sign = milliseconds < 0 && nanoseconds > 0 ? "-" : "";
  if (nanoseconds === 0) return "0s";
  if (nanoseconds < 1e3) return `${sign}${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${sign}${decimal(nanoseconds, 1e3)}\u00b5s`;
  if (nanoseconds < 1e9) return `${sign}${decimal(nanoseconds, 1e6)}ms`;
  const minutes = Math.floor(nanoseconds / 60e9);
  const seconds = `${decimal(nanoseconds - minutes * 60e9, 1e9)}s`;
  if (minutes === 0) return sign + seconds;
  const hours = Math.floor(minutes / 60);
  return `${sign}${hours === 0 ? "" : `${hours}h`}${minutes - hours * 60}m${seconds}`;
}

/** `count / size` without trailing zeros and without floating-point noise; `size` is a power of ten. */
function decimal(count: number, size: number): string {
  const whole = Math.floor(count / size);
  const fraction = String(Math.round(count - whole * size))
    .padStart(String(size).length - 1, "0")
    .replace(/0+$/, "");
  return fraction === "" ? String(whole) : `${whole}.${fraction}`;
}
