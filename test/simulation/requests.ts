/** What clients of a simulated cluster write and read: requests by chance, in etcd's messages. */
import { fromByteString, utf8Bytes } from "../../server/base/bytes.ts";
import type { Prng } from "../../server/base/prng.ts";
import {
  Compare,
  CompareResult,
  CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  type RequestOpUnion,
  TxnRequest,
} from "../../server/proto/etcdserverpb.ts";
import type { Agreed } from "./agreed.ts";
import { type KnownLeases, keyOf } from "./leases.ts";

/** Keys from `from` on, below `to`; the one key `from` when `to` is undefined. */
export interface Span {
  readonly from: string;
  readonly to?: string;
}

const KEYS = 6;
/** All keys that clients write by themselves; leases, lists and registers have others. */
export const ALL: Span = { from: "key ", to: "key!" };
/** So many calls are made of one register, then of the next: short histories that share no key. */
const CALLS_OF_A_REGISTER = 36;
/** Reads of the past go back so far. */
const PAST_REVISIONS = 60;
const ONE_KEY = new Uint8Array(0);

export interface Sources {
  readonly agreed: Agreed;
  readonly leases: KnownLeases;
  /** A value that nobody has written. */
  nextValue(): string;
}

export class Requests {
  readonly #sources: Sources;
  readonly #random: Prng;

  constructor(sources: Sources, random: Prng) {
    this.#sources = sources;
    this.#random = random;
  }

  key(): string {
    return `key ${this.#random.below(KEYS)}`;
  }

  /** Now and then the value or the lease stays as it is, if there is the key. */
  put(): RequestOpUnion {
    const key = this.key();
    if (this.#random.chance(0.94)) return this.#putOf(key);
    const request = this.#random.chance(0.5)
      ? PutRequest.create({ key: utf8Bytes(key), ignoreValue: true, prevKv: true })
      : PutRequest.create({ key: utf8Bytes(key), value: this.#value(), ignoreLease: true });
    return { kind: "put", value: request };
  }

  /** A key of the lease's own, or any; or the lease's own without the lease. */
  putOnLease(): RequestOpUnion | undefined {
    const lease = this.#sources.leases.pick(this.#random);
    if (lease === undefined) return undefined;
    const key = this.#random.chance(0.6) ? keyOf(lease) : this.key();
    return this.#putOf(key, this.#random.chance(0.15) ? 0n : lease.id);
  }

  read(span: Span, more: Partial<Parameters<typeof RangeRequest.create>[0]> = {}): RequestOpUnion {
    return { kind: "range", value: RangeRequest.create({ ...rangeOf(span), ...more }) };
  }

  readAll(): RequestOpUnion {
    if (this.#random.chance(0.2)) return this.read(ALL, { countOnly: true });
    return this.read(ALL, this.#random.chance(0.3) ? { limit: 1 + this.#random.below(3) } : {});
  }

  /** Undefined: there is no past yet. */
  readPast(newest: number): RequestOpUnion | undefined {
    if (newest < 3) return undefined;
    return this.read(this.#random.chance(0.5) ? ALL : { from: this.key() }, { revision: this.#past(newest) });
  }

  delete(span: Span): RequestOpUnion {
    return { kind: "deleteRange", value: DeleteRangeRequest.create({ ...rangeOf(span), prevKv: true }) };
  }

  /**
   * If some keys are as they were a moment ago, or are not there, some are written, deleted and read; else all are read,
   * or another transaction is made. `newest`: a revision that is there.
   */
  txn(newest: number): RequestOpUnion {
    return { kind: "txn", value: this.#txnOf(newest, 1) };
  }

  /** Puts, reads, deletions and exchanges of one key that has a short life. `calls`: of all registers until now. */
  register(calls: number): RequestOpUnion {
    const key = `register ${Math.floor(calls / CALLS_OF_A_REGISTER)}`;
    const lot = this.#random.below(100);
    if (lot < 30) return this.#putOf(key);
    if (lot < 65) return this.read({ from: key });
    if (lot < 73) return this.delete({ from: key });
    const known = this.#sources.agreed.versionAt(key, this.#sources.agreed.revision - this.#random.below(2));
    const compare = Compare.create({
      key: utf8Bytes(key),
      result: CompareResult.EQUAL,
      target: CompareTarget.VALUE,
      targetUnion: { kind: "value", value: fromByteString(known?.value ?? "") },
    });
    const success = [opOf(this.#putOf(key))];
    return {
      kind: "txn",
      value: TxnRequest.create({ compare: [compare], success, failure: [opOf(this.read({ from: key }))] }),
    };
  }

  #txnOf(newest: number, depth: number): TxnRequest {
    const compare = Array.from({ length: 1 + this.#random.below(2) }, () => this.#compare());
    const keys = new Set(Array.from({ length: this.#random.below(4) }, () => this.key()));
    const success = [...keys].map((key) => (this.#random.chance(0.15) ? this.delete({ from: key }) : this.#putOf(key)));
    // What a transaction reads behind its own writes, and of the past.
    if (this.#random.chance(0.4)) success.push(this.read(ALL));
    if (newest >= 3 && this.#random.chance(0.15)) success.unshift(this.read(ALL, { revision: this.#past(newest) }));
    const isNested = depth > 0 && this.#random.chance(0.2);
    const failure: RequestOpUnion = isNested ? { kind: "txn", value: this.#txnOf(newest, depth - 1) } : this.read(ALL);
    return TxnRequest.create({ compare, success: success.map(opOf), failure: [opOf(failure)] });
  }

  #compare(): Compare {
    const { agreed } = this.#sources;
    const name = this.key();
    const key = utf8Bytes(name);
    const known = agreed.versionAt(name, agreed.revision - this.#random.below(3));
    const result = CompareResult.EQUAL;
    const lot = this.#random.below(10);
    if (known === undefined || lot < 5)
      return Compare.create({
        key,
        result,
        target: CompareTarget.MOD,
        targetUnion: { kind: "modRevision", value: known?.modRevision ?? 0 },
      });
    if (lot < 8)
      return Compare.create({
        key,
        result,
        target: CompareTarget.VALUE,
        targetUnion: { kind: "value", value: fromByteString(known.value) },
      });
    if (lot < 9)
      return Compare.create({
        key,
        result: CompareResult.GREATER,
        target: CompareTarget.VERSION,
        targetUnion: { kind: "version", value: known.version - 1 },
      });
    return Compare.create({
      key,
      result: CompareResult.NOT_EQUAL,
      target: CompareTarget.LEASE,
      targetUnion: { kind: "lease", value: 0n },
    });
  }

  #putOf(key: string, lease = 0n): RequestOpUnion {
    return {
      kind: "put",
      value: PutRequest.create({ key: utf8Bytes(key), value: this.#value(), lease, prevKv: true }),
    };
  }

  #value(): Uint8Array {
    return utf8Bytes(this.#sources.nextValue());
  }

  #past(newest: number): number {
    return newest - this.#random.below(Math.min(newest - 1, PAST_REVISIONS));
  }
}

/** Whether a call is one of the short histories. */
export function isRegister(key: string): boolean {
  return key.startsWith("register ");
}

function rangeOf({ from, to }: Span): { key: Uint8Array; rangeEnd: Uint8Array } {
  return { key: utf8Bytes(from), rangeEnd: to === undefined ? ONE_KEY : utf8Bytes(to) };
}

function opOf(request: RequestOpUnion): RequestOp {
  return RequestOp.create({ request });
}
