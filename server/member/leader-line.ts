/** Questions that only the leader can answer, asked by a member that does not lead. */
import { EtcdError } from "../base/error.ts";
import type { MemberRecord } from "../cluster/membership.ts";
import type { Clock } from "../ports/clock.ts";
import type { Answers, Network, QuestionKind, Questions } from "../ports/network.ts";

/** Between two questions to a leader that did not answer. */
const ASK_AGAIN_MS = 50;

/** What is asked of the member around it. */
export interface LineHost {
  readonly selfId: bigint;
  /** Undefined: there is none, or we have not applied that it is a member. */
  readonly leader: MemberRecord | undefined;
  readonly isStopping: boolean;
  ask: Network["ask"];
}

export class LeaderLine {
  readonly #host: LineHost;
  readonly #clock: Clock;
  readonly #timeoutMs: number;

  constructor(parts: { host: LineHost; clock: Clock; timeoutMs: number }) {
    this.#host = parts.host;
    this.#clock = parts.clock;
    this.#timeoutMs = parts.timeoutMs;
  }

  /**
   * Asks the leader, as often as there is time for: who it is may be about to change. Rejects with what the leader refuses
   * it with, with Stopped, or with Timeout.
   */
  async ask<K extends QuestionKind>(kind: K, question: Questions[K]): Promise<Answers[K]> {
    const latest = this.#clock.monotonicMs() + this.#timeoutMs;
    for (;;) {
      const { leader, selfId } = this.#host;
      if (leader !== undefined && leader.id !== selfId) {
        try {
          return await this.#host.ask(leader.peerUrls, kind, question, latest - this.#clock.monotonicMs());
        } catch (error) {
          if (error instanceof EtcdError && error.code !== "NotPrimaryLessor") throw error;
        }
      }
      if (this.#host.isStopping) throw new EtcdError("Stopped");
      if (this.#clock.monotonicMs() >= latest) throw new EtcdError("Timeout");
      await new Promise<void>((resolve) => void this.#clock.after(ASK_AGAIN_MS, resolve));
    }
  }
}
