/** Clients of a simulated cluster: each makes one call after the other, to whichever member, and all of it is taken down. */
import { EtcdError } from "../../server/base/error.ts";
import type { Prng } from "../../server/base/prng.ts";
import type { Member } from "../../server/member/member.ts";
import type { RequestOpUnion } from "../../server/proto/etcdserverpb.ts";
import type { Request } from "../checkers/history.ts";
import { requestOf } from "../checkers/messages.ts";
import { answerWords, requestWords } from "../checkers/words.ts";
import { type Asked, askCompact, askGrant, askKv, askRenew, askRevoke, type Done, refusalIn } from "./asking.ts";
import { type ListPlan, type Lists, listRead, listTxn } from "./lists.ts";
import type { Place } from "./place.ts";
import type { Call, Recorder } from "./recorder.ts";
import { ALL, Requests, type Sources } from "./requests.ts";
import type { CallKind } from "./swarm.ts";

export interface ClientHost extends Sources {
  readonly recorder: Recorder;
  readonly lists: Lists;
  readonly isOver: boolean;
  /** Reads take whatever is there for the newest: a planted mistake. */
  readonly readsStale: boolean;
  /** Lists are appended to whether they have changed or not: a planted mistake. */
  readonly losesUpdates: boolean;
  /** A write that is not answered at once is sent again: a planted mistake. */
  readonly repeatsWrites: boolean;
  /** A member that can be called. */
  place(random: Prng): Place | undefined;
  rest(ms: number): Promise<void>;
  /** Calls of registers until now; counts one. */
  nextOfRegisters(): number;
  count(kind: CallKind): void;
  point(name: string): void;
  say(who: string, what: string): void;
  fail(error: unknown): void;
}

const REST_MS = 12;
/** A client goes on with something else when it hears nothing; what it hears later counts. */
const PATIENCE_MS = 1500;

/** What to do with a member; undefined: there is nothing to do that with. */
type Ask = (member: Member) => Asked | undefined;

export class Client {
  readonly #name: string;
  readonly #host: ClientHost;
  readonly #random: Prng;
  readonly #requests: Requests;
  readonly #lots: readonly CallKind[];

  /** `calls`: weights. */
  constructor(name: string, host: ClientHost, random: Prng, calls: ReadonlyMap<CallKind, number>) {
    this.#name = name;
    this.#host = host;
    this.#random = random;
    this.#requests = new Requests(host, random);
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
      if (place !== undefined) await Promise.race([this.#do(kind, place), this.#host.rest(PATIENCE_MS)]);
      await this.#host.rest(this.#random.below(2 * REST_MS));
    }
  }

  async #do(kind: CallKind, place: Place): Promise<void> {
    if (kind === "list") return this.#transact(place);
    const done = await this.#call(kind, place, (member) => this.#start(kind, member));
    if (done?.result.kind === "renew") this.#host.point("lease renewed");
  }

  /** Reads lists and appends to them, in two calls. */
  async #transact(place: Place): Promise<void> {
    const { lists } = this.#host;
    const plan: ListPlan = lists.plan(this.#random);
    const read = await this.#call("list", place, (member) => askKv(member, listRead(plan)));
    const request = read === undefined ? undefined : listTxn(plan, read.result, !this.#host.losesUpdates);
    if (request === undefined) return;
    const began = (call: Call) => lists.began(call, plan);
    await this.#call("list", place, (member) => askKv(member, request), began);
  }

  /** Undefined when it was not answered, or refused. `began` is told of the call once the member has it. */
  async #call(kind: CallKind, place: Place, ask: Ask, began?: (call: Call) => void): Promise<Done | undefined> {
    const { recorder } = this.#host;
    const calledMs = recorder.moment();
    await place.turn();
    const { clock, member } = place;
    const asked = member === undefined ? undefined : ask(member);
    if (asked === undefined) return undefined;
    const call = recorder.called(this.#name, calledMs, asked.request);
    began?.(call);
    const say = (what: string) =>
      this.#host.say(this.#name, `${requestWords(asked.request)} through ${place.name}: ${what}`);
    try {
      const done = await asked.answer;
      if (!clock.isAlive) return undefined;
      recorder.answered(call, done);
      this.#host.count(kind);
      if (done.result.kind === "grant") this.#granted(asked.request, done.result.ttlSeconds);
      say(answerWords(done));
      return done;
    } catch (error) {
      if (clock.isAlive) this.#refused(call, error, say);
      return undefined;
    }
  }

  #refused(call: Call, error: unknown, say: (what: string) => void): void {
    if (!(error instanceof EtcdError)) {
      this.#host.fail(error);
      return;
    }
    const why = refusalIn(error.code);
    if (why !== undefined) this.#host.recorder.answered(call, { kind: "refused", why });
    this.#host.point(`refused: ${error.code}`);
    say(error.code);
  }

  #granted(request: Request, ttlSeconds: number): void {
    if (request.kind === "grant") this.#host.leases.add({ id: request.lease, ttlSeconds });
  }

  #start(kind: CallKind, member: Member): Asked | undefined {
    const requests = this.#requests;
    switch (kind) {
      case "put":
        return this.#put(member);
      case "read":
        return this.#fresh(member, requests.read({ from: requests.key() }));
      case "readAll":
        return askKv(member, requests.readAll());
      case "readStale":
        return askKv(member, requests.read(ALL, { serializable: true }));
      case "readPast":
        return this.#kvIf(member, requests.readPast(member.store.currentRevision));
      case "txn":
        return askKv(member, requests.txn(member.store.currentRevision));
      case "delete":
        return askKv(member, requests.delete({ from: requests.key() }));
      case "deleteAll":
        return askKv(member, requests.delete(ALL));
      case "register":
        return this.#fresh(member, requests.register(this.#host.nextOfRegisters()));
      case "compact":
        return this.#compact(member);
      case "leaseGrant":
        return askGrant(member, this.#host.leases.nextId(this.#random), 2 + this.#random.below(4));
      case "leaseAttach":
        return this.#kvIf(member, requests.putOnLease());
      case "leaseRenew":
        return this.#ofLease((id) => askRenew(member, id));
      case "leaseRevoke":
        return this.#ofLease((id) => askRevoke(member, id));
      case "list":
      case "watch":
        return undefined; // lists are two calls, watchers are clients of their own
    }
  }

  #put(member: Member): Asked {
    const request = this.#requests.put();
    if (this.#host.repeatsWrites && this.#random.chance(0.02)) askKv(member, request).answer.catch(() => undefined);
    return askKv(member, request);
  }

  #fresh(member: Member, request: RequestOpUnion): Asked {
    if (!this.#host.readsStale || request.kind !== "range") return askKv(member, request);
    const value = { ...request.value, serializable: true };
    return { ...askKv(member, { kind: "range", value }), request: requestOf(request) };
  }

  #kvIf(member: Member, request: RequestOpUnion | undefined): Asked | undefined {
    return request === undefined ? undefined : askKv(member, request);
  }

  #compact(member: Member): Asked | undefined {
    const newest = member.store.currentRevision;
    if (newest < 10) return undefined;
    const back = this.#random.chance(0.2) ? 0 : this.#random.below(Math.min(50, newest - 1));
    return askCompact(member, newest - back);
  }

  #ofLease(ask: (id: bigint) => Asked): Asked | undefined {
    const lease = this.#host.leases.pick(this.#random);
    return lease === undefined ? undefined : ask(lease.id);
  }
}
