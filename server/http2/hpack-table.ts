/** Header fields, and the tables of HPACK (RFC 7541, section 2.3) that number them. */

/** What a table adds to the bytes of a name and a value. */
const ENTRY_OVERHEAD = 32;

/**
 * One name and value, one character a byte. Shared: a field in a table is the same object each time it is named, so
 * whatever was found out about it is found out once.
 */
export class HeaderField {
  readonly name: string;
  readonly value: string;
  /** As tables and header lists count. */
  readonly size: number;
  /** What is wrong with it, undefined: not looked at yet; "": nothing. For whoever reads requests. */
  fault: string | undefined;

  constructor(name: string, value: string) {
    this.name = name;
    this.value = value;
    this.size = name.length + value.length + ENTRY_OVERHEAD;
  }
}

const STATIC_PAIRS: readonly (readonly [name: string, value: string])[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language", ""],
  ["accept-ranges", ""],
  ["accept", ""],
  ["access-control-allow-origin", ""],
  ["age", ""],
  ["allow", ""],
  ["authorization", ""],
  ["cache-control", ""],
  ["content-disposition", ""],
  ["content-encoding", ""],
  ["content-language", ""],
  ["content-length", ""],
  ["content-location", ""],
  ["content-range", ""],
  ["content-type", ""],
  ["cookie", ""],
  ["date", ""],
  ["etag", ""],
  ["expect", ""],
  ["expires", ""],
  ["from", ""],
  ["host", ""],
  ["if-match", ""],
  ["if-modified-since", ""],
  ["if-none-match", ""],
  ["if-range", ""],
  ["if-unmodified-since", ""],
  ["last-modified", ""],
  ["link", ""],
  ["location", ""],
  ["max-forwards", ""],
  ["proxy-authenticate", ""],
  ["proxy-authorization", ""],
  ["range", ""],
  ["referer", ""],
  ["refresh", ""],
  ["retry-after", ""],
  ["server", ""],
  ["set-cookie", ""],
  ["strict-transport-security", ""],
  ["transfer-encoding", ""],
  ["user-agent", ""],
  ["vary", ""],
  ["via", ""],
  ["www-authenticate", ""],
];

/** The static table; its first entry has the number 1. */
export const STATIC_FIELDS: readonly HeaderField[] = STATIC_PAIRS.map(([name, value]) => new HeaderField(name, value));
export const STATIC_COUNT: number = STATIC_FIELDS.length;

const staticByField = new Map<string, number>();
const staticByName = new Map<string, number>();
for (const [index, { name, value }] of STATIC_FIELDS.entries()) {
  staticByField.set(`${name}\0${value}`, index + 1);
  if (!staticByName.has(name)) staticByName.set(name, index + 1);
}

/** The number of a field in the static table, 0: it is not there. */
export function staticIndex(name: string, value: string): number {
  return staticByField.get(`${name}\0${value}`) ?? 0;
}

/** The number of some field with that name, 0: there is none. */
export function staticNameIndex(name: string): number {
  return staticByName.get(name) ?? 0;
}

/** The dynamic table: newest first, as many as its capacity holds. */
export class DynamicTable {
  /** A ring: entry number `n` of all that were ever added lies at `n & mask`. */
  #ring: (HeaderField | undefined)[] = new Array<undefined>(16).fill(undefined);
  #mask = 15;
  /** How many were ever added, and ever dropped. */
  added = 0;
  dropped = 0;
  #size = 0;
  #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get count(): number {
    return this.added - this.dropped;
  }

  get size(): number {
    return this.#size;
  }

  get capacity(): number {
    return this.#capacity;
  }

  resize(capacity: number): void {
    this.#capacity = capacity;
    this.#makeRoom(0);
  }

  /** `age` 0 is the newest. */
  get(age: number): HeaderField | undefined {
    return age < this.count ? this.#ring[(this.added - 1 - age) & this.#mask] : undefined;
  }

  /** A field larger than the whole table empties it and is not kept. */
  add(field: HeaderField): boolean {
    this.#makeRoom(field.size);
    if (field.size > this.#capacity) return false;
    if (this.count > this.#mask) this.#widen();
    this.#ring[this.added & this.#mask] = field;
    this.added++;
    this.#size += field.size;
    return true;
  }

  #makeRoom(size: number): void {
    while (this.count > 0 && this.#size + size > this.#capacity) {
      const slot = this.dropped & this.#mask;
      this.#size -= (this.#ring[slot] as HeaderField).size;
      this.#ring[slot] = undefined;
      this.dropped++;
    }
  }

  #widen(): void {
    const fields: HeaderField[] = [];
    for (let age = this.count - 1; age >= 0; age--) fields.push(this.get(age) as HeaderField);
    const length = this.#ring.length * 2;
    const ring = new Array<HeaderField | undefined>(length).fill(undefined);
    this.#mask = length - 1;
    for (const [offset, field] of fields.entries()) ring[(this.dropped + offset) & this.#mask] = field;
    this.#ring = ring;
  }
}
