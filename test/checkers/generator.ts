/**
 * Good histories by chance: clients whose calls overlap, on a store that is right by construction. Each call takes effect
 * at one moment between its beginning and its end; some are never answered, and take effect then, much later or never.
 * The same seed gives the same history. What must be caught is made from these, by one change.
 */
import { Prng } from "../../server/base/prng.ts";
import type { Lost } from "./explanations.ts";
import type { Answer, Change, ChangeLog, Kv, Operation, Range, Request, Result, Txn } from "./history.ts";
import { evaluate, Versions } from "./model.ts";

export interface HistoryOptions {
  readonly seed: number;
  readonly operations: number;
  readonly clients?: number;
  readonly keys?: number;
  /** Share of calls without an answer. */
  readonly unknown?: number;
  /** "plain": puts, ranges, deletes and transactions on the present state. */
  readonly mix?: "plain" | "full";
}

export interface GoodHistory {
  readonly operations: Operation[];
  readonly log: ChangeLog;
  readonly leaseEnds: readonly (Lost & { readonly atMs: number })[];
  /** The state at the end. */
  readonly state: Versions;
  readonly endMs: number;
}

/** How long after its time a lease may still be there, in generated histories. */
export const LEASE_SLACK_MS = 500;

const TTL_SECONDS = 2;
const CALL_MS = 20;
const REST_MS = 10;
/** A call without an answer may take effect so much later. */
const LATE_MS = 400;

export function goodHistory(options: HistoryOptions): GoodHistory {
  return new Scene(options).play();
}

export const put = (key: string, value: string, more: Partial<Extract<Request, { kind: "put" }>> = {}) =>
  ({ kind: "put", key, value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false, ...more }) as const;

export const range = (key: string, more: Partial<Range> = {}): Range => ({
  kind: "range",
  key,
  end: "",
  revision: 0,
  limit: 0,
  countOnly: false,
  serializable: false,
  ...more,
});

/** A call that is under way. */
interface Call {
  readonly client: number;
  readonly calledMs: number;
  readonly effectMs: number;
  readonly returnMs: number;
  readonly request: Request;
  readonly isUnknown: boolean;
  answer: Answer | undefined;
  isDone: boolean;
}

class Scene {
  readonly #random: Prng;
  readonly #options: Required<HistoryOptions>;
  readonly #state = new Versions();
  readonly #changes = new Map<number, readonly Change[]>();
  readonly #operations: Operation[] = [];
  readonly #calls: (Call | undefined)[];
  readonly #wakeMs: number[];
  readonly #late: { readonly atMs: number; readonly request: Request }[] = [];
  /** When each lease ends, unless it is renewed before. */
  readonly #leases = new Map<bigint, number>();
  readonly #leaseEnds: (Lost & { atMs: number })[] = [];
  #compacted = 0;
  #nowMs = 0;
  #names = 0;

  constructor(options: HistoryOptions) {
    this.#options = { clients: 6, keys: 6, unknown: 0, mix: "full", ...options };
    this.#random = new Prng(options.seed);
    this.#calls = Array.from({ length: this.#options.clients }, () => undefined);
    this.#wakeMs = this.#calls.map(() => this.#random.below(REST_MS * 100) / 100);
  }

  play(): GoodHistory {
    while (this.#operations.length < this.#options.operations) this.#step();
    // What has taken effect is told of; the other calls never began.
    for (const call of this.#calls) if (call?.isDone === true) this.#record(call);
    return {
      operations: this.#operations,
      log: { first: 2, last: this.#state.revision, isWhole: true, changes: this.#changes },
      leaseEnds: this.#leaseEnds,
      state: this.#state,
      endMs: this.#nowMs,
    };
  }

  /** The next thing that happens. */
  #step(): void {
    let [client, atMs] = [-1, Number.POSITIVE_INFINITY];
    for (let one = 0; one < this.#calls.length; one++) {
      const nextMs = this.#nextMs(one);
      if (nextMs < atMs) [client, atMs] = [one, nextMs];
    }
    const late = this.#late.findIndex((one) => one.atMs <= atMs);
    const lease = [...this.#leases].find(([, endMs]) => endMs <= atMs)?.[0];
    if (lease !== undefined) this.#endLease(lease, undefined);
    else if (late >= 0) this.#execute((this.#late.splice(late, 1)[0] as { request: Request }).request);
    else {
      this.#nowMs = atMs;
      this.#advance(client);
    }
  }

  #nextMs(client: number): number {
    const call = this.#calls[client];
    if (call === undefined) return this.#wakeMs[client] as number;
    return call.isDone ? call.returnMs : call.effectMs;
  }

  #advance(client: number): void {
    const call = this.#calls[client];
    if (call === undefined) this.#calls[client] = this.#call(client);
    else if (!call.isDone) {
      call.isDone = true;
      const answer = call.isUnknown ? this.#withoutAnswer(call) : this.#execute(call.request);
      call.answer = call.isUnknown ? undefined : answer;
    } else {
      this.#record(call);
      this.#calls[client] = undefined;
      this.#wakeMs[client] = this.#nowMs + this.#random.below(REST_MS * 100) / 100;
    }
  }

  #record({ client, calledMs, returnMs, request, answer }: Call): void {
    const id = this.#operations.length + 1;
    this.#operations.push({ id, client: `client ${client}`, calledMs, returnedMs: returnMs, request, answer });
  }

  #withoutAnswer({ request, effectMs }: Call): undefined {
    const lot = this.#random.below(3);
    if (lot === 0) this.#execute(request);
    else if (lot === 1) this.#late.push({ atMs: effectMs + this.#random.below(LATE_MS), request });
  }

  #call(client: number): Call {
    const [first, second] = [this.#random.below(CALL_MS * 100) / 100, this.#random.below(CALL_MS * 100) / 100];
    return {
      client,
      calledMs: this.#nowMs,
      effectMs: this.#nowMs + Math.min(first, second),
      returnMs: this.#nowMs + Math.max(first, second),
      request: this.#request(),
      isUnknown: this.#random.chance(this.#options.unknown),
      answer: undefined,
      isDone: false,
    };
  }

  // ---- what is asked

  #key(): string {
    return `k${this.#random.below(this.#options.keys)}`;
  }

  #value(): string {
    return `v${++this.#names}`;
  }

  #request(): Request {
    const lot = this.#random.below(100);
    if (lot < 35) return put(this.#key(), this.#value(), { prevKv: this.#random.chance(0.3) });
    if (lot < 55) return range(this.#key());
    if (lot < 63) return range(this.#key(), { end: "\0", limit: this.#random.below(4), countOnly: lot === 62 });
    if (lot < 70) return { kind: "delete", key: this.#key(), end: lot === 69 ? "k3" : "", prevKv: lot < 66 };
    if (lot < 82 || this.#options.mix === "plain") return this.#txn();
    if (lot < 88) return this.#oldRead();
    if (lot < 90) return { kind: "compact", revision: Math.max(1, this.#state.revision - this.#random.below(30)) };
    return this.#leaseRequest(lot);
  }

  #txn(): Txn {
    const key = this.#key();
    const seen = this.#state.get(key);
    const target = this.#random.pick(["mod", "version", "value", "create", "lease"] as const);
    const operand = {
      mod: seen?.modRevision,
      version: seen?.version,
      value: seen?.value,
      create: seen?.createRevision,
    }[target === "lease" ? "mod" : target];
    const zero = target === "value" ? "" : 0;
    const nested: Txn = {
      kind: "txn",
      compares: [{ target: "version", key: this.#key(), end: "", relation: ">", operand: 1 }],
      success: [put("n1", this.#value()), range("n1")],
      failure: [{ kind: "delete", key: "n", end: "o", prevKv: true }],
    };
    return {
      kind: "txn",
      compares: [
        target === "lease"
          ? { target, key, end: "", relation: "=", operand: seen?.lease ?? 0n }
          : { target, key, end: "", relation: "=", operand: operand ?? zero },
      ],
      success: [put(key, this.#value()), range(key), ...(this.#random.chance(0.2) ? [nested] : [])],
      failure: [range(key, { end: "\0" })],
    };
  }

  #oldRead(): Request {
    const revision = Math.max(1, this.#state.revision - this.#random.below(20) + 2);
    if (this.#random.chance(0.3)) return range(this.#key(), { serializable: true });
    const request = range(this.#key(), { revision, end: this.#random.chance(0.5) ? "\0" : "" });
    return this.#random.chance(0.2) ? { kind: "txn", compares: [], success: [request], failure: [] } : request;
  }

  #leaseRequest(lot: number): Request {
    const leases = [...this.#leases.keys()];
    if (leases.length === 0 || lot === 90)
      return { kind: "grant", lease: BigInt(++this.#names), ttlSeconds: TTL_SECONDS };
    const lease = this.#random.pick(leases);
    if (lot < 94) return { kind: "renew", lease };
    if (lot === 94) return { kind: "revoke", lease };
    return put(this.#key(), this.#value(), { lease });
  }

  // ---- what is done

  #execute(request: Request): Answer {
    const refusal = this.#refusal(request);
    if (refusal !== undefined) return { kind: "refused", why: refusal };
    switch (request.kind) {
      case "compact":
        this.#compacted = request.revision;
        return this.#done({ kind: "compact" });
      case "grant":
        this.#leases.set(request.lease, this.#nowMs + request.ttlSeconds * 1000 + this.#slack());
        return this.#done({ kind: "grant", ttlSeconds: request.ttlSeconds });
      case "renew": {
        const isThere = this.#leases.has(request.lease);
        if (isThere) this.#leases.set(request.lease, this.#nowMs + TTL_SECONDS * 1000 + this.#slack());
        return this.#done({ kind: "renew", ttlSeconds: isThere ? TTL_SECONDS : 0 });
      }
      case "revoke":
        this.#endLease(request.lease, 0);
        return this.#done({ kind: "revoke" });
      case "range":
        return this.#read(request);
      default: {
        const revision = this.#state.revision + 1;
        const at = (earlier: number) => this.#state.at(earlier);
        const outcome = evaluate(request, { view: this.#state, revision, at });
        if (outcome.kind === "refused") return outcome;
        if (outcome.changes.length > 0) this.#commit(outcome.changes);
        return this.#done(outcome.result);
      }
    }
  }

  #read(request: Range): Answer {
    const lag = request.serializable ? this.#random.below(4) : 0;
    const present = Math.max(1, this.#state.revision - lag);
    const view = this.#state.at(request.revision > 0 ? request.revision : present);
    const outcome = evaluate({ ...request, revision: 0 }, { view, revision: 0 });
    if (outcome.kind === "refused") return outcome;
    return { kind: "done", revision: present, result: outcome.result };
  }

  #refusal(request: Request): Extract<Answer, { kind: "refused" }>["why"] | undefined {
    if (request.kind === "compact" && request.revision <= this.#compacted) return "compacted";
    if (request.kind === "compact" && request.revision > this.#state.revision) return "future revision";
    if (request.kind === "range" && request.revision > this.#state.revision) return "future revision";
    if (request.kind === "range" && request.revision > 0 && request.revision < this.#compacted) return "compacted";
    if (request.kind === "put" && request.lease !== 0n && !this.#leases.has(request.lease)) return "lease not found";
    if (request.kind === "revoke" && !this.#leases.has(request.lease)) return "lease not found";
    if (request.kind !== "txn") return undefined;
    return [...request.success, ...request.failure].map((one) => this.#refusal(one)).find((why) => why !== undefined);
  }

  #endLease(lease: bigint, revokedBy: number | undefined): void {
    const keys = this.#state.keysOf(lease);
    const revision = this.#state.revision + 1;
    if (revokedBy === undefined) this.#nowMs = Math.max(this.#nowMs, this.#leases.get(lease) ?? 0);
    this.#leases.delete(lease);
    if (keys.length === 0) return;
    this.#commit(keys.map((key) => ({ kind: "delete", key, revision })));
    this.#leaseEnds.push({ revision, lease, revokedBy, atMs: this.#nowMs });
  }

  #slack(): number {
    return this.#random.below(LEASE_SLACK_MS);
  }

  #commit(changes: readonly Change[]): void {
    const revision = this.#state.revision + 1;
    this.#changes.set(revision, changes);
    this.#state.apply(revision, changes);
  }

  #done(result: Result): Answer {
    return { kind: "done", revision: this.#state.revision, result };
  }
}

/** Copies of a history's operations with one exchanged. */
export function replaced(operations: readonly Operation[], id: number, change: Partial<Operation>): Operation[] {
  return operations.map((one) => (one.id === id ? { ...one, ...change } : one));
}

/** The operation with another result. */
export function answering(operation: Operation, result: Result, revision?: number): Partial<Operation> {
  const { answer } = operation;
  if (answer?.kind !== "done") throw new Error(`operation #${operation.id} has no answer that could be changed`);
  return { answer: { kind: "done", revision: revision ?? answer.revision, result } };
}

/** The only key of a range's result. */
export function onlyKv({ answer }: Operation): Kv | undefined {
  return answer?.kind === "done" && answer.result.kind === "range" ? answer.result.kvs[0] : undefined;
}
