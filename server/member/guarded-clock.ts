/** A clock whose actions cannot fail unheard: what one of them throws is a broken promise, and ends the member. */
import type { Clock } from "../ports/clock.ts";

export function guardedClock(clock: Clock, fatal: (error: unknown) => void): Clock {
  const guarded = (action: () => void) => () => {
    try {
      action();
    } catch (error) {
      fatal(error);
    }
  };
  return {
    monotonicMs: () => clock.monotonicMs(),
    wallMs: () => clock.wallMs(),
    after: (delayMs, action) => clock.after(delayMs, guarded(action)),
    soon: (action) => clock.soon(guarded(action)),
  };
}
