/**
 * Proposals on their way through the log, each found again by the id in its entry. A table of chains, because a Map that
 * a hundred thousand entries a second come to and go from leaves its old tables to the collector. Every proposal has a
 * deadline, so none can stay for ever.
 */
import type { Outcome } from "../apply/outcome.ts";
import { type ErrorCode, EtcdError } from "../base/error.ts";
import type { InternalRequest } from "../proto/etcdserverpb.ts";

/** What an outcome holds when the request was not refused. */
export type Response = Extract<Outcome, { ok: true }>["response"];

export interface Proposal {
  readonly id: bigint;
  readonly request: InternalRequest;
  /** The entry's data: `request` with its id, encoded. */
  readonly data: Uint8Array;
  /** Monotonic milliseconds. */
  readonly deadlineMs: number;
  readonly resolve: (response: Response) => void;
  readonly reject: (refusal: EtcdError) => void;
}

interface Link {
  readonly proposal: Proposal;
  /** In its chain. */
  next: Link | undefined;
  /** Those that were added before and after it, and still wait. */
  earlier: Link | undefined;
  later: Link | undefined;
}

/** A power of two: ids follow one another, so that up to so many proposals have a chain each. */
const CHAINS = 4096;

export class Proposals {
  readonly #chains: (Link | undefined)[] = new Array<Link | undefined>(CHAINS).fill(undefined);
  /** In the order in which they were added. */
  #oldest: Link | undefined;
  #newest: Link | undefined;
  #size = 0;
  #bytes = 0;

  get size(): number {
    return this.#size;
  }

  /** What their entries take. */
  get bytes(): number {
    return this.#bytes;
  }

  add(proposal: Proposal): void {
    const chain = chainOf(proposal.id);
    const link: Link = { proposal, next: this.#chains[chain], earlier: this.#newest, later: undefined };
    this.#chains[chain] = link;
    if (this.#newest === undefined) this.#oldest = link;
    else this.#newest.later = link;
    this.#newest = link;
    this.#size++;
    this.#bytes += proposal.data.length;
  }

  /**
   * The oldest that waits, if its data are these very bytes, as they mostly are: the log brings proposals in the order in
   * which they went in. Then nothing of the entry has to be read.
   */
  oldestOf(data: Uint8Array): Proposal | undefined {
    return this.#oldest?.proposal.data === data ? this.#oldest.proposal : undefined;
  }

  /** Undefined when nobody here waits: a replay, another member's request, one that timed out. */
  find(id: bigint): Proposal | undefined {
    let link = this.#chains[chainOf(id)];
    while (link !== undefined && link.proposal.id !== id) link = link.next;
    return link?.proposal;
  }

  /** Hands the outcome to whoever waits for `id`. */
  finish(id: bigint, outcome: Outcome): void {
    const proposal = this.#take(id);
    if (proposal === undefined) return;
    if (outcome.ok) proposal.resolve(outcome.response);
    else proposal.reject(new EtcdError(outcome.code, outcome.detail));
  }

  /** Gives up on those whose time has passed; how many. The request itself may still be applied. */
  expire(nowMs: number): number {
    return this.#fail("Timeout", nowMs);
  }

  /** Ends all with one refusal: the member stops. */
  failAll(code: ErrorCode): void {
    this.#fail(code, Number.POSITIVE_INFINITY);
  }

  #fail(code: ErrorCode, dueMs: number): number {
    if (this.#size === 0) return 0;
    const due: Proposal[] = [];
    for (let chain = 0; chain < CHAINS; chain++) {
      for (let link = this.#chains[chain]; link !== undefined; link = link.next) {
        if (link.proposal.deadlineMs <= dueMs) due.push(link.proposal);
      }
    }
    for (const { id } of due) this.#take(id)?.reject(new EtcdError(code));
    return due.length;
  }

  #take(id: bigint): Proposal | undefined {
    const chain = chainOf(id);
    let before: Link | undefined;
    let link = this.#chains[chain];
    while (link !== undefined && link.proposal.id !== id) {
      before = link;
      link = link.next;
    }
    if (link === undefined) return undefined;
    if (before === undefined) this.#chains[chain] = link.next;
    else before.next = link.next;
    this.#part(link);
    this.#size--;
    this.#bytes -= link.proposal.data.length;
    return link.proposal;
  }

  /** Takes it out of the order. It lets go of the others: one that has grown old would keep them alive when it is dead. */
  #part(link: Link): void {
    const { earlier, later } = link;
    if (earlier === undefined) this.#oldest = later;
    else earlier.later = later;
    if (later === undefined) this.#newest = earlier;
    else later.earlier = earlier;
    link.earlier = undefined;
    link.later = undefined;
  }
}

function chainOf(id: bigint): number {
  return Number(BigInt.asUintN(32, id)) % CHAINS;
}
