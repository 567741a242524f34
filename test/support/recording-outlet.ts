/** An outlet that keeps what is written, and a call that the test cancels. */
import type { EtcdError } from "../../server/base/error.ts";
import type { Codec } from "../../server/proto/codec.ts";
import type { Call, Outlet } from "../../server/services/call.ts";

export class RecordingOutlet<Response> implements Outlet<Response> {
  readonly messages: Response[] = [];
  readonly #codec: Codec<Response>;
  #drain: () => void = () => undefined;
  /** What `write` answers. */
  room = true;
  ended = false;
  failure: EtcdError | undefined;

  constructor(codec: Codec<Response>) {
    this.#codec = codec;
  }

  write(message: Response): boolean {
    this.messages.push(message);
    return this.room;
  }

  writeEncoded(bytes: Uint8Array): boolean {
    return this.write(this.#codec.decode(bytes));
  }

  onDrain(action: () => void): void {
    this.#drain = action;
  }

  /** The reader has caught up. */
  drain(): void {
    this.room = true;
    this.#drain();
  }

  end(): void {
    this.ended = true;
  }

  fail(error: EtcdError): void {
    this.failure = error;
  }
}

export class TestCall implements Call {
  readonly token = undefined;
  readonly commonName = undefined;
  readonly remoteAddress = "127.0.0.1:1";
  readonly deadlineMs: number | undefined;
  readonly requiresLeader = false;
  readonly clientApiVersion = "unknown";
  canceled = false;
  #actions: (() => void)[] = [];

  constructor(deadlineMs?: number) {
    this.deadlineMs = deadlineMs;
  }

  onCanceled(action: () => void): void {
    this.#actions.push(action);
  }

  cancel(): void {
    this.canceled = true;
    for (const action of this.#actions) action();
  }
}

/** Lets everything that is ready run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
