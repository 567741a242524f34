/** Whether the peer is still there, and whether it reads what it asks for. */
import { STALL_BYTES, STALL_PROGRESS_BYTES } from "./limits.ts";

export class Liveness {
  readonly #pingIntervalMs: number;
  readonly #pingTimeoutMs: number;
  #heardMs: number;
  #pingSentMs: number | undefined;
  #progressMs: number;
  /** Bytes framed when somebody last saw that enough had been. */
  #progressAtBytes = 0;

  /** Our own pings go after a silence of `pingIntervalMs` (Infinity: never) and are to be answered in `pingTimeoutMs`. */
  constructor(pings: { readonly pingIntervalMs: number; readonly pingTimeoutMs: number }, nowMs: number) {
    this.#pingIntervalMs = pings.pingIntervalMs;
    this.#pingTimeoutMs = pings.pingTimeoutMs;
    this.#heardMs = nowMs;
    this.#progressMs = nowMs;
  }

  /** When something last came. */
  get heardMs(): number {
    return this.#heardMs;
  }

  heard(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#pingSentMs = undefined;
  }

  /**
   * For how long the peer has read too little of `waitingBytes`, of `framedBytes` in all. A write that returns is no
   * progress: a peer may take pings for ever, and of its answers a byte now and then.
   */
  stalledMs(nowMs: number, waitingBytes: number, framedBytes: number): number {
    if (waitingBytes < STALL_BYTES || framedBytes - this.#progressAtBytes >= STALL_PROGRESS_BYTES) {
      this.#progressMs = nowMs;
      this.#progressAtBytes = framedBytes;
    }
    return nowMs - this.#progressMs;
  }

  /** What is to be done about a silence now. */
  silence(nowMs: number): "nothing" | "ping" | "leave" {
    if (this.#pingSentMs !== undefined) {
      const isLate = nowMs - this.#pingSentMs > this.#pingTimeoutMs && this.#heardMs < this.#pingSentMs;
      return isLate ? "leave" : "nothing";
    }
    if (nowMs - this.#heardMs <= this.#pingIntervalMs) return "nothing";
    this.#pingSentMs = nowMs;
    return "ping";
  }
}
