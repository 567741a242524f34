/**
 * A map in 256 parts. One map of a million entries stops everything for a tenth of a second whenever it grows; a part
 * stops it for less than a millisecond. In no order.
 */
import type { ByteString } from "./bytes.ts";

const SHARDS = 256;

export class ShardedMap<K, V> {
  readonly #shardOf: (key: K) => number;
  readonly #shards: Map<K, V>[] = Array.from({ length: SHARDS }, () => new Map<K, V>());
  #size = 0;

  /** `shardOf`: a number from 0 to 255 that spreads the keys. */
  constructor(shardOf: (key: K) => number) {
    this.#shardOf = shardOf;
  }

  get size(): number {
    return this.#size;
  }

  get(key: K): V | undefined {
    return this.#shard(key).get(key);
  }

  has(key: K): boolean {
    return this.#shard(key).has(key);
  }

  set(key: K, value: V): void {
    const shard = this.#shard(key);
    const before = shard.size;
    shard.set(key, value);
    this.#size += shard.size - before;
  }

  /** Whether it was there. */
  delete(key: K): boolean {
    const was = this.#shard(key).delete(key);
    if (was) this.#size--;
    return was;
  }

  /** At once, however much there was: what was in it goes to the collector. */
  clear(): void {
    for (let at = 0; at < SHARDS; at++) this.#shards[at] = new Map<K, V>();
    this.#size = 0;
  }

  /** May go on while entries come and go: those that stay are met once, new ones maybe. */
  *values(): Generator<V, void, void> {
    for (const shard of this.#shards) yield* shard.values();
  }

  /** The same with the keys. */
  *entries(): Generator<[K, V], void, void> {
    for (const shard of this.#shards) yield* shard.entries();
  }

  #shard(key: K): Map<K, V> {
    return this.#shards[this.#shardOf(key)] as Map<K, V>;
  }
}

/** Clients choose ids in rows, or by chance: an odd factor spreads both. */
export function shardOfId(id: bigint): number {
  const low = Number(BigInt.asUintN(32, id));
  const high = Number(BigInt.asIntN(32, id >> 32n));
  return Math.imul(low ^ high, 0x9e37_79b1) >>> 24;
}

/** Keys differ most at their ends. */
export function shardOfKey(key: ByteString): number {
  let hash = key.length;
  for (let at = Math.max(0, key.length - 8); at < key.length; at++)
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x0100_0193);
  return Math.imul(hash, 0x9e37_79b1) >>> 24;
}
