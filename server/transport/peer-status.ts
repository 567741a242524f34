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
  /** When the member was last heard to be there; monotonic milliseconds. */
  #provenMs = Number.NEGATIVE_INFINITY;

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
    this.#provenMs = this.#clock.monotonicMs();
    if (this.#since !== undefined) return;
    this.#since = this.#clock.monotonicMs();
    this.#series.active.inc();
    this.#logger.info("peer became active", { "peer-id": memberIdText(this.#id) });
  }

  /**
   * `action` failed: "read on stream Message". `begunMs`: when it was begun, for what may take a while. One from before the
   * member was last there says nothing of now: a connection to an address that it has left fails seconds after streams
   * to its new one stand, and nothing would come later to take that back.
   */
  deactivate(action: string, reason: string, begunMs: number = this.#clock.monotonicMs()): void {
    const error = `failed to ${action} (${reason})`;
    const fields = { "peer-id": memberIdText(this.#id), error };
    if (this.#since === undefined || begunMs < this.#provenMs) {
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
