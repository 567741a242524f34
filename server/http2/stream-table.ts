/**
 * The open streams of a connection by their numbers. A Map would do, but streams come and go by the hundred thousand a
 * second: V8 then makes a new table every few of them, each old one holds on to the next, and what lies in them survives
 * until the whole heap is collected (seen: a third of the time went to that). Numbers rise, so a ring is enough; a
 * stream that is still there when the ring comes round, a watch for example, moves to a map.
 */
import type { Stream } from "./stream.ts";

const FIRST_SLOTS = 64;
/** From here on the ring does not grow. */
const MAX_SLOTS = 4096;

export class StreamTable {
  #slots: (Stream | undefined)[] = new Array<undefined>(FIRST_SLOTS).fill(undefined);
  readonly #lasting = new Map<number, Stream>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): Stream | undefined {
    const stream = this.#slots[(id >>> 1) & (this.#slots.length - 1)];
    if (stream !== undefined && stream.id === id) return stream;
    return this.#lasting.size === 0 ? undefined : this.#lasting.get(id);
  }

  /** `stream` has a higher number than all before it. */
  add(stream: Stream): void {
    this.#size++;
    if (this.#size * 2 > this.#slots.length && this.#slots.length < MAX_SLOTS) this.#widen();
    this.#place(stream);
  }

  #place(stream: Stream): void {
    const slot = (stream.id >>> 1) & (this.#slots.length - 1);
    const lasting = this.#slots[slot];
    if (lasting !== undefined) this.#lasting.set(lasting.id, lasting);
    this.#slots[slot] = stream;
  }

  delete(stream: Stream): void {
    const slot = (stream.id >>> 1) & (this.#slots.length - 1);
    this.#size--;
    if (this.#slots[slot] === stream) this.#slots[slot] = undefined;
    else this.#lasting.delete(stream.id);
  }

  /** All of them now, oldest first. */
  list(): Stream[] {
    const streams = [...this.#lasting.values()];
    for (const stream of this.#slots) if (stream !== undefined) streams.push(stream);
    return streams.sort((left, right) => left.id - right.id);
  }

  #widen(): void {
    const streams = this.list();
    this.#lasting.clear();
    this.#slots = new Array<undefined>(this.#slots.length * 2).fill(undefined);
    for (const stream of streams) this.#place(stream);
  }
}
