/**
 * What the clients of a simulated cluster asked and were told, in the form that the checkers read. Moments are virtual
 * milliseconds with a fraction that counts up: of two things at one millisecond the one that really came first is earlier,
 * for all of a world runs in one thread.
 */
import type { Answer, Operation, Request } from "../checkers/history.ts";

/** Moments within a millisecond; more than there are events in it. */
const MOMENTS = 2 ** 20;

/** A call that was made; without an answer nobody knows what came of it. */
export class Call implements Operation {
  readonly id: number;
  readonly client: string;
  readonly calledMs: number;
  readonly request: Request;
  returnedMs = Number.POSITIVE_INFINITY;
  answer: Answer | undefined;

  constructor({ id, client, calledMs, request }: Pick<Operation, "id" | "client" | "calledMs" | "request">) {
    this.id = id;
    this.client = client;
    this.calledMs = calledMs;
    this.request = request;
  }
}

export class Recorder {
  readonly calls: Call[] = [];
  readonly #nowMs: () => number;
  #lastMs = -1;
  #within = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Now, later than every moment before. */
  moment(): number {
    const nowMs = this.#nowMs();
    this.#within = nowMs === this.#lastMs ? this.#within + 1 : 0;
    this.#lastMs = nowMs;
    return nowMs + this.#within / MOMENTS;
  }

  /** `calledMs`: the moment at which the client began to call. */
  called(client: string, calledMs: number, request: Request): Call {
    const call = new Call({ id: this.calls.length + 1, client, calledMs, request });
    this.calls.push(call);
    return call;
  }

  answered(call: Call, answer: Answer): void {
    call.answer = answer;
    call.returnedMs = this.moment();
  }
}
