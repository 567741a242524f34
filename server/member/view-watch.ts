/**
 * Tells when the store has had read views open for long. A view keeps every page that it may read from being used again,
 * so the file grows by whatever is written meanwhile. Streamed snapshots hold one each; nothing else should.
 */
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";

/** So long some view must have been open, without a moment in which none was. */
const LONG_MS = 10_000;
/** Between two lines in the log about it. */
const AGAIN_MS = 60_000;

export class ViewWatch {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #openViews: () => number;
  #sinceMs: number | undefined;
  #saidMs: number | undefined;

  constructor(parts: { clock: Clock; logger: Logger; openViews: () => number }) {
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#openViews = parts.openViews;
  }

  /** To be called a few times a second. */
  tick(): void {
    const views = this.#openViews();
    if (views === 0) {
      this.#sinceMs = undefined;
      return;
    }
    const now = this.#clock.monotonicMs();
    this.#sinceMs ??= now;
    const openMs = now - this.#sinceMs;
    if (openMs < LONG_MS || (this.#saidMs !== undefined && now - this.#saidMs < AGAIN_MS)) return;
    this.#saidMs = now;
    this.#logger.warn("read views of the store have been open for long: the file grows until they are closed", {
      views,
      open: `${Math.round(openMs / 1000)}s`,
    });
  }
}
