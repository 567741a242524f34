/**
 * Virtual time. Events run one by one, in the order of their time and then of their making; between two of them all
 * promise jobs settle. Nothing waits for real time, and the same program runs the same way every time.
 */
import { Heap } from "../../../server/base/heap.ts";
import type { Clock, Timer } from "../../../server/ports/clock.ts";

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly action: () => void;
  canceled: boolean;
}

/** Virtual wall time at the start: any will do. */
const WALL_START_MS = 1_700_000_000_000;

export class SimClock implements Clock {
  #events = new Heap<Event>((left, right) =>
    left.atMs === right.atMs ? left.order < right.order : left.atMs < right.atMs,
  );
  #nowMs = 0;
  #order = 0;

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return WALL_START_MS + this.#nowMs;
  }

  after(delayMs: number, action: () => void): Timer {
    const event = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, action, canceled: false };
    this.#events.push(event);
    return {
      cancel: () => {
        event.canceled = true;
      },
    };
  }

  soon(action: () => void): void {
    this.after(0, action);
  }

  /** The process that made them is dead: none of the waiting events will run. */
  forgetAll(): void {
    this.#events.clear();
  }

  /** Runs events until `done`, or until `limitMs` of virtual time have passed; whether `done` held. */
  async run(done: () => boolean, limitMs: number): Promise<boolean> {
    const end = this.#nowMs + limitMs;
    for (;;) {
      await settled();
      if (done()) return true;
      let event = this.#events.peek();
      for (; event?.canceled === true; event = this.#events.peek()) this.#events.pop();
      if (event === undefined || event.atMs > end) {
        this.#nowMs = end;
        return false;
      }
      this.#events.pop();
      this.#nowMs = Math.max(this.#nowMs, event.atMs);
      event.action();
    }
  }
}

/** All promise jobs have run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
