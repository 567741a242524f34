/**
 * `--initial-election-tick-advance`: once a member that has just started is connected to two others and knows of no
 * leader, all but two ticks of its election timeout count as passed. So a new cluster has a leader in a moment; and where
 * one leads already, two ticks are time enough to hear of it. The numbers are etcd's.
 */

/** After this nobody waits for the first election any more. */
const LOOKS_FOR_MS = 5000;
const CONNECTED_MIN = 2;
const TICKS_LEFT = 2;

export class FirstElection {
  readonly #skipTicks: number;
  #untilMs: number | undefined;

  /** `nowMs` is monotonic: when the member starts to tick. */
  constructor(electionTicks: number, nowMs: number) {
    this.#skipTicks = Math.max(0, electionTicks - TICKS_LEFT);
    this.#untilMs = nowMs + LOOKS_FOR_MS;
  }

  /** To be asked once a tick: how many ticks more are to pass at once. Not 0 one time at most. */
  advance(nowMs: number, knowsLeader: boolean, connected: () => number): number {
    if (this.#untilMs === undefined) return 0;
    if (knowsLeader || nowMs > this.#untilMs) {
      this.#untilMs = undefined;
      return 0;
    }
    if (connected() < CONNECTED_MIN) return 0;
    this.#untilMs = undefined;
    return this.#skipTicks;
  }
}
