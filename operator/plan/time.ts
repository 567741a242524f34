/** RFC 3339 in and out of milliseconds since 1970, always UTC, by the civil calendar: a pure room has no `Date`. */

const DAY_MS = 86_400_000;
const SHAPE = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?Z$/;
/** Texts that were read and written last: a status says the same few times again and again. */
const KEPT_MAX = 512;
const READ = new Map<string, number>();
const WRITTEN = new Map<number, string>();

/** Whole seconds, as Kubernetes writes times: `2026-01-01T00:00:00Z`. `ms` from 1970 to 9999. */
export function toTime(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return WRITTEN.get(seconds) ?? keep(WRITTEN, seconds, format(seconds * 1000));
}

function format(ms: number): string {
  const days = Math.floor(ms / DAY_MS);
  const seconds = (ms - days * DAY_MS) / 1000;
  const { year, month, day } = dateOf(days);
  const clock = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((part) => two(Math.floor(part))).join(":");
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T${clock}Z`;
}

/** Milliseconds since 1970, parts of a second left out; nothing for what is no such time. */
export function fromTime(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const known = READ.get(text);
  if (known !== undefined) return known;
  const ms = parse(text);
  return ms === undefined ? undefined : keep(READ, text, ms);
}

function parse(text: string): number | undefined {
  const match = SHAPE.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  return daysOf(year, month, day) * DAY_MS + (hour * 3600 + minute * 60 + second) * 1000;
}

function keep<Key, Value>(kept: Map<Key, Value>, key: Key, value: Value): Value {
  if (kept.size >= KEPT_MAX) kept.clear();
  kept.set(key, value);
  return value;
}

function two(part: number): string {
  return String(part).padStart(2, "0");
}

/** Years are counted from March, so that the leap day is the last of its year; 400 years have 146,097 days. */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function dateOf(days: number): { readonly year: number; readonly month: number; readonly day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const day = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}
