/** The alarm NOSPACE of this member: raised through the log when the data have reached the quota, once at a time. */
import type { Logger } from "../ports/logger.ts";

/** What is asked of the member around it. */
export interface SpaceHost {
  /** Somebody leads, and the alarm is not on yet. */
  readonly canRaise: boolean;
  readonly inUseBytes: number;
  readonly quotaBytes: number | undefined;
  /** Puts the alarm into the log. */
  raise(): Promise<unknown>;
}

export class SpaceAlarm {
  readonly #host: SpaceHost;
  readonly #logger: Logger;
  /** It is on its way through the log: one is enough. */
  #isUnderWay = false;

  constructor(host: SpaceHost, logger: Logger) {
    this.#host = host;
    this.#logger = logger;
  }

  /** Nothing when it is on, on its way, or could not be raised now: whoever is refused next tries again. */
  raise(): void {
    if (this.#isUnderWay || !this.#host.canRaise) return;
    this.#isUnderWay = true;
    this.#logger.warn("the data has reached the quota: raising alarm NOSPACE; compact, then disarm it", {
      "quota-bytes": this.#host.quotaBytes,
      "in-use-bytes": this.#host.inUseBytes,
    });
    this.#host
      .raise()
      .catch((error: unknown) => this.#logger.warn("could not raise alarm NOSPACE", { error }))
      .finally(() => {
        this.#isUnderWay = false;
      });
  }
}
