/**
 * Those who wait until the member has come to something: looked at whenever something was applied or leadership changed.
 * As many as there are calls under way.
 */
import { EtcdError } from "../base/error.ts";
import type { Clock } from "../ports/clock.ts";

interface Expectation {
  readonly holds: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: EtcdError) => void;
}

export class Expectations {
  readonly #clock: Clock;
  #waiting: Expectation[] = [];
  #isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves once `holds`; rejects with Stopped when the member stops first. */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    if (this.#isOver) return Promise.reject(new EtcdError("Stopped"));
    return new Promise((resolve, reject) => this.#waiting.push({ holds, resolve, reject }));
  }

  /** Whether it has come to `holds` within `ms`. Rejects with Stopped when the member stops first. */
  async within(ms: number, holds: () => boolean): Promise<boolean> {
    let isLate = false;
    const late = this.#clock.after(ms, () => {
      isLate = true;
      this.check();
    });
    try {
      await this.until(() => isLate || holds());
    } finally {
      late.cancel();
    }
    return holds();
  }

  /** Something has changed. */
  check(): void {
    if (this.#waiting.length === 0) return;
    this.#waiting = this.#waiting.filter(({ holds, resolve, reject }) => {
      if (holds()) resolve();
      else if (this.#isOver) reject(new EtcdError("Stopped"));
      else return true;
      return false;
    });
  }

  /** Nothing more will come: what does not hold now never will. */
  stop(): void {
    this.#isOver = true;
    this.check();
  }
}
