/**
 * How often a peer may ping, as grpc-go's server has it: a ping counts against the peer when it comes sooner than
 * `minTimeMs` after the one before (two hours when it has no call under way), and one too many ends the connection. What
 * we send in between forgives: clients measure with pings while data comes.
 */
const IDLE_MIN_TIME_MS = 2 * 3600 * 1000;
const STRIKES_MAX = 2;

export class PingPolicy {
  readonly #minTimeMs: number;
  #lastMs = Number.NEGATIVE_INFINITY;
  #strikes = 0;
  #forgiven = false;

  constructor(minTimeMs: number) {
    this.#minTimeMs = minTimeMs;
  }

  /** Headers or data were sent. */
  sent(): void {
    this.#forgiven = true;
  }

  /** A ping has come. False: one too many. */
  allow(nowMs: number, callsUnderWay: number): boolean {
    const sinceLastMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    if (this.#forgiven) {
      this.#forgiven = false;
      this.#strikes = 0;
      return true;
    }
    if (sinceLastMs < (callsUnderWay === 0 ? IDLE_MIN_TIME_MS : this.#minTimeMs)) this.#strikes++;
    return this.#strikes <= STRIKES_MAX;
  }
}
