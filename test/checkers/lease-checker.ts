/**
 * Whether leases live as long as they must and no longer than they may. A lease lives, by every legal clock, from its
 * last acknowledged renewal on for its TTL; nobody may lose a key earlier, whatever happened to leaders and clocks. It
 * ends within its TTL and a bound that the caller states: what etcd adds are the scan for expired leases, and a whole TTL
 * anew for each change of leader. When a revision happened is only known to lie between calls; what is reported is wrong
 * for every moment at which it can have happened.
 */
import type { Lost } from "./explanations.ts";
import { assertHistory, type Kv, type Operation, type Verdict, Violations } from "./history.ts";
import { Floor, isAnswered } from "./time-order.ts";
import { kvWords, operationWords, shortNumber } from "./words.ts";

export interface LeaseOptions {
  /** Ends of leases that nobody asked for are held against the clock: from the check in the order of revisions. */
  readonly ends: readonly Lost[];
  /** How long after its TTL a lease may still be there. */
  readonly lateMs: number;
  /** How far the servers' clocks may run ahead of the clients' during a TTL. */
  readonly driftMs?: number;
  /** How much faster than the clients' the servers' clocks may go; 1 when absent. */
  readonly rateMax?: number;
  /** When some server had a revision, where somebody could look: else it is known from answers alone. */
  readonly appliedMs?: (revision: number) => number | undefined;
  /** When leaders changed: each gives all leases their whole TTL anew. */
  readonly leaderChangesMs?: readonly number[];
}

/** All that was asked and answered about one lease. */
interface Life {
  readonly lease: bigint;
  readonly ttlMs: number;
  readonly grant: Operation;
  /** The grant and the renewals that were acknowledged. */
  readonly renewals: readonly Operation[];
  /** Those that nobody knows the end of. */
  readonly doubtful: readonly Operation[];
  /** Revocations that may have taken effect. */
  readonly revocations: readonly Operation[];
  readonly end: Lost | undefined;
}

/** Throws an Error when `operations` are no history. Leases that are granted twice under one id are left out. */
export function checkLeases(operations: readonly Operation[], options: LeaseOptions): Verdict {
  assertHistory(operations);
  const violations = new Violations();
  const knownAtMs = knowledgeOf(operations, options);
  const lives = livesOf(operations, options.ends);
  for (const life of lives.values()) {
    checkTtl(life, violations);
    checkEarly(life, knownAtMs, options, violations);
    checkRenewedDead(life, knownAtMs, violations);
  }
  for (const operation of operations) {
    if (violations.isFull) break;
    checkAttach(operation, lives, knownAtMs, options, violations);
    checkSeen(operation, lives, options, violations);
  }
  return violations.verdict();
}

/** When a revision was certainly there, in milliseconds; Infinity: never. */
type Knowledge = (revision: number) => number;

function knowledgeOf(operations: readonly Operation[], { appliedMs }: LeaseOptions): Knowledge {
  const floor = new Floor(operations.filter(isAnswered));
  return (revision) => Math.min(floor.knownAtMs(revision), appliedMs?.(revision) ?? Number.POSITIVE_INFINITY);
}

/** For how long a lease lives by every legal clock. */
function livesMs({ ttlMs }: Life, { driftMs = 0, rateMax = 1 }: LeaseOptions): number {
  return ttlMs / rateMax - driftMs;
}

function livesOf(operations: readonly Operation[], ends: readonly Lost[]): Map<bigint, Life> {
  const byLease = new Map<bigint, Operation[]>();
  for (const operation of operations) {
    const { request } = operation;
    if (request.kind !== "grant" && request.kind !== "renew" && request.kind !== "revoke") continue;
    const all = byLease.get(request.lease);
    if (all === undefined) byLease.set(request.lease, [operation]);
    else all.push(operation);
  }
  const endOf = new Map(ends.map((end) => [end.lease, end]));
  const lives = new Map<bigint, Life>();
  for (const [lease, all] of byLease) {
    const grants = all.filter(({ request, answer }) => request.kind === "grant" && answer?.kind !== "refused");
    const [grant] = grants;
    if (grants.length !== 1 || grant === undefined || ttlOf(grant) === 0) continue;
    lives.set(lease, {
      lease,
      ttlMs: ttlOf(grant) * 1000,
      grant,
      renewals: all.filter((one) => ttlOf(one) > 0),
      doubtful: all.filter(({ request, answer }) => request.kind === "renew" && answer === undefined),
      revocations: all.filter(({ request, answer }) => request.kind === "revoke" && answer?.kind !== "refused"),
      end: endOf.get(lease),
    });
  }
  return lives;
}

/** Acknowledged seconds; 0: none. */
function ttlOf({ answer }: Operation): number {
  if (answer?.kind !== "done") return 0;
  return answer.result.kind === "grant" || answer.result.kind === "renew" ? answer.result.ttlSeconds : 0;
}

function checkTtl({ grant, renewals, ttlMs }: Life, violations: Violations): void {
  const { request } = grant;
  if (request.kind === "grant" && ttlMs < request.ttlSeconds * 1000)
    violations.add("short TTL", `${operationWords(grant)} was given less than it asked for`);
  const other = renewals.find((renewal) => ttlOf(renewal) * 1000 !== ttlMs);
  if (other !== undefined)
    violations.add(
      "other TTL",
      `${operationWords(other)}, but the lease was granted for ${ttlMs / 1000} s: ${operationWords(grant)}`,
    );
}

/** The keys are gone although a renewal, which had returned before, still holds. */
function checkEarly(life: Life, knownAtMs: Knowledge, options: LeaseOptions, violations: Violations): void {
  const { end, renewals, revocations, lease } = life;
  if (end === undefined || end.revokedBy !== undefined) return;
  const goneMs = knownAtMs(end.revision);
  // Somebody asked for it, and nobody knows when it happened.
  if (revocations.some(({ calledMs }) => calledMs <= goneMs)) return;
  const holding = renewals.findLast(
    ({ calledMs, returnedMs }) => returnedMs <= goneMs && goneMs < calledMs + livesMs(life, options),
  );
  if (holding !== undefined)
    violations.add(
      "lost too early",
      `lease ${lease} ended at revision ${end.revision}, which was seen at ${shortNumber(goneMs)} ms; by ${operationWords(holding)} it lived until ${shortNumber(holding.calledMs + livesMs(life, options))} ms at least`,
    );
}

/** A renewal that was acknowledged although the lease had ended before it was asked for. */
function checkRenewedDead(life: Life, knownAtMs: Knowledge, violations: Violations): void {
  const death = deathOf(life, knownAtMs);
  const renewal = death && life.renewals.find(({ calledMs }) => calledMs > death.atMs);
  if (renewal !== undefined && renewal.request.kind === "renew")
    violations.add("dead lease renewed", `${operationWords(renewal)}, but ${death?.words}`);
}

/** A lease that certainly had ended by a moment. */
function deathOf({ end, lease, revocations }: Life, knownAtMs: Knowledge): { atMs: number; words: string } | undefined {
  const revoked = revocations.find(({ answer }) => answer?.kind === "done");
  const seenMs = end === undefined ? Number.POSITIVE_INFINITY : knownAtMs(end.revision);
  if (revoked !== undefined && revoked.returnedMs <= seenMs)
    return { atMs: revoked.returnedMs, words: `it had been revoked: ${operationWords(revoked)}` };
  if (end === undefined || seenMs === Number.POSITIVE_INFINITY) return undefined;
  return {
    atMs: seenMs,
    words: `lease ${lease} had ended at revision ${end.revision}, which was seen at ${shortNumber(seenMs)} ms`,
  };
}

/** Puts on a lease: acknowledged after its end, or refused while it lived. */
function checkAttach(
  operation: Operation,
  lives: ReadonlyMap<bigint, Life>,
  knownAtMs: Knowledge,
  options: LeaseOptions,
  violations: Violations,
): void {
  const { request, answer, calledMs, returnedMs } = operation;
  const isRenewal = request.kind === "renew";
  if (answer === undefined || (request.kind !== "put" && !isRenewal) || request.lease === 0n) return;
  const life = lives.get(request.lease);
  if (life === undefined) return;
  const isDenied = answer.kind === "refused" ? answer.why === "lease not found" : isRenewal && ttlOf(operation) === 0;
  if (!isDenied) {
    const death = deathOf(life, knownAtMs);
    if (!isRenewal && answer.kind === "done" && death !== undefined && calledMs > death.atMs)
      violations.add("key on a dead lease", `${operationWords(operation)}, but ${death.words}`);
    return;
  }
  const mayBeRevoked = life.revocations.some((one) => one.calledMs <= returnedMs);
  const holding = life.renewals.findLast(
    (one) => one.returnedMs <= calledMs && returnedMs < one.calledMs + livesMs(life, options),
  );
  if (!mayBeRevoked && holding !== undefined)
    violations.add(
      "living lease denied",
      `${operationWords(operation)}, but by ${operationWords(holding)} it lived until ${shortNumber(holding.calledMs + livesMs(life, options))} ms at least`,
    );
}

/** A key on a lease that was seen long after the lease had to end. */
function checkSeen(
  operation: Operation,
  lives: ReadonlyMap<bigint, Life>,
  options: LeaseOptions,
  violations: Violations,
): void {
  const { request, answer, calledMs } = operation;
  // Only of the present can be said what must be gone.
  if (request.kind !== "range" || request.serializable || request.revision > 0) return;
  if (answer?.kind !== "done" || answer.result.kind !== "range") return;
  for (const kv of answer.result.kvs) {
    const life = kv.lease === 0n ? undefined : lives.get(kv.lease);
    if (life === undefined) continue;
    const latestMs = latestEndMs(life, calledMs, options);
    if (calledMs > latestMs) violations.add("gone too late", lateWords(operation, kv, life, latestMs));
  }
}

/** Until when the lease may be there, by all that was asked before `momentMs`. */
function latestEndMs({ renewals, doubtful, ttlMs }: Life, momentMs: number, options: LeaseOptions): number {
  // A call without an answer may take effect at any time; until then it is as good as a renewal now.
  if (doubtful.some(({ calledMs }) => calledMs <= momentMs)) return Number.POSITIVE_INFINITY;
  let lastMs = 0;
  for (const { calledMs, returnedMs } of renewals)
    if (calledMs <= momentMs) lastMs = Math.max(lastMs, Math.min(returnedMs, momentMs));
  let endMs = lastMs + ttlMs + options.lateMs;
  for (const changeMs of [...(options.leaderChangesMs ?? [])].sort((left, right) => left - right))
    if (changeMs <= endMs && changeMs <= momentMs) endMs = Math.max(endMs, changeMs + ttlMs + options.lateMs);
  return endMs;
}

function lateWords(operation: Operation, kv: Kv, { lease, renewals, grant }: Life, latestMs: number): string {
  const last = renewals.findLast(({ calledMs }) => calledMs <= operation.calledMs) ?? grant;
  return `${operationWords(operation)} saw ${kvWords(kv)}, but lease ${lease} had to end by ${shortNumber(latestMs)} ms: its last renewal was ${operationWords(last)}`;
}
