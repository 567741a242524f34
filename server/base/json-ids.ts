/**
 * JSON whose numbers may be 64-bit ids. etcd writes member ids as bare numbers, and `JSON.parse` rounds those above
 * 2^53; here an integer of 16 digits or more is read as a bigint, and a bigint is written as a bare number.
 */

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const LONG_INTEGER = /^-?\d{16,}$/;
const MARK = "\u0000id:"; // JSON text never holds a raw NUL, so no value of the document can look like this

/** The value of `text`; throws `SyntaxError` when it is not JSON. */
export function parseJsonWithIds(text: string): unknown {
  const quoted = text.replace(TOKEN, (token) => (LONG_INTEGER.test(token) ? `"\\u0000id:${token}"` : token));
  return JSON.parse(quoted, (_key, value: unknown) =>
    typeof value === "string" && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  );
}

/** JSON of `value`, keys in the order of the object, undefined fields left out, bigints as bare numbers. */
export function writeJsonWithIds(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return `[${value.map(writeJsonWithIds).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${writeJsonWithIds(field)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

/** A number or bigint out of such JSON as an id. */
export function asId(value: unknown): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  throw new SyntaxError(`an id must be a whole number, not ${JSON.stringify(String(value))}`);
}
