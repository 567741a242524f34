/** The real clock. */
import { performance } from "node:perf_hooks";
import type { Clock, Timer } from "../ports/clock.ts";

export class SystemClock implements Clock {
  monotonicMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(timer) };
  }

  soon(action: () => void): void {
    setImmediate(action);
  }
}
