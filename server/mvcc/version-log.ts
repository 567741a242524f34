/**
 * The versions of all keys but each key's newest: numbers in columns, chained from a key's newest older version back to
 * its oldest. An object or an array for each would be garbage that the collector copies twice before it is thrown away.
 *
 *   key ──► [ version 7 ] ─before─► [ 6 ] ─► [ 5 ] ─► ... ─► [ 1 ]
 *                 └───────────────jump──────────────────►┘
 *
 * `jump` goes back far enough that any version of a million is found in a few dozen steps (Myers, "An applicative
 * random-access stack", 1983). The oldest versions are taken away first, and places are used again: the memory is that
 * of the most older versions there ever were.
 */
import type { Version } from "./key-index.ts";

/** No version. */
export const NONE = 0;

const CHUNK_BITS = 10;
const CHUNK_VERSIONS = 1 << CHUNK_BITS;
/** main, created, version */
const NUMBERS = 3;
/** sub, the next older one, how many are below, where the jump goes and how many are below that */
const LINKS = 5;

interface Chunk {
  readonly numbers: Float64Array;
  readonly links: Uint32Array;
}

/** A key's chain: its newest member and how many there are. What lies below them is not the key's any more. */
export interface Chain {
  readonly newest: number;
  readonly count: number;
}

export class VersionLog {
  readonly #chunks: Chunk[] = [];
  /** Places that were never used begin here. Place 0 is `NONE`. */
  #fresh = 1;
  /** Chained by `before`. */
  #free = NONE;

  /** Puts a version before the chain; answers its place, which is the new newest. */
  add({ newest, count }: Chain, main: number, sub: number, created: number, version: number): number {
    const place = this.#take();
    const { numbers, links } = this.#chunkOf(place);
    const at = place & (CHUNK_VERSIONS - 1);
    numbers[at * NUMBERS] = main;
    numbers[at * NUMBERS + 1] = created;
    numbers[at * NUMBERS + 2] = version;
    const depth = count === 0 ? 0 : this.#depth(newest) + 1;
    const jump = count === 0 ? NONE : this.#jumpFrom(newest, depth - count);
    links[at * LINKS] = sub;
    links[at * LINKS + 1] = count === 0 ? NONE : newest;
    links[at * LINKS + 2] = depth;
    links[at * LINKS + 3] = jump;
    links[at * LINKS + 4] = jump === NONE ? 0 : this.#depth(jump);
    return place;
  }

  at(place: number): Version {
    const { numbers, links } = this.#chunkOf(place);
    const at = place & (CHUNK_VERSIONS - 1);
    return {
      main: numbers[at * NUMBERS] as number,
      sub: links[at * LINKS] as number,
      created: numbers[at * NUMBERS + 1] as number,
      version: numbers[at * NUMBERS + 2] as number,
    };
  }

  /** The newest of the chain not after main revision `revision`, or `NONE`. */
  floor(chain: Chain, revision: number): number {
    if (chain.count === 0) return NONE;
    const oldest = this.#oldestDepth(chain);
    let place = chain.newest;
    while (this.#main(place) > revision) {
      if (this.#depth(place) === oldest) return NONE;
      const canJump = this.#jumpDepth(place) >= oldest && this.#jump(place) !== NONE;
      place = canJump && this.#main(this.#jump(place)) > revision ? this.#jump(place) : this.#before(place);
    }
    return place;
  }

  /** How many of the chain are older than the one at `place`. */
  countBelow(chain: Chain, place: number): number {
    return this.#depth(place) - this.#oldestDepth(chain);
  }

  /** Visits the chain from `place` on to its oldest. */
  forEachFrom(chain: Chain, place: number, visit: (version: Version) => void): void {
    let one = place;
    for (let left = this.countBelow(chain, place); left >= 0; left--) {
      visit(this.at(one));
      one = this.#before(one);
    }
  }

  /** Takes away the `count` oldest of the chain, which are all there: they are answered, oldest first. */
  takeOldest(chain: Chain, count: number): Version[] {
    if (count === 0) return [];
    const depth = this.#oldestDepth(chain) + count - 1;
    let place = chain.newest;
    while (this.#depth(place) > depth) {
      const canJump = this.#jumpDepth(place) >= depth && this.#jump(place) !== NONE;
      place = canJump ? this.#jump(place) : this.#before(place);
    }
    const taken: Version[] = [];
    for (let left = count; left > 0; left--) {
      taken.push(this.at(place));
      const before = this.#before(place);
      this.#release(place);
      place = before;
    }
    return taken.reverse();
  }

  /** Where a version behind `newest` jumps to: two equal jumps in a row become one, else only to `newest` itself. */
  #jumpFrom(newest: number, oldest: number): number {
    const first = this.#jump(newest);
    const firstDepth = this.#jumpDepth(newest);
    if (first === NONE || firstDepth < oldest) return newest;
    const second = this.#jump(first);
    const secondDepth = this.#jumpDepth(first);
    if (second === NONE || secondDepth < oldest) return newest;
    return this.#depth(newest) - firstDepth === firstDepth - secondDepth ? second : newest;
  }

  #oldestDepth({ newest, count }: Chain): number {
    return this.#depth(newest) - count + 1;
  }

  #take(): number {
    const place = this.#free;
    if (place !== NONE) {
      this.#free = this.#before(place);
      return place;
    }
    const fresh = this.#fresh++;
    if (fresh >>> CHUNK_BITS === this.#chunks.length) {
      this.#chunks.push({
        numbers: new Float64Array(CHUNK_VERSIONS * NUMBERS),
        links: new Uint32Array(CHUNK_VERSIONS * LINKS),
      });
    }
    return fresh;
  }

  #release(place: number): void {
    this.#chunkOf(place).links[(place & (CHUNK_VERSIONS - 1)) * LINKS + 1] = this.#free;
    this.#free = place;
  }

  #chunkOf(place: number): Chunk {
    return this.#chunks[place >>> CHUNK_BITS] as Chunk;
  }

  #main(place: number): number {
    return this.#chunkOf(place).numbers[(place & (CHUNK_VERSIONS - 1)) * NUMBERS] as number;
  }

  #before(place: number): number {
    return this.#link(place, 1);
  }

  #depth(place: number): number {
    return this.#link(place, 2);
  }

  #jump(place: number): number {
    return this.#link(place, 3);
  }

  #jumpDepth(place: number): number {
    return this.#link(place, 4);
  }

  #link(place: number, which: number): number {
    return this.#chunkOf(place).links[(place & (CHUNK_VERSIONS - 1)) * LINKS + which] as number;
  }
}
