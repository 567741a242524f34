/** Keeps the log's next file ready, in slices between other work: a file that must grow while it is written is slower. */
import type { Clock, Timer } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { Wal } from "../wal/wal.ts";

/** Between two slices of a megabyte: about a second for a whole file. */
const PAUSE_MS = 15;

export class SpareKeeper {
  readonly #wal: Wal;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #timer: Timer | undefined;
  #troubled = false;

  constructor(parts: { wal: Wal; clock: Clock; logger: Logger }) {
    this.#wal = parts.wal;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
  }

  /** Looks whether there is something to prepare, and goes on by itself while there is. */
  tick(): void {
    if (this.#timer === undefined) this.#slice();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #slice(): void {
    this.#timer = undefined;
    const more = this.#wal.prepareSpare();
    this.#noteTrouble(this.#wal.spareTrouble);
    if (more) this.#timer = this.#clock.after(PAUSE_MS, () => this.#slice());
  }

  #noteTrouble(trouble: unknown): void {
    if (trouble !== undefined && !this.#troubled) {
      this.#logger.warn("could not prepare the next file of the log; it will be made when it is needed", {
        error: trouble,
      });
    }
    this.#troubled = trouble !== undefined;
  }
}
