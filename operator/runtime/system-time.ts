/** The time and chance of this machine. */
import type { Time, Timer } from "./time.ts";

/** The longest delay that Node's timers take; a longer one would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

export const SYSTEM_TIME: Time = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs: number, action: () => void): Timer {
    const timer = setTimeout(action, Math.min(Math.max(0, delayMs), LONGEST_MS));
    return { cancel: () => clearTimeout(timer) };
  },
  random: () => Math.random(),
};
