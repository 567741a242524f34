/** One lease: a promise to keep its keys for a while, renewed or revoked as a whole. Plain state; `lessor.ts` owns it. */
import type { ByteString } from "../base/bytes.ts";

/** The lease number that means "no lease". */
export const NO_LEASE = 0n;

/** The longest time to live that can be granted, in seconds: etcd's. */
export const MAX_TTL_SECONDS = 9_000_000_000;

/** Expiry of a lease whose time does not run here: only the leader's lessor lets time pass. */
export const NEVER = Number.POSITIVE_INFINITY;

/** A lease as everybody but the lessor sees it. */
export interface Lease {
  readonly id: bigint;
  /** The granted time to live, already raised to the minimum. */
  readonly ttlSeconds: number;
  /**
   * What the last replicated checkpoint says is left, in seconds; 0: no checkpoint since the last renewal, the whole
   * ttl counts. The next leader starts from it.
   */
  readonly remainingTtlSeconds: number;
  /** When it runs out, in monotonic milliseconds of this process; NEVER where this lessor is not the primary. */
  readonly expiryMs: number;
  /** The keys attached. A key is attached to at most one lease. */
  readonly keys: ReadonlySet<ByteString>;
}

/** The moment from which the time of some leases runs; undefined until somebody who grants brings the time. */
export interface Origin {
  startMs: number | undefined;
}

/** The same, changeable: the lessor's alone. */
export interface LeaseRecord extends Lease {
  /** Where its time begins while `expiryMs` is not known yet; undefined: it is, or no time runs for it. */
  origin: Origin | undefined;
  /** The leadership that `origin` and `expiryMs` are of: those of an earlier one mean nothing. */
  leadership: number;
  remainingTtlSeconds: number;
  expiryMs: number;
  keys: ReadonlySet<ByteString> | Set<ByteString>;
}

/** Shared by all leases without keys: a set for each would be most of a lease's memory. */
export const NO_KEYS: ReadonlySet<ByteString> = new Set<ByteString>();

/** A lease whose time does not run yet. */
export function newLease(id: bigint, ttlSeconds: number, remainingTtlSeconds: number): LeaseRecord {
  return { id, ttlSeconds, remainingTtlSeconds, expiryMs: NEVER, keys: NO_KEYS, origin: undefined, leadership: 0 };
}

/** What a new leader gives a lease: the checkpointed rest, or the whole ttl when there is none. */
export function secondsToStartWith(lease: Lease): number {
  return lease.remainingTtlSeconds > 0 ? lease.remainingTtlSeconds : lease.ttlSeconds;
}

/** Milliseconds left; zero or negative once it has run out. */
export function remainingMs(lease: Lease, nowMs: number): number {
  return lease.expiryMs - nowMs;
}

/** Order of the Leases call: by expiry, and by id where that ties, so that every run and member agrees. */
export function byExpiry(left: Lease, leftExpiryMs: number, right: Lease, rightExpiryMs: number): number {
  if (leftExpiryMs !== rightExpiryMs) return leftExpiryMs < rightExpiryMs ? -1 : 1;
  return left.id < right.id ? -1 : left.id > right.id ? 1 : 0;
}
