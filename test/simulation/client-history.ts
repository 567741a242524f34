/**
 * What clients of a cluster were told, and whether one history explains it. Every write has a revision, and every read
 * says at which one it was made, so the order of all of them is known: what is left to check is that this order agrees
 * with the order in time, and that each answer is what the history says at its revision. Exact, and linear in the calls.
 */

/** A call that was answered: when it began and ended, by the clock that all clients share. */
interface Answered {
  readonly key: string;
  /** Of the header. */
  readonly revision: number;
  readonly beganMs: number;
  readonly endedMs: number;
}

export interface Write extends Answered {
  readonly value: string;
}

/** `value` undefined: no such key. */
export interface Read extends Answered {
  readonly value: string | undefined;
}

/** One change, as a member's store has it. */
export interface Stored {
  readonly key: string;
  readonly value: string;
}

export class ClientHistory {
  readonly writes: Write[] = [];
  readonly reads: Read[] = [];

  /** Throws an Error at the first answer that `stored`, all changes by their revision, does not explain. */
  check(stored: ReadonlyMap<number, Stored>): void {
    for (const write of this.writes) checkWrite(write, stored.get(write.revision));
    this.#checkTime();
    const versions = versionsOf(stored);
    for (const read of this.reads) checkRead(read, versions.get(read.key) ?? []);
  }

  /** Whatever ended before another began has no higher revision, and a write has a lower one. */
  #checkTime(): void {
    const ends = [...this.writes, ...this.reads].sort((left, right) => left.endedMs - right.endedMs);
    const begins = [
      ...this.writes.map((call) => ({ call, isWrite: true })),
      ...this.reads.map((call) => ({ call, isWrite: false })),
    ].sort((left, right) => left.call.beganMs - right.call.beganMs);
    let highest: Answered | undefined;
    let at = 0;
    for (const { call, isWrite } of begins) {
      for (; at < ends.length && (ends[at] as Answered).endedMs < call.beganMs; at++) {
        const ended = ends[at] as Answered;
        if (highest === undefined || ended.revision > highest.revision) highest = ended;
      }
      const least = (highest?.revision ?? 0) + (isWrite ? 1 : 0);
      if (call.revision >= least) continue;
      throw new Error(
        `a ${isWrite ? "write" : "read"} of "${call.key}" that began at ${call.beganMs} ms has revision ${call.revision}, ` +
          `but "${highest?.key}" had ${highest?.revision} at ${highest?.endedMs} ms`,
      );
    }
  }
}

function checkWrite(write: Write, stored: Stored | undefined): void {
  if (stored?.key === write.key && stored.value === write.value) return;
  const found = stored === undefined ? "nothing" : `"${stored.key}" = ${stored.value}`;
  throw new Error(`"${write.key}" = ${write.value} was acknowledged at revision ${write.revision}, where ${found} is`);
}

/** The changes of each key in their order. */
function versionsOf(stored: ReadonlyMap<number, Stored>): Map<string, { revision: number; value: string }[]> {
  const versions = new Map<string, { revision: number; value: string }[]>();
  for (const [revision, { key, value }] of [...stored].sort(([left], [right]) => left - right)) {
    const all = versions.get(key);
    if (all === undefined) versions.set(key, [{ revision, value }]);
    else all.push({ revision, value });
  }
  return versions;
}

function checkRead(read: Read, versions: readonly { readonly revision: number; readonly value: string }[]): void {
  const expected = versions.findLast(({ revision }) => revision <= read.revision)?.value;
  if (read.value === expected) return;
  throw new Error(`"${read.key}" was read as ${read.value} at revision ${read.revision}, and was ${expected} there`);
}
