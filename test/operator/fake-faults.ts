/**
 * What may go wrong with a call to the fake API server, by script and by seed:
 *
 *   fake.faults.once({ verb: "create", plural: "pods" }, { kind: "lost", isDone: true });     // done, but nobody hears
 *   const end = fake.faults.always({ verb: "list" }, { kind: "slow", ms: 20_000 });           // until end()
 *   fake.faults.byChance(new Prng(seed), { refuse: 0.05, conflict: 0.02, lost: 0.02 });       // shares of calls
 *   fake.faults.calm();                                                                       // no faults any more
 */
import type { Key, Resource } from "../../operator/runtime/kube.ts";
import type { Prng } from "../../server/base/prng.ts";

export type Verb = "get" | "list" | "watch" | "create" | "apply" | "patch" | "delete";

export interface Call {
  readonly verb: Verb;
  readonly resource: Resource;
  /** Of the object; of a list or watch the namespace alone. */
  readonly key: Partial<Key>;
  readonly subresource?: "status" | undefined;
}

export type Fault =
  /** An answer of this status; nothing is done. */
  | { readonly kind: "refuse"; readonly status: number; readonly reason?: string; readonly retryAfterMs?: number }
  /** No answer, and after `afterMs` (default 30 s) an error without a status. */
  | { readonly kind: "lost"; readonly isDone: boolean; readonly afterMs?: number }
  /** Done at once, answered late. */
  | { readonly kind: "slow"; readonly ms: number }
  /** Lists: what was true so many changes ago. */
  | { readonly kind: "stale"; readonly changes: number }
  /** Watches: the connection breaks after so many events. */
  | { readonly kind: "drop"; readonly afterEvents: number }
  /** Watches: after so many events nothing comes any more, nor an end: a half-open connection. */
  | { readonly kind: "silent"; readonly afterEvents: number }
  /** Watches: after so many events the server says 410. */
  | { readonly kind: "gone"; readonly afterEvents: number }
  /** Watches: the server ends it after so many events. */
  | { readonly kind: "end"; readonly afterEvents: number };

export interface Match {
  readonly verb?: Verb;
  readonly plural?: string;
  readonly name?: string;
  readonly subresource?: "status";
}

/** Shares of calls, 0 to 1, that meet a fault of the kind. */
export interface Chances {
  /** 429, 500, 503 or 504. */
  readonly refuse?: number;
  /** Writes: 409 Conflict. */
  readonly conflict?: number;
  /** Half of them carried out. */
  readonly lost?: number;
  /** Up to 20 s late. */
  readonly slow?: number;
  /** Lists: up to 20 changes old. */
  readonly stale?: number;
  /** Watches: dropped, silent, gone or ended after up to 10 events. */
  readonly watch?: number;
}

const REFUSALS: readonly Fault[] = [
  { kind: "refuse", status: 429, reason: "TooManyRequests", retryAfterMs: 1000 },
  { kind: "refuse", status: 500, reason: "InternalError" },
  { kind: "refuse", status: 503, reason: "ServiceUnavailable" },
  { kind: "refuse", status: 504, reason: "Timeout" },
];

const CONFLICT: Fault = { kind: "refuse", status: 409, reason: "Conflict" };

const WRITES: readonly Verb[] = ["create", "apply", "patch", "delete"];

interface Rule {
  readonly match: Match;
  readonly fault: Fault;
  readonly isOnce: boolean;
}

export class Faults {
  #rules: Rule[] = [];
  #chances: { readonly prng: Prng; readonly chances: Chances } | undefined;

  /** The next call that matches meets this fault. Faults given for the same call come one call after the other. */
  once(match: Match, fault: Fault): void {
    this.#rules.push({ match, fault, isOnce: true });
  }

  /** Every call that matches; the function that is returned ends it. */
  always(match: Match, fault: Fault): () => void {
    const rule = { match, fault, isOnce: false };
    this.#rules.push(rule);
    return () => {
      this.#rules = this.#rules.filter((other) => other !== rule);
    };
  }

  byChance(prng: Prng, chances: Chances): void {
    this.#chances = { prng, chances };
  }

  /** Ends all faults to come; what is under way goes on as it would have. */
  calm(): void {
    this.#rules = [];
    this.#chances = undefined;
  }

  /** What this call meets. */
  meet(call: Call): Fault | undefined {
    const index = this.#rules.findIndex(({ match, fault }) => isMet(match, call) && fits(fault, call.verb));
    const rule = this.#rules[index];
    if (rule === undefined) return this.#byChance(call.verb);
    if (rule.isOnce) this.#rules.splice(index, 1);
    return rule.fault;
  }

  #byChance(verb: Verb): Fault | undefined {
    if (this.#chances === undefined) return undefined;
    const { prng, chances } = this.#chances;
    if (verb === "watch") {
      if (!prng.chance(chances.watch ?? 0)) return undefined;
      return { kind: prng.pick(["drop", "silent", "gone", "end"] as const), afterEvents: prng.below(10) };
    }
    if (prng.chance(chances.refuse ?? 0)) return prng.pick(REFUSALS);
    if (WRITES.includes(verb) && verb !== "create" && prng.chance(chances.conflict ?? 0)) return CONFLICT;
    if (prng.chance(chances.lost ?? 0)) return { kind: "lost", isDone: prng.chance(0.5) };
    if (prng.chance(chances.slow ?? 0)) return { kind: "slow", ms: prng.below(20_000) };
    if (verb === "list" && prng.chance(chances.stale ?? 0)) return { kind: "stale", changes: prng.below(20) };
    return undefined;
  }
}

function isMet(match: Match, { verb, resource, key, subresource }: Call): boolean {
  if (match.verb !== undefined && match.verb !== verb) return false;
  if (match.plural !== undefined && match.plural !== resource.plural) return false;
  if (match.name !== undefined && match.name !== key.name) return false;
  return match.subresource === undefined || match.subresource === subresource;
}

/** Some faults only make sense for lists, some only for watches. */
function fits({ kind }: Fault, verb: Verb): boolean {
  if (kind === "stale") return verb === "list";
  if (kind === "drop" || kind === "silent" || kind === "gone" || kind === "end") return verb === "watch";
  return true;
}
