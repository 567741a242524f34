/**
 * No key may be written twice by one branch of a transaction: two puts of a key, or a put of a key that a delete of the
 * branch covers. Deletes may overlap each other. The rule sees into nested transactions as etcd's does, with its gaps:
 *
 * - the two branches of a nested transaction exclude each other, so both may put the same key;
 * - nested transactions are visited in order, before the branch's own puts; each one's puts are held against the deletes
 *   of this level and against puts and deletes of those visited before. A put of an earlier one under a delete of a
 *   later one is not seen;
 * - a delete to the end of all keys ("\0") covers nothing here, nor does one whose end lies before its key.
 *
 *   success: [ txn A, delete [a,c), txn B, put k ]
 *     1. deletes of this level             [a,c)
 *     2. A's puts against those and none, B's puts against those and A's; their deletes join
 *     3. put k against everything
 */
import { type ByteString, toByteString } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { SortedMap } from "../base/sorted-map.ts";
import type { RequestOp } from "../proto/etcdserverpb.ts";

/** What a branch writes; whoever is given it may go on with it as its own. */
interface Writes {
  readonly puts: Set<ByteString>;
  readonly deletes: Intervals | undefined;
}

/** Throws DuplicateKey. */
export function checkOverlaps(operations: readonly RequestOp[]): void {
  // Most branches are one plain operation: nothing can be written twice.
  if (operations.length === 1 && operations[0]?.request?.kind !== "txn") return;
  collect(operations);
}

function collect(operations: readonly RequestOp[]): Writes {
  if (operations.length === 0) return { puts: new Set(), deletes: undefined };
  let deletes: Intervals | undefined;
  for (const { request } of operations) {
    if (request?.kind !== "deleteRange") continue;
    deletes ??= new Intervals();
    deletes.addRange(toByteString(request.value.key), toByteString(request.value.rangeEnd));
  }
  let puts = new Set<ByteString>();
  for (const { request } of operations) {
    if (request?.kind !== "txn") continue;
    const success = collect(request.value.success);
    const failure = collect(request.value.failure);
    // The first is taken over as it is: a chain of transactions would else copy its puts at every level.
    if (puts.size === 0 && deletes === undefined) puts = success.puts;
    else for (const key of success.puts) add(puts, deletes, key);
    for (const key of failure.puts) if (!success.puts.has(key)) add(puts, deletes, key);
    for (const inner of [success.deletes, failure.deletes]) {
      if (inner === undefined) continue;
      if (deletes === undefined) deletes = inner;
      else deletes.addAll(inner);
    }
  }
  for (const { request } of operations) {
    if (request?.kind === "put") add(puts, deletes, toByteString(request.value.key));
  }
  return { puts, deletes };
}

function add(puts: Set<ByteString>, deletes: Intervals | undefined, key: ByteString): void {
  if (puts.has(key) || deletes?.covers(key)) throw new EtcdError("DuplicateKey");
  puts.add(key);
}

/** Ranges of keys, joined where they overlap: what is asked is only whether any of them covers a key. */
class Intervals {
  /** By their ends, exclusive; the values are where they begin. */
  readonly #byEnd = new SortedMap<ByteString, ByteString>();

  /** A range as a delete gives it: an empty end means the one key. */
  addRange(key: ByteString, rangeEnd: ByteString): void {
    this.#add(key, rangeEnd === "" ? `${key}\0` : rangeEnd);
  }

  addAll(others: Intervals): void {
    for (const [end, begin] of others.#byEnd.entries()) this.#add(begin, end);
  }

  covers(key: ByteString): boolean {
    const next = this.#byEnd.nextAbove(key);
    return next !== undefined && next[1] <= key;
  }

  #add(begin: ByteString, end: ByteString): void {
    if (end <= begin) return;
    let from = begin;
    let to = end;
    for (let next = this.#byEnd.nextAbove(from); next !== undefined; next = this.#byEnd.nextAbove(from)) {
      const [nextEnd, nextBegin] = next;
      if (nextBegin > to) break;
      this.#byEnd.delete(nextEnd);
      if (nextBegin < from) from = nextBegin;
      if (nextEnd > to) to = nextEnd;
    }
    this.#byEnd.set(to, from);
  }
}
