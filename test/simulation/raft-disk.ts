/**
 * A member's disk as raft's promises see it: whole entries, in the order in which they were written. What was written
 * and not synced may be lost from any entry on when the power goes out; a process that dies loses none of it.
 */
import type { Prng } from "../../server/base/prng.ts";
import type { Entry, HardState, SnapshotMetadata } from "../../server/proto/raftpb.ts";
import type { Ready } from "../../server/raft/ready.ts";
import type { AppliedState } from "./raft-state.ts";

/** Writes that a disk which lies holds back although it has said that they are synced, at most. */
const HELD_BACK_MAX = 8;

export class RaftDisk {
  // What is on it for good

  hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  /** Where `entries` begin. */
  snapshot: SnapshotMetadata = { index: 0, term: 0, confState: undefined };
  entries: Entry[] = [];
  state: AppliedState;
  /** Writes that are on it for good, counted since the beginning. */
  durable = 0;

  /** Writes that are not, oldest first. */
  #cached: { readonly ready: Ready; readonly state: AppliedState | undefined }[] = [];
  readonly #lies: boolean;

  constructor(state: AppliedState, lies: boolean) {
    this.state = state;
    this.#lies = lies;
  }

  /** Writes in all. */
  get written(): number {
    return this.durable + this.#cached.length;
  }

  get lastIndex(): number {
    return this.snapshot.index + this.entries.length;
  }

  /** Term of the entry at `index`; undefined when it is not there or compacted. */
  term(index: number): number | undefined {
    return index === this.snapshot.index ? this.snapshot.term : this.entries[index - this.snapshot.index - 1]?.term;
  }

  /** Whether it holds the entry for good, as such or in what was compacted. */
  holds(index: number, term: number): boolean {
    return index <= this.snapshot.index || this.term(index) === term;
  }

  /** Writes what a Ready says, behind all before; `state` is that of its snapshot. Its number. */
  write(ready: Ready, state: AppliedState | undefined): number {
    this.#cached.push({ ready, state });
    return this.written;
  }

  /** A sync of the first `written` writes returns. */
  synced(written: number): void {
    const end = this.#lies ? written - HELD_BACK_MAX : written;
    while (this.durable < end) this.#keepOldest();
  }

  /** The process dies: what it has written is there. */
  processDies(): void {
    while (this.#cached.length > 0) this.#keepOldest();
  }

  /** The power goes out: some of the cached writes arrived, in order, maybe a part of one more. Whether one was torn. */
  powerGoesOut(random: Prng): boolean {
    const arrived = random.below(this.#cached.length + 1);
    for (let count = 0; count < arrived; count++) this.#keepOldest();
    const torn = this.#cached[0]?.ready;
    this.#cached = [];
    // A received snapshot is there whole or not at all.
    if (torn === undefined || torn.snapshot !== undefined || torn.entries.length === 0 || random.chance(0.5))
      return false;
    this.#append(torn.entries.slice(0, random.below(torn.entries.length + 1)));
    return true;
  }

  /** The applied state is kept, and the log before `index` (which it covers) dropped. */
  compact(state: AppliedState, index: number): void {
    // Only a disk that lies can be behind what was applied.
    if (state.index > this.lastIndex) return;
    this.state = state;
    const term = this.term(index);
    if (index <= this.snapshot.index || term === undefined) return;
    this.entries = this.entries.slice(index - this.snapshot.index);
    this.snapshot = { index, term, confState: state.confState };
  }

  #keepOldest(): void {
    const write = this.#cached.shift();
    if (write === undefined) return;
    this.durable++;
    const { ready, state } = write;
    const metadata = ready.snapshot?.metadata;
    if (metadata !== undefined && state !== undefined && metadata.index > this.snapshot.index) {
      this.snapshot = metadata;
      this.entries = [];
      this.state = state;
    }
    this.#append(ready.entries);
    if (ready.hardState !== undefined) this.hardState = ready.hardState;
  }

  #append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const at = entry.index - this.snapshot.index - 1;
      if (at < 0) continue;
      if (at > this.entries.length) throw new Error(`log without gaps: nothing on disk before ${entry.index}`);
      if (at < this.entries.length) this.entries.length = at;
      this.entries.push(entry);
    }
  }
}
