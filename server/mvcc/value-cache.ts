/**
 * The newest values that were written or read, within a budget: a LIST is then a walk through memory and not a thousand
 * lookups on disk with a checksum each. A value hangs on its key's index entry, so that finding it costs nothing; here
 * is only who has one, to take it away again. Which one goes is a matter of place, not of use: a LIST of everything
 * would turn an order of use over anyway.
 */
import { EMPTY_BYTES } from "../base/bytes.ts";
import type { KeyIndex } from "./key-index.ts";

/** What keeping a value costs beside its bytes: two objects, a slot, the allocator's share. */
const OVERHEAD_BYTES = 200;
/** One value may take this share of the budget. */
const LARGEST_SHARE = 1 / 16;
/** Stands for "has a slot, but no value now": the newest version is a tombstone. */
const VACANT = EMPTY_BYTES;

export class ValueCache {
  readonly #budgetBytes: number;
  /** Every entry with a value or a vacancy, once. */
  readonly #slots: KeyIndex[] = [];
  #hand = 0;
  #bytes = 0;
  #vacancies = 0;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  /** What the values take, at most the budget. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Entries that have a value or a vacancy. */
  get slots(): number {
    return this.#slots.length;
  }

  /** The encoded KeyValue of the entry's newest version, if it is here. */
  get(entry: KeyIndex): Uint8Array | undefined {
    const { cached } = entry;
    return cached === VACANT ? undefined : cached;
  }

  /** Keeps the encoded KeyValue of the entry's newest version: in memory of its own, not as a view of more. */
  set(entry: KeyIndex, kv: Uint8Array): void {
    if (kv.length + OVERHEAD_BYTES > this.#budgetBytes * LARGEST_SHARE) {
      this.drop(entry);
      return;
    }
    this.#bytes += costOf(kv) - costOf(entry.cached);
    if (entry.cached === undefined) this.#slots.push(entry);
    else if (entry.cached === VACANT) this.#vacancies--;
    entry.cached = kv;
    if (this.#vacancies * 2 > this.#slots.length) this.#sweep();
    while (this.#bytes > this.#budgetBytes) this.#evict();
  }

  /** The entry has no living newest version any more. */
  drop(entry: KeyIndex): void {
    if (entry.cached === undefined || entry.cached === VACANT) return;
    this.#bytes -= costOf(entry.cached);
    entry.cached = VACANT;
    this.#vacancies++;
  }

  /** Forgets all. The entries are thrown away, too. */
  clear(): void {
    this.#slots.length = 0;
    this.#hand = 0;
    this.#bytes = 0;
    this.#vacancies = 0;
  }

  /** Four slots looked at for each value kept while vacancies outnumber values: two of them are vacant, so they get fewer. */
  #sweep(): void {
    for (let looks = 0; looks < 4; looks++) if (this.#slots[this.#advance()]?.cached === VACANT) this.#free(this.#hand);
  }

  #evict(): void {
    this.#free(this.#advance());
  }

  #advance(): number {
    this.#hand = this.#hand + 1 < this.#slots.length ? this.#hand + 1 : 0;
    return this.#hand;
  }

  #free(at: number): void {
    const entry = this.#slots[at] as KeyIndex;
    this.#bytes -= costOf(entry.cached);
    if (entry.cached === VACANT) this.#vacancies--;
    entry.cached = undefined;
    const last = this.#slots.pop() as KeyIndex;
    if (last !== entry) this.#slots[at] = last;
  }
}

function costOf(kv: Uint8Array | undefined): number {
  return kv === undefined || kv === VACANT ? 0 : kv.length + OVERHEAD_BYTES;
}
