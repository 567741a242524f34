/**
 * Ids of requests in the log: 16 bits of the member's id, 40 bits of milliseconds since 1970, an 8-bit counter, as etcd
 * makes them. Two members never make the same one, nor one member before and after a restart.
 */
export class RequestIds {
  readonly #prefix: bigint;
  #suffix: number;

  constructor(memberId: bigint, wallMs: number) {
    this.#prefix = (memberId & 0xffffn) << 48n;
    this.#suffix = (wallMs % 2 ** 40) * 256;
  }

  next(): bigint {
    this.#suffix = (this.#suffix + 1) % 2 ** 48;
    return this.#prefix | BigInt(this.#suffix);
  }
}
