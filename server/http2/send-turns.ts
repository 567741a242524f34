/**
 * How much of what is queued leaves in one turn of the loop: so much of one connection, so much of all. A peer that reads
 * as fast as we send would otherwise have its 100 MB in one go, since writes that the system takes return at once.
 */
import { FairTurns } from "./flow-control.ts";
import { CONNECTION_TURN_BYTES, ENGINE_TURN_BYTES } from "./limits.ts";

/** A connection's place in the turns. */
export class SendShare {
  inTurn = false;
  /** The turn that `left` is of. */
  turn = -1;
  left = 0;
  /** Sends what may be sent now; called when it was not this connection's turn before. */
  readonly sendOn: () => void;

  constructor(sendOn: () => void) {
    this.sendOn = sendOn;
  }
}

export class SendTurns {
  readonly #waiting = new FairTurns<SendShare>();
  #turn = 0;
  #left = ENGINE_TURN_BYTES;
  #scheduled = false;

  /** Whether the connection may send a frame now. If not it hears of its next turn. */
  allows(share: SendShare): boolean {
    if (share.turn !== this.#turn) {
      share.turn = this.#turn;
      share.left = CONNECTION_TURN_BYTES;
    }
    if (share.left > 0 && this.#left > 0) return true;
    this.#waiting.join(share);
    this.#schedule();
    return false;
  }

  spend(share: SendShare, bytes: number): void {
    share.left -= bytes;
    this.#left -= bytes;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#next);
  }

  readonly #next = (): void => {
    this.#scheduled = false;
    this.#turn++;
    this.#left = ENGINE_TURN_BYTES;
    for (let count = this.#waiting.count; count > 0 && this.#left > 0; count--) this.#waiting.next()?.sendOn();
    if (this.#waiting.count > 0) this.#schedule();
  };
}
