/**
 * Long work on the loop, so that everybody else has their turn: a slice of it is some steps, and ends when it has taken
 * too long, whichever comes first.
 */
import type { Clock } from "../ports/clock.ts";

/** What others may be held up for is 10 ms; a step that was begun is finished, and the collector has its share too. */
const SLICE_MS = 4;
/** However quick they are: a look at the clock says nothing of who waits. */
const SLICE_STEPS = 8;

export class Turns {
  readonly #clock: Clock;
  #startedMs: number;
  #steps = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
  }

  /** After each step: when it is the others' turn resolves once they have had it, else answers nothing. */
  step(): Promise<void> | undefined {
    this.#steps++;
    if (this.#steps < SLICE_STEPS && this.#clock.monotonicMs() - this.#startedMs < SLICE_MS) return undefined;
    return this.others();
  }

  /** Resolves when the others have had their turn. */
  async others(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.soon(resolve));
    this.#steps = 0;
    this.#startedMs = this.#clock.monotonicMs();
  }
}
