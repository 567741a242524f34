/**
 * What only a leader does: end leases whose time is up, and remember how long the others have. Each decision travels
 * through the log. Before a revoke is proposed the member makes sure that it still leads: after a stall its view of
 * time may be older than another leader's renewals.
 */
import { EtcdError } from "../base/error.ts";
import type { Lessor } from "../lease/lessor.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { InternalRequest } from "../proto/etcdserverpb.ts";
import type { MemberMetrics } from "./member-metrics.ts";

const SCAN_MS = 500;
/** etcd's pace: 1,000 revokes a second. */
const REVOKES_PER_SCAN = 500;
const REVOKES_IN_FLIGHT = 16;
const CHECKPOINTS_PER_SCAN = 1000;
/** Leases whose expiries are worked out in one turn. */
const ARMED_PER_TURN = 1000;

export class LeaderDuties {
  readonly #clock: Clock;
  readonly #lessor: Lessor;
  readonly #logger: Logger;
  readonly #metrics: MemberMetrics;
  readonly #checkpoints: boolean;
  readonly #confirmLeadership: () => Promise<void>;
  readonly #term: () => number;
  readonly #propose: (request: InternalRequest) => Promise<unknown>;
  #timer: Timer | undefined;
  #leading = false;
  /** The next turn goes on with it. */
  #arming = false;

  constructor(parts: {
    clock: Clock;
    lessor: Lessor;
    logger: Logger;
    metrics: MemberMetrics;
    checkpoints: boolean;
    confirmLeadership: () => Promise<void>;
    term: () => number;
    propose: (request: InternalRequest) => Promise<unknown>;
  }) {
    this.#clock = parts.clock;
    this.#lessor = parts.lessor;
    this.#logger = parts.logger;
    this.#metrics = parts.metrics;
    this.#checkpoints = parts.checkpoints;
    this.#confirmLeadership = parts.confirmLeadership;
    this.#term = parts.term;
    this.#propose = parts.propose;
  }

  /** Leading begins: every lease gets its full (or remembered) time and `extendMs`, for renewals that were missed. */
  start(extendMs: number): void {
    if (this.#leading) return;
    this.#leading = true;
    this.#lessor.promote(this.#clock.monotonicMs(), extendMs);
    this.#armLeases();
    this.#arm();
  }

  stop(): void {
    if (!this.#leading) return;
    this.#leading = false;
    this.#timer?.cancel();
    this.#lessor.demote();
  }

  /** A turn's share, and the rest in the next turns: the one after a promotion may be a million leases. */
  #armLeases(): void {
    if (this.#arming) return;
    this.#arming = true;
    const slice = () => {
      this.#arming = this.#leading && this.#lessor.armSome(ARMED_PER_TURN);
      if (this.#arming) this.#clock.soon(slice);
    };
    slice();
  }

  #arm(): void {
    this.#timer?.cancel(); // a scan of an earlier leadership may have come to its end meanwhile
    this.#timer = this.#clock.after(SCAN_MS, () => {
      void this.#scan().then(() => {
        if (this.#leading) this.#arm();
      });
    });
  }

  async #scan(): Promise<void> {
    const now = this.#clock.monotonicMs();
    const due = this.#lessor.due(now, REVOKES_PER_SCAN);
    this.#armLeases();
    const checkpoints = this.#checkpoints ? this.#lessor.dueCheckpoints(now, CHECKPOINTS_PER_SCAN) : [];
    if (due.length === 0 && checkpoints.length === 0) return;
    try {
      const term = this.#term();
      await this.#confirmLeadership();
      if (!this.#leading || this.#term() !== term) return;
      if (checkpoints.length > 0) await this.#propose({ kind: "leaseCheckpoint", value: { checkpoints } });
      for (let at = 0; at < due.length && this.#leading && this.#term() === term; at += REVOKES_IN_FLIGHT) {
        await Promise.all(due.slice(at, at + REVOKES_IN_FLIGHT).map((id) => this.#revoke(id)));
      }
    } catch (error) {
      this.#logger.warn("could not end leases whose time is up; trying again", { error });
    }
  }

  async #revoke(id: bigint): Promise<void> {
    try {
      await this.#propose({ kind: "leaseRevoke", value: { id } });
      this.#metrics.leaseExpired();
    } catch (error) {
      // Its client was quicker: no reason to keep the others waiting.
      if (!(error instanceof EtcdError && error.code === "LeaseNotFound")) throw error;
    }
  }
}
