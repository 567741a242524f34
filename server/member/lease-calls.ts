/**
 * What clients ask of leases beyond what goes through the log: how long one still has, and that it be renewed. Only the
 * leader counts time; another member asks it.
 */
import { fromByteString } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { besideFailpoint } from "../base/failpoint.ts";
import type { Lessor } from "../lease/lessor.ts";
import type { Clock } from "../ports/clock.ts";
import type { PeerLease } from "../ports/network.ts";
import type { Random } from "../ports/random.ts";
import type { InternalRequest } from "../proto/etcdserverpb.ts";
import type { Expectations } from "./expectations.ts";
import type { LeaderLine } from "./leader-line.ts";
import type { MemberMetrics } from "./member-metrics.ts";

/** What the calls ask of the member around them. */
export interface LeaseHost {
  /** Time is counted here: this member leads, or there are no others. */
  readonly countsTime: boolean;
  /** This member leads, and there are others who may have elected another leader since. */
  readonly leadsOthers: boolean;
  /** Resolves once a majority has said that this member leads, or knows who does. */
  linearizableRead(): Promise<void>;
  propose(request: InternalRequest): Promise<unknown>;
}

/** An id that nobody has chosen: 63 bits by chance, not 0. */
export function newLeaseId(random: Random): bigint {
  let id = 0n;
  for (const byte of random.bytes(8)) id = (id << 8n) | BigInt(byte);
  return id & 0x7fff_ffff_ffff_ffffn || 1n;
}

export class LeaseCalls {
  readonly #host: LeaseHost;
  readonly #lessor: Lessor;
  readonly #leader: LeaderLine;
  readonly #expectations: Expectations;
  readonly #clock: Clock;
  readonly #metrics: MemberMetrics;

  constructor(parts: {
    host: LeaseHost;
    lessor: Lessor;
    leader: LeaderLine;
    expectations: Expectations;
    clock: Clock;
    metrics: MemberMetrics;
  }) {
    this.#host = parts.host;
    this.#lessor = parts.lessor;
    this.#leader = parts.leader;
    this.#expectations = parts.expectations;
    this.#clock = parts.clock;
    this.#metrics = parts.metrics;
  }

  /**
   * The lease's full TTL in seconds, counted anew from now. Throws LeaseNotFound; a lease whose time is up is not
   * revived: the call waits for its end, which is under way. Throws NotPrimaryLessor when another member leads. As in
   * etcd, whoever renews makes sure first that it leads: after a stall it may be the last to hear of another leader, and
   * of the lease's end there.
   */
  async renew(id: bigint): Promise<number> {
    const lessor = this.#lessor;
    await this.#sureWhoLeads();
    if (!this.#host.countsTime) return this.#leader.ask("leaseRenew", { id });
    const lease = lessor.lookup(id);
    if (besideFailpoint !== undefined) await besideFailpoint("beforeCheckpointInLeaseRenew");
    if (lease !== undefined && lease.remainingTtlSeconds > 0) await this.#forgetCheckpoint(id);
    const ttlSeconds = lessor.renew(id, this.#clock.monotonicMs());
    if (ttlSeconds > 0) {
      this.#metrics.leaseRenewed();
      return ttlSeconds;
    }
    await this.#expectations.until(() => lessor.lookup(id) === undefined || !lessor.isPrimary);
    throw new EtcdError(lessor.isPrimary ? "LeaseNotFound" : "NotPrimaryLessor");
  }

  /** If this member leads others, they have said so since; and what they had committed is applied here. */
  async #sureWhoLeads(): Promise<void> {
    while (this.#host.leadsOthers && !(await this.#leadsStill()));
  }

  /** Whether a majority says so. Rejects when it cannot be asked. */
  async #leadsStill(): Promise<boolean> {
    try {
      await this.#host.linearizableRead();
      return this.#host.leadsOthers;
    } catch (error) {
      if (error instanceof EtcdError && error.code === "LeaderChanged") return false;
      throw error;
    }
  }

  /** A renewed lease has its full time again, for the leaders to come as well. */
  async #forgetCheckpoint(id: bigint): Promise<void> {
    await this.#host.propose({ kind: "leaseCheckpoint", value: { checkpoints: [{ id, remainingTtl: 0 }] } });
  }

  /**
   * What the leader knows of a lease, its keys if wanted; undefined when it is gone. Whoever answers has applied first what
   * was committed when it was asked, as in etcd, and makes sure that it still leads, where etcd's leader after a stall
   * tells the time of a lease that has ended meanwhile. Throws LeaderChanged when it lost leadership on the way.
   */
  async timeToLive(id: bigint, keys: boolean): Promise<PeerLease | undefined> {
    await this.#sureWhoLeads();
    if (!this.#host.countsTime) {
      return this.#leader.ask("leaseTimeToLive", { id, keys }).catch((error: unknown) => {
        if (error instanceof EtcdError && error.code === "LeaseNotFound") return undefined;
        throw error;
      });
    }
    if (besideFailpoint !== undefined) await besideFailpoint("beforeLookupWhenLeaseTimeToLive");
    const lease = this.#lessor.lookup(id);
    if (lease === undefined) return undefined;
    if (!this.#lessor.isPrimary) throw new EtcdError("LeaderChanged");
    return {
      ttlSeconds: this.remainingSeconds(id),
      grantedTtlSeconds: lease.ttlSeconds,
      keys: keys ? this.#lessor.keysOf(id).map(fromByteString) : [],
    };
  }

  /** Whole seconds that a lease still has; may be negative while its end is under way. */
  remainingSeconds(id: bigint): number {
    return this.#lessor.remainingSeconds(id, this.#clock.monotonicMs());
  }
}
