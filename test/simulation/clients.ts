/** Clients of a simulated cluster: each makes one call after the other, to whichever member, and remembers what it was told. */
import { printableBytes, utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { EtcdError } from "../../server/base/error.ts";
import type { Prng } from "../../server/base/prng.ts";
import type { Member } from "../../server/member/member.ts";
import {
  CompactionRequest,
  Compare,
  CompareResult,
  CompareTarget,
  DeleteRangeRequest,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../server/proto/etcdserverpb.ts";
import { KeyValue } from "../../server/proto/mvccpb.ts";
import type { Agreed } from "./agreed.ts";
import type { Answers, Condition, Shown, Span, Told, Wanted } from "./answers.ts";
import type { KnownLease, KnownLeases } from "./leases.ts";
import type { Place } from "./place.ts";
import type { CallKind } from "./swarm.ts";

export interface ClientHost {
  readonly agreed: Agreed;
  readonly answers: Answers;
  readonly leases: KnownLeases;
  readonly isOver: boolean;
  readonly nowMs: number;
  /** Reads take whatever is there for the newest: a planted mistake. */
  readonly readsStale: boolean;
  /** A write that is not answered at once is sent again: a planted mistake. */
  readonly repeatsWrites: boolean;
  /** A member that can be called. */
  place(random: Prng): Place | undefined;
  rest(ms: number): Promise<void>;
  nextValue(): string;
  count(kind: CallKind): void;
  point(name: string): void;
  say(who: string, what: string): void;
  fail(error: unknown): void;
}

const KEYS = 6;
/** That a client chooses from. */
const LEASES = 8;
const REST_MS = 12;
/** A client goes on with something else when it hears nothing; what it hears later counts. */
const PATIENCE_MS = 1500;
/** All keys that clients write without a lease. */
const ALL: Span = { from: "key ", to: "key!" };
const ONE_KEY = new Uint8Array(0);

/** A call under way: what it writes or asks, in words, and what it comes to. */
interface Started {
  readonly what: string;
  readonly answer: Promise<{ readonly revision: number; readonly told: Told } | string>;
}

export class Client {
  readonly #name: string;
  readonly #host: ClientHost;
  readonly #random: Prng;
  readonly #lots: readonly CallKind[];

  /** `calls`: weights. */
  constructor(name: string, host: ClientHost, random: Prng, calls: ReadonlyMap<CallKind, number>) {
    this.#name = name;
    this.#host = host;
    this.#random = random;
    this.#lots = [...calls]
      .filter(([kind]) => kind !== "watch")
      .flatMap(([kind, weight]) => new Array<CallKind>(weight).fill(kind));
  }

  /** Until the storm is over. */
  async run(): Promise<void> {
    while (!this.#host.isOver) {
      const kind = this.#random.pick(this.#lots);
      const place = this.#host.place(this.#random);
      // A call to a process that dies is never answered.
      if (place !== undefined) await Promise.race([this.#call(kind, place), this.#host.rest(PATIENCE_MS)]);
      await this.#host.rest(this.#random.below(2 * REST_MS));
    }
  }

  async #call(kind: CallKind, place: Place): Promise<void> {
    const host = this.#host;
    const { clock } = place;
    const beganMs = host.nowMs;
    await place.turn();
    if (place.member === undefined) return;
    let what: string = kind;
    try {
      const started = this.#start(kind, place.member, beganMs);
      if (started === undefined) return;
      what = started.what;
      const answer = await started.answer;
      if (!clock.isAlive) return;
      host.count(kind);
      if (typeof answer === "string") host.say(this.#name, `${what} through ${place.name}: ${answer}`);
      else {
        host.answers.all.push({ client: this.#name, ...answer, beganMs, endedMs: host.nowMs });
        host.say(this.#name, `${what} through ${place.name}: ${wordsOf(answer.told)} at revision ${answer.revision}`);
      }
    } catch (error) {
      if (!clock.isAlive) return;
      if (!(error instanceof EtcdError)) host.fail(error);
      else {
        host.point(`refused: ${error.code}`);
        host.say(this.#name, `${what} through ${place.name}: ${error.code}`);
      }
    }
  }

  /** Undefined: there is nothing to do that with. */
  #start(kind: CallKind, member: Member, beganMs: number): Started | undefined {
    const key = `key ${this.#random.below(KEYS)}`;
    switch (kind) {
      case "put":
        return this.#put(member, { key, value: this.#host.nextValue() });
      case "read":
        return this.#read(member, { from: key }, {});
      case "readAll":
        return this.#read(member, ALL, {});
      case "readStale":
        return this.#read(member, ALL, { isStale: true });
      case "readPast":
        return this.#readPast(member, { from: key });
      case "txn":
        return this.#txn(member);
      case "delete":
        return this.#delete(member, { from: key });
      case "deleteAll":
        return this.#delete(member, ALL);
      case "compact":
        return this.#compact(member);
      case "leaseGrant":
        return this.#grant(member, beganMs);
      case "leaseAttach":
        return this.#attach(member);
      case "leaseRenew":
        return this.#renew(member, beganMs);
      case "leaseRevoke":
        return this.#revoke(member, beganMs);
      case "watch":
        return undefined; // watchers are clients of their own
    }
  }

  #put(member: Member, wanted: Wanted): Started {
    const { key, value = "", lease = 0n } = wanted;
    const request = PutRequest.create({ key: utf8Bytes(key), value: utf8Bytes(value), lease, prevKv: true });
    if (this.#host.repeatsWrites && this.#random.chance(0.02)) member.put(request).catch(() => undefined);
    const answer = member.put(request).then(({ header, prevKv }) => {
      const previous = prevKv === undefined ? undefined : shown(KeyValue.decode(prevKv));
      return { revision: header?.revision ?? 0, told: { kind: "put", wanted, previous } as const };
    });
    return { what: `put "${key}" = ${value}`, answer };
  }

  #read(member: Member, span: Span, how: { readonly isStale?: boolean; readonly atRevision?: number }): Started {
    const { isStale = false, atRevision } = how;
    const request = RangeRequest.create({
      ...rangeOf(span),
      serializable: isStale || this.#host.readsStale,
      revision: atRevision ?? 0,
    });
    const answer = Promise.resolve(member.range(request)).then(({ header, kvs }) => ({
      revision: header?.revision ?? 0,
      told: { kind: "read", span, shown: kvs.map((kv) => shown(KeyValue.decode(kv))), ...how } as const,
    }));
    return {
      what: `${isStale ? "stale " : ""}read ${wordsOfSpan(span)}${atRevision === undefined ? "" : ` at ${atRevision}`}`,
      answer,
    };
  }

  #readPast(member: Member, span: Span): Started | undefined {
    const newest = member.store.currentRevision;
    if (newest < 3) return undefined;
    const atRevision = newest - this.#random.below(Math.min(newest - 1, 60));
    const { what, answer } = this.#read(member, span, { atRevision });
    const refused = (error: unknown) => {
      if (!(error instanceof EtcdError) || error.code !== "Compacted") throw error;
      return { revision: 0, told: { kind: "compacted", atRevision } as const };
    };
    return { what, answer: answer.catch(refused) };
  }

  /** If a key is as it was a moment ago, or is not there, some are written and one is deleted; else all are read. */
  #txn(member: Member): Started {
    const conditions = Array.from({ length: 1 + this.#random.below(2) }, () => this.#condition());
    const keys = new Set(Array.from({ length: this.#random.below(4) }, () => `key ${this.#random.below(KEYS)}`));
    const wanted = [...keys].map((key): Wanted => ({ key, value: this.#host.nextValue() }));
    const span = ALL;
    const request = TxnRequest.create({
      compare: conditions.map(compareOf),
      success: wanted.map(({ key, value = "" }) =>
        RequestOp.create({
          request: { kind: "put", value: PutRequest.create({ key: utf8Bytes(key), value: utf8Bytes(value) }) },
        }),
      ),
      failure: [RequestOp.create({ request: { kind: "range", value: RangeRequest.create(rangeOf(span)) } })],
    });
    const answer = member.txn(request).then(({ header, succeeded, responses }) => {
      const read = succeeded ? undefined : responses[0]?.response;
      const kvs = read?.kind === "range" ? read.value.kvs : [];
      const seen = kvs.map((kv) => shown(KeyValue.decode(kv)));
      // Nothing was written, and so nothing is said of what is there.
      const told: Told =
        succeeded && wanted.length === 0
          ? { kind: "txn", conditions, held: true, wanted, span: NOTHING, shown: [] }
          : { kind: "txn", conditions, held: succeeded, wanted, span, shown: seen };
      return { revision: header?.revision ?? 0, told };
    });
    return { what: `txn of ${[...keys].map((key) => `"${key}"`).join(", ") || "nothing"}`, answer };
  }

  #condition(): Condition {
    const key = `key ${this.#random.below(KEYS)}`;
    const known = this.#host.agreed.versionAt(key, this.#host.agreed.revision - this.#random.below(3));
    if (known === undefined || this.#random.chance(0.5))
      return { target: "modRevision", key, revision: known?.modRevision ?? 0 };
    return { target: "value", key, value: known.value };
  }

  #delete(member: Member, span: Span): Started {
    const request = DeleteRangeRequest.create({ ...rangeOf(span), prevKv: true });
    const answer = member.deleteRange(request).then(({ header, deleted, prevKvs }) => ({
      revision: header?.revision ?? 0,
      told: { kind: "delete", span, deleted, previous: prevKvs.map((kv) => shown(KeyValue.decode(kv))) } as const,
    }));
    return { what: `delete ${wordsOfSpan(span)}`, answer };
  }

  #compact(member: Member): Started | undefined {
    const newest = member.store.currentRevision;
    if (newest < 10) return undefined;
    const revision = newest - (this.#random.chance(0.2) ? 0 : this.#random.below(Math.min(50, newest - 1)));
    this.#host.answers.compactedMax = Math.max(this.#host.answers.compactedMax, revision);
    const answer = member.compact(CompactionRequest.create({ revision })).then(() => "done");
    return { what: `compact ${revision}`, answer };
  }

  #grant(member: Member, beganMs: number): Started {
    const ttl = 2 + this.#random.below(4);
    const answer = member.leaseGrant(LeaseGrantRequest.create({ ttl })).then((granted) => {
      this.#host.leases.add(granted.id, granted.ttl, beganMs);
      return `lease ${granted.id} of ${granted.ttl} s`;
    });
    return { what: `grant ${ttl} s`, answer };
  }

  #attach(member: Member): Started | undefined {
    const lease = this.#lease();
    if (lease === undefined) return undefined;
    return this.#put(member, { key: lease.key, value: this.#host.nextValue(), lease: lease.id });
  }

  #renew(member: Member, beganMs: number): Started | undefined {
    const lease = this.#lease();
    if (lease === undefined) return undefined;
    const { leases } = this.#host;
    const answer = member.leaseRenew(lease.id).then((ttl) => {
      leases.renewed(lease, beganMs, this.#host.nowMs);
      this.#host.point("lease renewed");
      return `${ttl} s`;
    });
    return { what: `renew lease ${lease.id}`, answer };
  }

  #revoke(member: Member, beganMs: number): Started | undefined {
    const lease = this.#lease();
    if (lease === undefined) return undefined;
    lease.revokeMs = Math.min(lease.revokeMs, beganMs);
    const answer = member.leaseRevoke(LeaseRevokeRequest.create({ id: lease.id })).then(() => "done");
    return { what: `revoke lease ${lease.id}`, answer };
  }

  #lease(): KnownLease | undefined {
    const leases = this.#host.leases.newest(LEASES);
    return leases.length === 0 ? undefined : this.#random.pick(leases);
  }
}

/** No key at all lies in it. */
const NOTHING: Span = { from: "nothing", to: "nothing" };

function rangeOf({ from, to }: Span): { key: Uint8Array; rangeEnd: Uint8Array } {
  return { key: utf8Bytes(from), rangeEnd: to === undefined ? ONE_KEY : utf8Bytes(to) };
}

function compareOf(condition: Condition): Compare {
  const key = utf8Bytes(condition.key);
  const result = CompareResult.EQUAL;
  return condition.target === "value"
    ? Compare.create({
        key,
        result,
        target: CompareTarget.VALUE,
        targetUnion: { kind: "value", value: utf8Bytes(condition.value) },
      })
    : Compare.create({
        key,
        result,
        target: CompareTarget.MOD,
        targetUnion: { kind: "modRevision", value: condition.revision },
      });
}

function shown({ key, value, createRevision, modRevision, version, lease }: KeyValue): Shown {
  return { key: printableBytes(key), value: utf8Text(value), createRevision, modRevision, version, lease };
}

function wordsOfSpan({ from, to }: Span): string {
  return to === undefined ? `"${from}"` : `"${from}" to "${to}"`;
}

function wordsOf(told: Told): string {
  switch (told.kind) {
    case "put":
      return "written";
    case "delete":
      return `${told.deleted} gone`;
    case "read":
      return told.shown.map(({ key, value }) => `${key} = ${value}`).join(", ") || "nothing there";
    case "txn":
      return told.held ? "its conditions held" : "its conditions did not hold";
    case "compacted":
      return "compacted";
  }
}
