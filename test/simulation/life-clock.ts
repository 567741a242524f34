/**
 * The clock of one life of a member: when its process dies, nothing that it has waited for happens; while it is stopped,
 * all of that waits; and it may run fast or slow, or be set to another time of the day.
 */
import type { Clock, Timer } from "../../server/ports/clock.ts";

export class LifeClock implements Clock {
  readonly #clock: Clock;
  isAlive = true;
  /** What came due while the process was stopped, in its order. */
  #held: (() => void)[] | undefined;
  /** At `#sinceMs` of the world it was `#baseMs` here. */
  #sinceMs: number;
  #baseMs: number;
  #rate = 1;
  /** Of the time of the day. */
  wallOffsetMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
    this.#baseMs = this.#sinceMs;
  }

  /** How fast it goes, by the world's time: 0.5 to 2. */
  set rate(rate: number) {
    this.#baseMs = this.#exactMs();
    this.#sinceMs = this.#clock.monotonicMs();
    this.#rate = rate;
  }

  get isStopped(): boolean {
    return this.#held !== undefined;
  }

  /** The process is stopped, as by SIGSTOP: time goes on without it. */
  stop(): void {
    this.#held ??= [];
  }

  /** It goes on, with everything that has waited for it. */
  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const action of held) this.soon(action);
  }

  monotonicMs(): number {
    return Math.floor(this.#exactMs());
  }

  wallMs(): number {
    return Math.floor(this.#clock.wallMs() + this.#exactMs() - this.#clock.monotonicMs() + this.wallOffsetMs);
  }

  after(delayMs: number, action: () => void): Timer {
    let isCanceled = false;
    let timer: Timer | undefined;
    const dueMs = this.#exactMs() + Math.max(0, delayMs);
    // The rate may have changed meanwhile: never before it is due by this clock.
    const wait = () => {
      const leftMs = (dueMs - this.#exactMs()) / this.#rate;
      timer = this.#clock.after(Math.ceil(leftMs - 1e-6), () => {
        if (isCanceled) return;
        if (dueMs - this.#exactMs() > 1e-6) wait();
        else this.#do(() => (isCanceled ? undefined : action()));
      });
    };
    wait();
    return {
      cancel: () => {
        isCanceled = true;
        timer?.cancel();
      },
    };
  }

  soon(action: () => void): void {
    this.#clock.soon(() => this.#do(action));
  }

  #do(action: () => void): void {
    if (!this.isAlive) return;
    if (this.#held === undefined) action();
    else this.#held.push(action);
  }

  #exactMs(): number {
    return this.#baseMs + (this.#clock.monotonicMs() - this.#sinceMs) * this.#rate;
  }
}
