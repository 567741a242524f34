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
 * A million leases are one promotion or one burst of grants: their expiries are worked out in slices (`armSome`), and for
 * one that is asked for before its turn, then. Where its time begins is fixed at once in either case.
 *
 * The lessor deletes no keys and knows no store: `revoke` names the keys, apply deletes them in the same write.
 */
import { assert } from "../base/assert.ts";
import type { ByteString } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { ShardedMap, shardOfId, shardOfKey } from "../base/sharded-map.ts";
import { sortInSlices } from "../base/sliced-sort.ts";
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
  type Origin,
  remainingMs,
  secondsToStartWith,
} from "./lease.ts";
import { Spread } from "./spread.ts";

/** Expired leases proposed as revokes in one second at most: etcd's. */
export const REVOKES_PER_SECOND = 1000;

/** Three quarters of it: the rest of the rate is left for leases that end in that second by themselves. */
const SPREAD_PER_SECOND = (3 * REVOKES_PER_SECOND) / 4;

/** Leases whose expiry is worked out in the calls that bring the time, beside `armSome`. */
const ARMED_BY_THE_WAY = 1000;

/** Leases looked at between two stops of a listing. */
const LISTED_AT_ONCE = 2000;

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
  #leases = new ShardedMap<bigint, LeaseRecord>(shardOfId);
  #leaseOfKey = new ShardedMap<ByteString, LeaseRecord>(shardOfKey);
  readonly #expiries = new ExpiryQueue();
  readonly #checkpoints: CheckpointSchedule;
  /** Counts promotions. */
  #leadership = 0;
  /** Of the leases that were there at the promotion. */
  #promoted: Origin = { startMs: undefined };
  /** Of those granted since the time was last seen. */
  #granting: Origin = { startMs: undefined };
  /** What is left to do for the promotion, and leases granted that wait for their expiry, oldest first. */
  #promotion: Iterator<void> | undefined;
  #unarmed: LeaseRecord[] = [];
  #firstUnarmed = 0;
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
    if (this.#primary) {
      lease.leadership = this.#leadership;
      lease.origin = this.#granting;
      this.#unarmed.push(lease);
    }
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

  /** The leases and keys of `other`, which was filled beside this one, instead of its own: at once, however many. */
  adopt(other: Lessor): void {
    assert(!this.#primary && !other.#primary, "a primary lessor does not change its store");
    this.#leases = other.#leases;
    this.#leaseOfKey = other.#leaseOfKey;
  }

  // --- questions ---

  lookup(id: bigint): Lease | undefined {
    const lease = this.#leases.get(id);
    if (lease !== undefined) this.#bringUpToDate(lease);
    return lease;
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

  /** How many keys hang on a lease; 0 when it is unknown. */
  keyCount(id: bigint): number {
    return this.#leases.get(id)?.keys.size ?? 0;
  }

  /** As `keysOf`, in slices of a millisecond or so. The lease keeps its keys meanwhile. */
  keysInSlices(id: bigint): Generator<void, ByteString[], void> {
    return sortInSlices([...(this.#leases.get(id)?.keys ?? NO_KEYS)], byName);
  }

  /** All leases, by expiry, then by id (where time does not run: by id). */
  leases(): Lease[] {
    const steps = this.leasesInSlices();
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  }

  /** The same in slices of a millisecond or so; leases that come or go meanwhile may be in it or not. */
  *leasesInSlices(): Generator<void, Lease[], void> {
    const listed: { readonly lease: Lease; readonly expiryMs: number }[] = [];
    for (const lease of this.#leases.values()) {
      listed.push({ lease, expiryMs: this.#expectedMs(lease) });
      if (listed.length % LISTED_AT_ONCE === 0) yield;
    }
    const sorted = yield* sortInSlices(listed, (left, right) =>
      byExpiry(left.lease, left.expiryMs, right.lease, right.expiryMs),
    );
    const leases: Lease[] = [];
    for (const { lease } of sorted) {
      leases.push(lease);
      if (leases.length % (8 * LISTED_AT_ONCE) === 0) yield;
    }
    return leases;
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
   * leader would revoke, the later ones are moved on. `armSome` is called until nothing is left to do.
   */
  promote(nowMs: number, extendMs: number): void {
    this.#forgetTimes();
    this.#primary = true;
    this.#seeTime(nowMs);
    this.#promoted = { startMs: nowMs + extendMs };
    this.#promotion = this.#armPromoted();
    this.armSome(ARMED_BY_THE_WAY);
  }

  /** Another member leads, or none: no lease runs out here. */
  demote(): void {
    this.#forgetTimes();
    this.#primary = false;
  }

  /**
   * Works out the expiries of up to `count` leases, of which only the beginning is fixed. True: there is more to do now. A
   * lease whose turn has not come is not offered by `due`.
   */
  armSome(count: number): boolean {
    let left = count;
    for (; left > 0 && this.#promotion !== undefined; left--) {
      if (this.#promotion.next().done === true) this.#promotion = undefined;
    }
    while (left > 0 && this.#firstUnarmed < this.#unarmed.length) {
      const lease = this.#unarmed[this.#firstUnarmed] as LeaseRecord;
      if (lease.origin === this.#granting) break; // the time has not been seen since
      this.#firstUnarmed++;
      if (this.#leases.get(lease.id) === lease) this.#bringUpToDate(lease);
      left--;
    }
    if (this.#firstUnarmed === this.#unarmed.length) {
      this.#unarmed = [];
      this.#firstUnarmed = 0;
    }
    const next = this.#unarmed[this.#firstUnarmed];
    return this.#promotion !== undefined || (next !== undefined && next.origin !== this.#granting);
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
    this.#seeTime(nowMs);
    const lease = this.#existing(id);
    this.#bringUpToDate(lease);
    if (remainingMs(lease, nowMs) <= 0) return 0;
    lease.expiryMs = nowMs + lease.ttlSeconds * 1000;
    this.#expiries.set(id, lease.expiryMs);
    this.#checkpoints.renewed(id, lease.ttlSeconds, nowMs);
    this.#renewed++;
    return lease.ttlSeconds;
  }

  /** Whether the lease is known, has run out, and so waits for its revoke. Never true where this is not the primary. */
  isExpired(id: bigint, nowMs: number): boolean {
    this.#seeTime(nowMs);
    const lease = this.lookup(id);
    return lease !== undefined && remainingMs(lease, nowMs) <= 0;
  }

  /**
   * Whole seconds left, as TimeToLive shows them: rounded towards zero, and 0 or negative while an expired lease waits
   * for its revoke. Throws LeaseNotFound; NotPrimaryLessor where time does not run.
   */
  remainingSeconds(id: bigint, nowMs: number): number {
    this.#seeTime(nowMs);
    const lease = this.#existing(id);
    this.#bringUpToDate(lease);
    if (!this.#primary) throw new EtcdError("NotPrimaryLessor");
    return Math.trunc(remainingMs(lease, nowMs) / 1000) + 0; // + 0: no negative zero
  }

  /**
   * At most `limit` expired leases to be proposed as revokes, the longest expired first. One that was not revoked
   * since is offered again after the retry interval. Empty where this is not the primary.
   */
  due(nowMs: number, limit: number): bigint[] {
    this.#seeTime(nowMs);
    this.armSome(ARMED_BY_THE_WAY);
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
    this.#seeTime(nowMs);
    this.armSome(ARMED_BY_THE_WAY);
    return this.#checkpoints.due(nowMs, limit, (id) => this.lookup(id));
  }

  /** What was granted since the last call starts here. */
  #seeTime(nowMs: number): void {
    if (nowMs > this.#lastNowMs) this.#lastNowMs = nowMs;
    if (this.#unarmed.at(-1)?.origin !== this.#granting) return;
    this.#granting.startMs = this.#lastNowMs;
    this.#granting = { startMs: undefined };
  }

  /** At once, however many leases there are: what an earlier leadership knew of them means nothing from here on. */
  #forgetTimes(): void {
    this.#leadership++;
    this.#promotion = undefined;
    this.#unarmed = [];
    this.#firstUnarmed = 0;
    this.#granting = { startMs: undefined };
    this.#expiries.clear();
    this.#checkpoints.clear();
  }

  /** All leases that were there at the promotion, one a step. */
  *#armPromoted(): Generator<void, void, void> {
    // Fewer than a second's revokes cannot pile up.
    const spread = this.#leases.size < REVOKES_PER_SECOND ? undefined : new Spread(SPREAD_PER_SECOND);
    if (spread !== undefined) {
      for (const lease of this.#leases.values()) {
        if (lease.leadership !== this.#leadership) spread.count(this.#expectedMs(lease));
        yield;
      }
    }
    for (const lease of this.#leases.values()) {
      this.#bringUpToDate(lease, spread);
      yield;
    }
  }

  /** Gives the lease its expiry in this leadership, if it has none and its beginning is known. */
  #bringUpToDate(lease: LeaseRecord, spread?: Spread): void {
    if (lease.leadership !== this.#leadership) {
      lease.leadership = this.#leadership;
      lease.expiryMs = NEVER;
      lease.origin = this.#primary ? this.#promoted : undefined;
    }
    const startMs = lease.origin?.startMs;
    if (startMs === undefined) return;
    lease.origin = undefined;
    const seconds = secondsToStartWith(lease);
    const expiryMs = startMs + seconds * 1000;
    lease.expiryMs = spread === undefined ? expiryMs : spread.place(expiryMs);
    this.#expiries.set(lease.id, lease.expiryMs);
    this.#checkpoints.start(lease.id, seconds, this.#lastNowMs);
  }

  /** When the lease runs out as far as can be told now; starts nothing. */
  #expectedMs(lease: LeaseRecord): number {
    if (!this.#primary) return NEVER;
    const origin = lease.leadership === this.#leadership ? lease.origin : this.#promoted;
    if (origin === undefined) return lease.expiryMs;
    return (origin.startMs ?? this.#lastNowMs) + secondsToStartWith(lease) * 1000;
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
  return [...lease.keys].sort(byName);
}

function byName(left: ByteString, right: ByteString): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
