/**
 * Proposals that other members have passed on to this one as their leader, when it cannot take them: it hands leadership
 * over, or has just lost it and nobody leads yet. Raft drops such a proposal, and whoever made it waits until its timeout
 * has passed, for nobody tells a member that its proposal was dropped. Nothing has entered a log yet, so it does no harm to
 * keep them until somebody leads: then they are this member's own again, or are passed on once more.
 */
import type { Clock } from "../ports/clock.ts";
import type { Message } from "../proto/raftpb.ts";
import { entrySize } from "../raft/log-storage.ts";

/** Kept at most; what comes above is dropped, as raft does. */
const KEPT_MAX_BYTES = 16 * 2 ** 20;

export interface ForwardedHost {
  /** This member leads and stays leader, or knows another one that does. */
  readonly canTake: boolean;
  /** Hands the message to raft. */
  step(message: Message): void;
}

interface Kept {
  readonly message: Message;
  readonly bytes: number;
  readonly untilMs: number;
}

export class ForwardedProposals {
  readonly #host: ForwardedHost;
  readonly #clock: Clock;
  readonly #patienceMs: number;
  /** In the order in which they came. */
  #kept: Kept[] = [];
  #bytes = 0;

  /** `patienceMs`: so long, at most, whoever made the proposal waits for it. */
  constructor({ host, clock, patienceMs }: { host: ForwardedHost; clock: Clock; patienceMs: number }) {
    this.#host = host;
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  /** A MsgProp of another member has come. */
  take(message: Message): void {
    this.release();
    if (this.#host.canTake) {
      this.#host.step(message);
      return;
    }
    const bytes = message.entries.reduce((sum, entry) => sum + entrySize(entry), 0);
    if (this.#bytes + bytes > KEPT_MAX_BYTES) return;
    this.#kept.push({ message, bytes, untilMs: this.#clock.monotonicMs() + this.#patienceMs });
    this.#bytes += bytes;
  }

  get isKeeping(): boolean {
    return this.#kept.length > 0;
  }

  /** Hands over what was kept, if it can be taken by now. Not while raft's own output is being worked on. */
  release(): void {
    if (this.#kept.length === 0) return;
    const now = this.#clock.monotonicMs();
    this.#kept = this.#kept.filter(({ untilMs }) => untilMs > now);
    const kept = this.#kept;
    this.#bytes = kept.reduce((sum, { bytes }) => sum + bytes, 0);
    if (!this.#host.canTake) return;
    this.#kept = [];
    this.#bytes = 0;
    for (const { message } of kept) this.#host.step(message);
  }
}
