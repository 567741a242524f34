/**
 * Header blocks as a peer may write them, not as ours does: each field in one of the forms that RFC 7541 allows, by
 * chance, with a table of its own that is kept by the RFC's words and not by our code.
 */
import type { Prng } from "../../server/base/prng.ts";
import { STATIC_FIELDS } from "../../server/http2/hpack-table.ts";
import { huffmanEncode, huffmanSize } from "../../server/http2/huffman.ts";

export type Field = readonly [name: string, value: string];

/** The bound of the decoder's table; nobody has raised it. */
const CAPACITY_MAX = 4096;
const ENTRY_OVERHEAD = 32;

export class HeaderBlocks {
  readonly #prng: Prng;
  /** Newest first. */
  #table: Field[] = [];
  #capacity = CAPACITY_MAX;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  /** How many fields can be named by their number. */
  get known(): number {
    return STATIC_FIELDS.length + this.#table.length;
  }

  block(fields: readonly Field[]): Buffer {
    const parts: Buffer[] = [];
    if (this.#prng.chance(0.08)) {
      if (this.#prng.chance(0.3)) parts.push(this.#resize(this.#prng.below(CAPACITY_MAX + 1)));
      parts.push(this.#resize(this.#prng.pick([0, 40, 200, this.#size, Math.max(0, this.#size - 1), CAPACITY_MAX])));
    }
    for (const field of fields) parts.push(this.#field(field));
    return Buffer.concat(parts);
  }

  #resize(capacity: number): Buffer {
    this.#capacity = capacity;
    this.#evict(0);
    return integer(0x20, 5, capacity);
  }

  #field(field: Field): Buffer {
    const prng = this.#prng;
    const whole = this.#numberOf(([name, value]) => name === field[0] && value === field[1]);
    if (whole > 0 && prng.chance(0.7)) return integer(0x80, 7, whole);
    const named = prng.chance(0.8) ? this.#numberOf(([name]) => name === field[0]) : 0;
    const form = prng.pick(["indexed", "indexed", "plain", "never"]);
    const head = form === "indexed" ? integer(0x40, 6, named) : integer(form === "never" ? 0x10 : 0, 4, named);
    const rest = named > 0 ? [this.#text(field[1])] : [this.#text(field[0]), this.#text(field[1])];
    if (form === "indexed") this.#add(field);
    return Buffer.concat([head, ...rest]);
  }

  #numberOf(fits: (field: Field) => boolean): number {
    const inStatic = STATIC_FIELDS.findIndex(({ name, value }) => fits([name, value]));
    if (inStatic >= 0) return inStatic + 1;
    const inTable = this.#table.findIndex(fits);
    return inTable < 0 ? 0 : STATIC_FIELDS.length + inTable + 1;
  }

  #text(text: string): Buffer {
    if (this.#prng.chance(0.5)) return Buffer.concat([integer(0, 7, text.length), Buffer.from(text, "latin1")]);
    const packed = Buffer.alloc(huffmanSize(text));
    huffmanEncode(text, packed, 0);
    return Buffer.concat([integer(0x80, 7, packed.length), packed]);
  }

  get #size(): number {
    return this.#table.reduce((sum, field) => sum + sizeOf(field), 0);
  }

  #add(field: Field): void {
    const size = sizeOf(field);
    this.#evict(size);
    if (size <= this.#capacity) this.#table.unshift(field);
  }

  #evict(room: number): void {
    let total = this.#size;
    while (this.#table.length > 0 && total + room > this.#capacity) total -= sizeOf(this.#table.pop() as Field);
  }
}

function sizeOf([name, value]: Field): number {
  return name.length + value.length + ENTRY_OVERHEAD;
}

/** An integer behind the high bits of its first byte, of which it has the low `bits`. */
export function integer(high: number, bits: number, value: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.of(high | value);
  const bytes = [high | most];
  let rest = value - most;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}
