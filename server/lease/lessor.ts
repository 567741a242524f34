/**
 * Leases: who holds one, which keys hang on it, and, on the leader, when it runs out.
 *
 * What is replicated (grant, revoke, checkpoint, attach, detach) comes in by apply and knows no clock. What only the
 * leader does (renew, expiry, checkpoints to propose) gets the time as an argument: monotonic milliseconds, never the
 * wall's. Between the two, a lease granted by apply on the primary has no expiry until the next call that brings the
 * time; it can so live a little longer than its ttl, never shorter.
 *
 *      follower / demoted            primary
 *      expiry: never     promote()   expiry: now + extension + (checkpointed rest or whole ttl)
 *                       --------->   renew(): now + whole ttl
 *                        demote()    due(): expired -> proposed as revokes by the leader -> revoke() by apply
 *                       <---------
 *
 * The lessor deletes no keys and knows no store: `revoke` names the keys, apply deletes them in the same write.
 */
import { assert } from "../base/assert.ts";
import type { ByteString } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { CHECKPOINT_INTERVAL_SECONDS, type Checkpoint, CheckpointSchedule } from "./checkpoint.ts";
import { ExpiryQueue } from "./expiry-queue.ts";
import {
  byExpiry,
  type Lease,
  type LeaseRecord,
  MAX_TTL_SECONDS,
  NEVER,
  NO_KEYS,
  NO_LEASE,
  newLease,
  remainingMs,
  secondsToStartWith,
} from "./lease.ts";

/** Expired leases proposed as revokes in one second at most: etcd's. */
export const REVOKES_PER_SECOND = 1000;

/** How often the leader looks for expired leases: etcd's. Half of a second's revokes may go each time. */
export const EXPIRY_SCAN_MS = 500;

/** An expired lease that is still here after this long is offered again: etcd's. */
export const EXPIRY_RETRY_MS = 3000;

export interface LessorOptions {
  /** ceil(1.5 x election timeout in seconds): 2 by default. A shorter ttl is raised to it. */
  readonly minTtlSeconds: number;
  /** EXPIRY_RETRY_MS when left out. */
  readonly retryMs?: number;
  /** CHECKPOINT_INTERVAL_SECONDS when left out. */
  readonly checkpointIntervalSeconds?: number;
}

/** Totals since the start, and sizes now: for the metrics. */
export interface LessorStats {
  readonly granted: number;
  readonly revoked: number;
  readonly renewed: number;
  readonly leases: number;
  readonly attachedKeys: number;
}

export class Lessor {
  readonly #minTtlSeconds: number;
  readonly #retryMs: number;
  readonly #leases = new Map<bigint, LeaseRecord>();
  readonly #leaseOfKey = new Map<ByteString, LeaseRecord>();
  readonly #expiries = new ExpiryQueue();
  readonly #checkpoints: CheckpointSchedule;
  /** Granted while primary, waiting for a call that brings the time. */
  #unarmed: LeaseRecord[] = [];
  #primary = false;
  #lastNowMs = 0;
  #granted = 0;
  #revoked = 0;
  #renewed = 0;

  constructor(options: LessorOptions) {
    assert(options.minTtlSeconds >= 1, "the least ttl is a second or more");
    this.#minTtlSeconds = options.minTtlSeconds;
    this.#retryMs = options.retryMs ?? EXPIRY_RETRY_MS;
    this.#checkpoints = new CheckpointSchedule(options.checkpointIntervalSeconds ?? CHECKPOINT_INTERVAL_SECONDS);
  }

  get size(): number {
    return this.#leases.size;
  }

  /** Whether leases expire and are renewed here: true from `promote` to `demote`. */
  get isPrimary(): boolean {
    return this.#primary;
  }

  // --- replicated: by apply, without a clock ---

  /**
   * A new lease; its effective ttl, raised to the minimum when it is below. Throws LeaseTtlTooLarge above 9e9 s,
   * LeaseExists, and LeaseNotFound for id 0, which stands for "no lease": the id is chosen before it is proposed.
   */
  grant(id: bigint, ttlSeconds: number): { ttlSeconds: number } {
    if (id === NO_LEASE) throw new EtcdError("LeaseNotFound");
    if (ttlSeconds > MAX_TTL_SECONDS) throw new EtcdError("LeaseTtlTooLarge");
    if (this.#leases.has(id)) throw new EtcdError("LeaseExists");
    const lease = newLease(id, this.#effectiveTtl(ttlSeconds), 0);
    this.#leases.set(id, lease);
    this.#granted++;
    if (this.#primary) this.#unarmed.push(lease);
    return { ttlSeconds: lease.ttlSeconds };
  }

  /** Forgets the lease and answers the keys it held, sorted, for apply to delete. Throws LeaseNotFound. */
  revoke(id: bigint): ByteString[] {
    const lease = this.#existing(id);
    const keys = sortedKeys(lease);
    for (const key of keys) this.#leaseOfKey.delete(key);
    this.#leases.delete(id);
    this.#expiries.delete(id);
    this.#checkpoints.delete(id);
    this.#revoked++;
    return keys;
  }

  /** Notes a replicated rest: a later `promote` starts from it. 0 clears it. An unknown lease is no error, as in etcd. */
  checkpoint(id: bigint, remainingTtl: number): void {
    const lease = this.#leases.get(id);
    if (lease !== undefined) lease.remainingTtlSeconds = Math.max(0, remainingTtl);
  }

  /** Hangs `key` on the lease, and takes it from the one it hung on before. Throws LeaseNotFound. */
  attach(id: bigint, key: ByteString): void {
    const lease = this.#existing(id);
    if (this.#leaseOfKey.get(key) === lease) return;
    this.detach(key);
    if (lease.keys === NO_KEYS) lease.keys = new Set<ByteString>();
    (lease.keys as Set<ByteString>).add(key);
    this.#leaseOfKey.set(key, lease);
  }

  /** Takes `key` from its lease; nothing when it has none. */
  detach(key: ByteString): void {
    const lease = this.#leaseOfKey.get(key);
    if (lease === undefined) return;
    (lease.keys as Set<ByteString>).delete(key);
    if (lease.keys.size === 0) lease.keys = NO_KEYS;
    this.#leaseOfKey.delete(key);
  }

  // --- at start, or when a snapshot replaced the store ---

  /** A lease as it was stored. Only while not primary. The ttl is raised to the minimum as by `grant`. */
  restore(id: bigint, ttlSeconds: number, remainingTtlSeconds: number): void {
    assert(!this.#primary, "leases are restored before the lessor is promoted");
    assert(id !== NO_LEASE && !this.#leases.has(id), "a stored lease has an id of its own");
    this.#leases.set(id, newLease(id, this.#effectiveTtl(ttlSeconds), Math.max(0, remainingTtlSeconds)));
  }

  /** Forgets everything, before `restore` from another store. Only while not primary. */
  clear(): void {
    assert(!this.#primary, "a primary lessor does not change its store");
    this.#leases.clear();
    this.#leaseOfKey.clear();
  }

  // --- questions ---

  lookup(id: bigint): Lease | undefined {
    return this.#leases.get(id);
  }

  /** The lease `key` hangs on; 0 when none. */
  leaseOf(key: ByteString): bigint {
    return this.#leaseOfKey.get(key)?.id ?? NO_LEASE;
  }

  /** The keys of a lease, sorted; empty when it is unknown. */
  keysOf(id: bigint): ByteString[] {
    const lease = this.#leases.get(id);
    return lease === undefined ? [] : sortedKeys(lease);
  }

  /** All leases, by expiry, then by id (where time does not run: by id). */
  leases(): Lease[] {
    // What was granted since the last call with the time has no expiry yet; it gets its place, not a shorter life.
    const unarmed = new Set<Lease>(this.#unarmed);
    const expiryMs = (lease: Lease) =>
      unarmed.has(lease) ? this.#lastNowMs + lease.ttlSeconds * 1000 : lease.expiryMs;
    return [...this.#leases.values()].sort((left, right) => byExpiry(left, expiryMs(left), right, expiryMs(right)));
  }

  stats(): LessorStats {
    return {
      granted: this.#granted,
      revoked: this.#revoked,
      renewed: this.#renewed,
      leases: this.#leases.size,
      attachedKeys: this.#leaseOfKey.size,
    };
  }

  // --- the leader's, with the time ---

  /**
   * This member leads now: every lease gets its checkpointed rest, or its whole ttl, and `extendMs` (one election
   * timeout) on top, for nobody could renew while there was no leader. Where more leases end in one second than the
   * leader would revoke, the later ones are moved on.
   */
  promote(nowMs: number, extendMs: number): void {
    this.#primary = true;
    this.#seeTime(nowMs);
    this.#unarmed = [];
    this.#expiries.clear();
    this.#checkpoints.clear();
    for (const lease of this.#leases.values()) {
      const seconds = secondsToStartWith(lease);
      lease.expiryMs = nowMs + extendMs + seconds * 1000;
      this.#checkpoints.start(lease.id, seconds, nowMs);
    }
    // Fewer than a second's revokes cannot pile up.
    if (this.#leases.size >= REVOKES_PER_SECOND) spreadOut(this.#leases.values());
    for (const lease of this.#leases.values()) this.#expiries.set(lease.id, lease.expiryMs);
  }

  /** Another member leads, or none: no lease runs out here. */
  demote(): void {
    this.#primary = false;
    this.#unarmed = [];
    this.#expiries.clear();
    this.#checkpoints.clear();
    for (const lease of this.#leases.values()) lease.expiryMs = NEVER;
  }

  /**
   * Gives the lease its whole ttl again and answers it, in seconds.
   *
   * 0 (never a ttl): it has expired and its revoke is on the way. It cannot be saved any more, and must not be told
   * lost before it is: the caller waits until `lookup` no longer knows it (then LeaseNotFound) or this lessor was
   * demoted (then NotPrimaryLessor), as etcd does.
   *
   * When `lookup(id).remainingTtlSeconds` is not 0, the caller first replicates a checkpoint of 0: else the next
   * leader would give the renewed lease only the old rest.
   *
   * Throws NotPrimaryLessor, LeaseNotFound.
   */
  renew(id: bigint, nowMs: number): number {
    if (!this.#primary) throw new EtcdError("NotPrimaryLessor");
    this.#arm(nowMs);
    const lease = this.#existing(id);
    if (remainingMs(lease, nowMs) <= 0) return 0;
    lease.expiryMs = nowMs + lease.ttlSeconds * 1000;
    this.#expiries.set(id, lease.expiryMs);
    this.#checkpoints.renewed(id, lease.ttlSeconds, nowMs);
    this.#renewed++;
    return lease.ttlSeconds;
  }

  /** Whether the lease is known, has run out, and so waits for its revoke. Never true where this is not the primary. */
  isExpired(id: bigint, nowMs: number): boolean {
    this.#arm(nowMs);
    const lease = this.#leases.get(id);
    return lease !== undefined && remainingMs(lease, nowMs) <= 0;
  }

  /**
   * Whole seconds left, as TimeToLive shows them: rounded towards zero, and 0 or negative while an expired lease waits
   * for its revoke. Throws LeaseNotFound; NotPrimaryLessor where time does not run.
   */
  remainingSeconds(id: bigint, nowMs: number): number {
    this.#arm(nowMs);
    const lease = this.#existing(id);
    if (!this.#primary) throw new EtcdError("NotPrimaryLessor");
    return Math.trunc(remainingMs(lease, nowMs) / 1000) + 0; // + 0: no negative zero
  }

  /**
   * At most `limit` expired leases to be proposed as revokes, the longest expired first. One that was not revoked
   * since is offered again after the retry interval. Empty where this is not the primary.
   */
  due(nowMs: number, limit: number): bigint[] {
    this.#arm(nowMs);
    const due: bigint[] = [];
    while (due.length < limit) {
      const id = this.#expiries.next(nowMs);
      if (id === undefined) break;
      this.#expiries.set(id, nowMs + this.#retryMs);
      due.push(id);
    }
    return due;
  }

  /** At most `limit` checkpoints to be proposed in one request (see `CHECKPOINTS_PER_REQUEST`). */
  dueCheckpoints(nowMs: number, limit: number): Checkpoint[] {
    this.#arm(nowMs);
    return this.#checkpoints.due(nowMs, limit, (id) => this.#leases.get(id));
  }

  /** Starts the time of what was granted since the last call. */
  #arm(nowMs: number): void {
    this.#seeTime(nowMs);
    if (this.#unarmed.length === 0) return;
    const unarmed = this.#unarmed;
    this.#unarmed = [];
    for (const lease of unarmed) {
      if (this.#leases.get(lease.id) !== lease) continue; // revoked already
      lease.expiryMs = this.#lastNowMs + lease.ttlSeconds * 1000;
      this.#expiries.set(lease.id, lease.expiryMs);
      this.#checkpoints.start(lease.id, lease.ttlSeconds, this.#lastNowMs);
    }
  }

  #seeTime(nowMs: number): void {
    if (nowMs > this.#lastNowMs) this.#lastNowMs = nowMs;
  }

  #existing(id: bigint): LeaseRecord {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw new EtcdError("LeaseNotFound");
    return lease;
  }

  #effectiveTtl(ttlSeconds: number): number {
    return Math.max(ttlSeconds, this.#minTtlSeconds);
  }
}

function sortedKeys(lease: Lease): ByteString[] {
  // Every member deletes them in this order: else the hashes of their stores would differ.
  return [...lease.keys].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
}

/**
 * Moves leases on until no second holds more than three quarters of what is revoked in one: the rest of the rate is
 * left for leases that end there by themselves. Never earlier than before. By second and not by sorting: a new leader
 * must not hold the loop for a million leases.
 */
function spreadOut(leases: Iterable<LeaseRecord>): void {
  const perSecond = (3 * REVOKES_PER_SECOND) / 4;
  const bySecond = new Map<number, LeaseRecord[]>();
  for (const lease of leases) {
    const second = Math.floor(lease.expiryMs / 1000);
    const together = bySecond.get(second);
    if (together === undefined) bySecond.set(second, [lease]);
    else together.push(lease);
  }
  const moved: LeaseRecord[] = [];
  let movedTo = 0;
  const seconds = [...bySecond.keys()].sort((left, right) => left - right);
  for (const [at, start] of seconds.entries()) {
    const next = seconds[at + 1] ?? Number.POSITIVE_INFINITY;
    const own = bySecond.get(start) as LeaseRecord[];
    let second = start;
    let room = perSecond - own.length;
    for (let index = perSecond; index < own.length; index++) moved.push(own[index] as LeaseRecord);
    while (movedTo < moved.length) {
      if (room <= 0) {
        second++;
        room = perSecond;
        if (second >= next) break; // that second has leases of its own: they go first
      }
      const lease = moved[movedTo++] as LeaseRecord;
      lease.expiryMs = Math.max(lease.expiryMs, second * 1000 + Math.floor(((perSecond - room) * 1000) / perSecond));
      room--;
    }
  }
}
