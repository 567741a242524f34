/** The clock of one life of a member: when its process dies, nothing that it has waited for happens. */
import type { Clock, Timer } from "../../server/ports/clock.ts";

export class LifeClock implements Clock {
  readonly #clock: Clock;
  isAlive = true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  after(delayMs: number, action: () => void): Timer {
    return this.#clock.after(delayMs, () => {
      if (this.isAlive) action();
    });
  }

  soon(action: () => void): void {
    this.#clock.soon(() => {
      if (this.isAlive) action();
    });
  }
}
