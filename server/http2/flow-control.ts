/** Windows, and turns: how much may be sent either way, and whose turn it is. */

/** What a peer may still send to us, and when it is told that it may send more. */
export class ReceiveWindow {
  readonly #sizeBytes: number;
  #left: number;
  /** Dealt with, and not yet told. */
  #owed = 0;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#left = sizeBytes;
  }

  /** So many bytes have come. False: more than were allowed. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** So many have been dealt with. The answer is what to tell the peer now: 0, as long as it has half of its window. */
  give(bytes: number): number {
    this.#owed += bytes;
    if (this.#owed * 2 < this.#sizeBytes) return 0;
    const owed = this.#owed;
    this.#owed = 0;
    this.#left += owed;
    return owed;
  }
}

/** The largest window (RFC 9113, section 6.9.1). */
export const MAX_WINDOW: number = 2 ** 31 - 1;
/** What a window is before anybody says more. */
export const DEFAULT_WINDOW = 65_535;

/** Whoever has something to send, in turns: one piece each, then it is the next one's turn. */
export class FairTurns<T extends { inTurn: boolean }> {
  #waiting: (T | undefined)[] = new Array<undefined>(16).fill(undefined);
  #head = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** To the end of the line; nothing happens when it stands in it. */
  join(one: T): void {
    if (one.inTurn) return;
    one.inTurn = true;
    if (this.#count === this.#waiting.length) this.#widen();
    this.#waiting[(this.#head + this.#count) & (this.#waiting.length - 1)] = one;
    this.#count++;
  }

  /** Takes the first out of the line. */
  next(): T | undefined {
    if (this.#count === 0) return undefined;
    const one = this.#waiting[this.#head] as T;
    this.#waiting[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#waiting.length - 1);
    this.#count--;
    one.inTurn = false;
    return one;
  }

  #widen(): void {
    const { length } = this.#waiting;
    const wider = new Array<T | undefined>(length * 2).fill(undefined);
    for (let at = 0; at < length; at++) wider[at] = this.#waiting[(this.#head + at) & (length - 1)];
    this.#waiting = wider;
    this.#head = 0;
  }
}
