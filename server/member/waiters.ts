/** Who waits for which request in the log. Every waiter has a deadline, so none can stay for ever. */
import type { Outcome } from "../apply/outcome.ts";
import { type ErrorCode, EtcdError } from "../base/error.ts";

interface Waiter {
  readonly deadlineMs: number;
  readonly done: (outcome: Outcome) => void;
}

export class Waiters {
  readonly #waiting = new Map<bigint, Waiter>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves with the outcome of the request `id`; rejects with EtcdError Timeout after `deadlineMs` (monotonic). */
  wait(id: bigint, deadlineMs: number): Promise<Outcome> {
    return new Promise((resolve) => this.#waiting.set(id, { deadlineMs, done: resolve }));
  }

  /** Hands the outcome over; nothing when nobody here waits (a replay, another member's request, one that timed out). */
  finish(id: bigint, outcome: Outcome): void {
    const waiter = this.#waiting.get(id);
    if (waiter === undefined) return;
    this.#waiting.delete(id);
    waiter.done(outcome);
  }

  /** Gives up on those whose time has passed; how many. The request itself may still be applied. */
  expire(nowMs: number): number {
    let expired = 0;
    for (const [id, waiter] of this.#waiting) {
      if (waiter.deadlineMs > nowMs) continue;
      this.#waiting.delete(id);
      waiter.done({ ok: false, code: "Timeout", detail: undefined });
      expired++;
    }
    return expired;
  }

  /** Ends all with one refusal: the member stops. */
  failAll(code: ErrorCode): void {
    const outcome: Outcome = { ok: false, code, detail: undefined };
    for (const waiter of this.#waiting.values()) waiter.done(outcome);
    this.#waiting.clear();
  }
}

/** The response of an outcome; throws its refusal as `EtcdError`. */
export function responseOf(outcome: Outcome): Extract<Outcome, { ok: true }>["response"] {
  if (!outcome.ok) throw new EtcdError(outcome.code, outcome.detail);
  return outcome.response;
}
