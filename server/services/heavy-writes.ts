/**
 * Turns for transactions of many operations, so that one client's cost another client little. An entry is applied as a
 * whole, and what comes after it in the log waits: a hundred thousand puts in flight in a hundred transactions would
 * hold up a single small put as long as all of them take.
 *
 *   a light one    (up to LIGHT_OPERATIONS) goes into the log at once
 *   heavy ones     go as long as those under way have no more than UNDER_WAY_OPERATIONS together, and one always may
 *   the others     wait outside the log; connections take turns, and what one connection sends keeps its order
 *
 * What waits is bounded by its bytes; beyond that it is refused, as what is in the log is.
 */
import { EtcdError } from "../base/error.ts";
import type { RequestOp, TxnRequest } from "../proto/etcdserverpb.ts";
import type { Call } from "./call.ts";

/** What Kubernetes and most clients ever ask for is far below. */
export const LIGHT_OPERATIONS = 32;
/** About as many as are applied in ten milliseconds. */
export const UNDER_WAY_OPERATIONS = 1024;
/** Keys and values of all transactions that wait. */
export const WAITING_MAX_BYTES = 64 * 1024 * 1024;
/** What an operation takes in memory beside its key and value, about. */
const OPERATION_BYTES = 256;

/** What a write knows of its caller. */
export type Writer = Pick<Call, "remoteAddress" | "canceled">;

interface Waiting {
  readonly writer: Writer;
  readonly size: Size;
  readonly begin: () => void;
  readonly refuse: (refusal: EtcdError) => void;
}

/** How large a transaction is. */
export interface Size {
  /** Each operation counts once for every transaction that it stands in: every level is walked for it. */
  operations: number;
  bytes: number;
}

export class HeavyWrites {
  /** Of each connection that has any, in the order of their turns. */
  readonly #lanes = new Map<string, Waiting[]>();
  #underWay = 0;
  #waitingBytes = 0;

  /** Transactions that wait for their turn. */
  get waiting(): number {
    let count = 0;
    for (const lane of this.#lanes.values()) count += lane.length;
    return count;
  }

  /** Calls `write` when it is the turn of `request`: at once if it is light. Rejects with its refusal, or as `write` does. */
  run<T>(writer: Writer, request: TxnRequest, write: () => Promise<T>): Promise<T> {
    const size = sizeOf(request);
    if (size.operations <= LIGHT_OPERATIONS) return write();
    if (this.#lanes.size === 0 && this.#mayBegin(size)) return this.#begun(size, write);
    if (this.#waitingBytes + size.bytes > WAITING_MAX_BYTES) throw new EtcdError("TooManyRequests");
    return new Promise<T>((resolve, reject) => {
      const begin = () => void this.#begun(size, write).then(resolve, reject);
      this.#wait({ writer, size, begin, refuse: reject });
    });
  }

  #mayBegin({ operations }: Size): boolean {
    return this.#underWay === 0 || this.#underWay + operations <= UNDER_WAY_OPERATIONS;
  }

  async #begun<T>({ operations }: Size, write: () => Promise<T>): Promise<T> {
    this.#underWay += operations;
    try {
      return await write();
    } finally {
      this.#underWay -= operations;
      this.#next();
    }
  }

  #wait(waiting: Waiting): void {
    this.#waitingBytes += waiting.size.bytes;
    const lane = this.#lanes.get(waiting.writer.remoteAddress);
    if (lane === undefined) this.#lanes.set(waiting.writer.remoteAddress, [waiting]);
    else lane.push(waiting);
  }

  /** Begins those whose turn it is. Of a caller that has gone nothing is written. */
  #next(): void {
    for (;;) {
      const [first] = this.#lanes;
      if (first === undefined) return;
      const [connection, lane] = first;
      const waiting = lane[0] as Waiting;
      if (!waiting.writer.canceled && !this.#mayBegin(waiting.size)) return;
      lane.shift();
      this.#waitingBytes -= waiting.size.bytes;
      this.#lanes.delete(connection);
      if (lane.length > 0) this.#lanes.set(connection, lane); // at the end: the others have their turn
      if (waiting.writer.canceled)
        waiting.refuse(new EtcdError("Canceled")); // nobody hears it
      else waiting.begin();
    }
  }
}

/** Whether it is seen at a glance that it needs no turn: few operations, and none of them a transaction. */
export function isLight({ compare, success, failure }: TxnRequest): boolean {
  if (compare.length + success.length + failure.length > LIGHT_OPERATIONS) return false;
  return success.every(isPlain) && failure.every(isPlain);
}

function isPlain({ request }: RequestOp): boolean {
  return request?.kind !== "txn";
}

/** Both branches count: both are read, checked and written to the log. */
export function sizeOf(txn: TxnRequest): Size {
  const size: Size = { operations: 0, bytes: 0 };
  addTxn(size, txn, 1);
  return size;
}

/** `depth`: in how many transactions its operations stand. Bounded where transactions are checked. */
function addTxn(size: Size, { compare, success, failure }: TxnRequest, depth: number): void {
  size.operations += depth * (compare.length + success.length + failure.length);
  size.bytes += OPERATION_BYTES * (compare.length + success.length + failure.length);
  for (const operation of success) addOperation(size, operation, depth);
  for (const operation of failure) addOperation(size, operation, depth);
}

function addOperation(size: Size, { request }: RequestOp, depth: number): void {
  if (request?.kind === "put") size.bytes += request.value.key.length + request.value.value.length;
  else if (request?.kind === "txn") addTxn(size, request.value, depth + 1);
}
