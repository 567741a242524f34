/** Whether a member can be reached, as far as the last attempts tell: for the log, the metrics and `activeSince`. */
import { memberIdText } from "../base/int64.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { PeerSeries } from "./peer-series.ts";

export class PeerStatus {
  readonly #id: bigint;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #series: PeerSeries;
  #since: number | undefined;

  constructor(id: bigint, clock: Clock, logger: Logger, series: PeerSeries) {
    this.#id = id;
    this.#clock = clock;
    this.#logger = logger;
    this.#series = series;
  }

  /** Monotonic milliseconds; undefined: not reachable. */
  get activeSince(): number | undefined {
    return this.#since;
  }

  activate(): void {
    if (this.#since !== undefined) return;
    this.#since = this.#clock.monotonicMs();
    this.#series.active.inc();
    this.#logger.info("peer became active", { "peer-id": memberIdText(this.#id) });
  }

  /** `action` failed: "read on stream Message". */
  deactivate(action: string, reason: string): void {
    const error = `failed to ${action} (${reason})`;
    const fields = { "peer-id": memberIdText(this.#id), error };
    if (this.#since === undefined) {
      this.#logger.debug("peer deactivated again", fields);
      return;
    }
    this.#forget();
    this.#series.disconnected.inc();
    this.#logger.warn("peer became inactive (message send to peer failed)", fields);
  }

  /** The member is not talked to any more. */
  stop(): void {
    if (this.#since !== undefined) this.#forget();
  }

  #forget(): void {
    this.#since = undefined;
    this.#series.active.dec();
  }
}
