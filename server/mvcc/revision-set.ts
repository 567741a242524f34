/** A set of revisions, in shards: a V8 `Set` that grows past half a million entries stops the loop for 60 ms and more. */
import type { Revision } from "./revision.ts";

const SHARDS = 64;
/** Both fit one exact number up to these; beyond, a string does. */
const SUB_LIMIT = 2 ** 20;
const MAIN_LIMIT = 2 ** 33;

export class RevisionSet {
  readonly #shards: Set<number | string>[] = Array.from({ length: SHARDS }, () => new Set());

  add(revision: Revision): void {
    this.#shard(revision).add(nameOf(revision));
  }

  has(revision: Revision): boolean {
    return this.#shard(revision).has(nameOf(revision));
  }

  #shard({ main }: Revision): Set<number | string> {
    return this.#shards[main % SHARDS] as Set<number | string>;
  }
}

function nameOf({ main, sub }: Revision): number | string {
  return main < MAIN_LIMIT && sub < SUB_LIMIT ? main * SUB_LIMIT + sub : `${main}.${sub}`;
}
