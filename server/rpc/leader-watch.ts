/**
 * Streams that asked for a leader (`hasleader`), ended when there has been none for a while. A new call is refused at
 * once; a stream costs its client more to open again, so it may outlive three election timeouts without a leader.
 */
import { EtcdError } from "../base/error.ts";
import type { GateFacts } from "./interceptors.ts";

const LEADERLESS_CHECKS_MAX = 3;

/** A stream that can be ended from this side. */
export interface AbortableStream {
  abort(error: EtcdError): void;
}

export class LeaderWatch {
  readonly #facts: GateFacts;
  readonly #electionMs: number;
  readonly #streams = new Set<AbortableStream>();
  #leaderless = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(facts: GateFacts, electionMs: number) {
    this.#facts = facts;
    this.#electionMs = electionMs;
  }

  add(stream: AbortableStream): void {
    this.#streams.add(stream);
    if (this.#timer !== undefined) return;
    this.#leaderless = 0;
    this.#timer = setInterval(() => this.check(), this.#electionMs);
    this.#timer.unref();
  }

  /** Nothing when it was never added. */
  delete(stream: AbortableStream): void {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) this.stop();
  }

  /** Once each election timeout, while there are streams. */
  check(): void {
    this.#leaderless = this.#facts.leaderId === 0n ? this.#leaderless + 1 : 0;
    if (this.#leaderless < LEADERLESS_CHECKS_MAX) return;
    for (const stream of [...this.#streams]) stream.abort(new EtcdError("NoLeader"));
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
