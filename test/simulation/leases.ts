/** Leases of a simulated cluster, as its clients know them: which to renew, to hang keys on, to revoke. */
import type { Prng } from "../../server/base/prng.ts";

export interface KnownLease {
  readonly id: bigint;
  readonly ttlSeconds: number;
}

/** That a client chooses from: the newest, also when they have ended meanwhile, which clients may not know. */
const LEASES = 8;

export class KnownLeases {
  #newest: KnownLease[] = [];
  #count = 0;

  /** An id that no lease of this world has had. */
  nextId(random: Prng): bigint {
    return BigInt(random.uint32()) * 2n ** 20n + BigInt(++this.#count);
  }

  add(lease: KnownLease): void {
    this.#newest = [...this.#newest, lease].slice(-LEASES);
  }

  pick(random: Prng): KnownLease | undefined {
    return this.#newest.length === 0 ? undefined : random.pick(this.#newest);
  }
}

/** A key that hangs on the lease from its first put on, though others may put it without. */
export function keyOf({ id }: KnownLease): string {
  return `lease/${id}`;
}
