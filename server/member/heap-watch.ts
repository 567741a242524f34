/** Whether the process has memory for what grows: writes are refused before it dies of one too many. */
import type { Logger } from "../ports/logger.ts";

const HEAP_SHARE_MAX = 0.8;

export class HeapWatch {
  readonly #share: () => number;
  readonly #logger: Logger;
  #isTight = false;

  /** `share`: of the heap that is in use, 0 to 1. */
  constructor(share: () => number, logger: Logger) {
    this.#share = share;
    this.#logger = logger;
  }

  /** As of the last look. */
  get isTight(): boolean {
    return this.#isTight;
  }

  /** Looks again. */
  tick(): void {
    const isTight = this.#share() > HEAP_SHARE_MAX;
    if (isTight === this.#isTight) return;
    this.#isTight = isTight;
    if (isTight) {
      this.#logger.warn(
        "more than 80 % of the heap is in use: writes are refused with NOSPACE until there is room; give the process more memory or compact",
      );
    } else this.#logger.info("the heap has room again: writes are accepted");
  }
}
