/**
 * How a peer behaves: what costs us more than it costs the peer is counted, and too much of it in a time ends the
 * connection. What an answer of ours brings about by itself (updates of windows, short frames) is credited first.
 */
import { ConnectionFailure } from "./errors.ts";
import { Bucket, FLOOD, MAX_CREDIT, RATES, SHORT_FRAME_BYTES } from "./limits.ts";

export class Conduct {
  readonly #monotonicMs: () => number;
  readonly #buckets: Record<keyof typeof RATES, Bucket>;
  /** Window updates, and short frames, that may still come without being counted. */
  #updateCredit = 0;
  #shortCredit = 0;
  /** Short frames that are still to be counted. */
  #shortFrames = 0;
  #sentSincePing = false;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    const nowMs = monotonicMs();
    this.#buckets = {
      resets: new Bucket(RATES.resets, nowMs),
      faults: new Bucket(RATES.faults, nowMs),
      settings: new Bucket(RATES.settings, nowMs),
      pings: new Bucket(RATES.pings, nowMs),
      updates: new Bucket(RATES.updates, nowMs),
      dribbles: new Bucket(RATES.dribbles, nowMs),
      idle: new Bucket(RATES.idle, nowMs),
    };
  }

  /** Takes one from a rate; one too many ends the connection. */
  spend(rate: keyof typeof RATES): void {
    const why = this.#buckets[rate].take(this.#monotonicMs());
    if (why !== undefined) throw new ConnectionFailure(FLOOD, why);
  }

  /** A window update has come. */
  updated(): void {
    if (this.#updateCredit > 0) this.#updateCredit--;
    else this.spend("updates");
  }

  /** A ping has come: those behind an answer of ours are a client's measure of the way. */
  pinged(): void {
    if (this.#sentSincePing) this.#sentSincePing = false;
    else this.spend("pings");
  }

  /** Headers go. */
  sentHeaders(): void {
    this.#sentSincePing = true;
  }

  /** A frame with so many bytes of data goes. */
  sentData(length: number): void {
    this.#sentSincePing = true;
    if (this.#updateCredit < MAX_CREDIT) this.#updateCredit += 2;
    if (length >= SHORT_FRAME_BYTES && this.#shortCredit < MAX_CREDIT) this.#shortCredit++;
  }

  /** The peer's windows allowed only a few bytes of what is queued. */
  sentShort(): void {
    this.#shortFrames++;
  }

  /** Counts those. Not where they are sent: a write that returns has nobody to throw to. */
  countShort(): void {
    for (; this.#shortFrames > 0; this.#shortFrames--) {
      if (this.#shortCredit > 0) this.#shortCredit--;
      else this.spend("dribbles");
    }
  }
}
