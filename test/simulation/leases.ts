/**
 * Leases of a simulated cluster, as their clients know them: none may end before the last renewal that was acknowledged,
 * or the grant, and its time; once it has ended nobody may be told that it was renewed.
 */
import { Violation } from "./outcome.ts";

export interface KnownLease {
  readonly id: bigint;
  readonly ttlSeconds: number;
  /** The one key that hangs on it, once it does. */
  readonly key: string;
  /** When the last call began that has given it its whole time and was acknowledged. */
  renewedMs: number;
  /** When somebody asked for its end. */
  revokeMs: number;
  /** When the first member has taken its key away. */
  goneMs: number;
}

/** That are remembered; older ones are forgotten when they are gone. */
const LEASES_MAX = 1000;

export class KnownLeases {
  readonly #leases = new Map<string, KnownLease>();
  /** How much faster than the world's a clock may go. */
  readonly #rateMax: number;

  constructor(rateMax: number) {
    this.#rateMax = rateMax;
  }

  add(id: bigint, ttlSeconds: number, beganMs: number): KnownLease {
    const never = Number.POSITIVE_INFINITY;
    const lease = { id, ttlSeconds, key: keyOf(id), renewedMs: beganMs, revokeMs: never, goneMs: never };
    this.#leases.set(lease.key, lease);
    if (this.#leases.size > LEASES_MAX) this.#leases.delete(this.#leases.keys().next().value as string);
    return lease;
  }

  /** Those granted last, also when they have ended meanwhile: their clients may not know. */
  newest(count: number): KnownLease[] {
    return [...this.#leases.values()].slice(-count);
  }

  /** A renewal was acknowledged. Throws a `Violation`. */
  renewed(lease: KnownLease, beganMs: number, nowMs: number): void {
    if (beganMs > lease.goneMs)
      throw new Violation(`lease ${lease.id} was renewed at ${beganMs} ms, and had ended at ${lease.goneMs} ms`, nowMs);
    lease.renewedMs = Math.max(lease.renewedMs, beganMs);
  }

  /** A key was deleted: if it hung on a lease, that has ended, and how is answered. Throws a `Violation`. */
  deleted(key: string, nowMs: number): "by hand" | "by time" | undefined {
    const lease = this.#leases.get(key);
    if (lease === undefined || lease.goneMs <= nowMs) return undefined;
    lease.goneMs = nowMs;
    if (lease.revokeMs <= nowMs) return "by hand";
    const livesMs = (lease.ttlSeconds * 1000) / this.#rateMax;
    if (nowMs >= lease.renewedMs + livesMs) return "by time";
    throw new Violation(
      `lease ${lease.id} of ${lease.ttlSeconds} s ended at ${nowMs} ms, and was renewed at ${lease.renewedMs} ms`,
      nowMs,
    );
  }
}

/** The key that a client hangs on a lease: nobody else touches it. */
export function keyOf(id: bigint): string {
  return `lease/${id}`;
}
