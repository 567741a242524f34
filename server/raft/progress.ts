/**
 * How far one member has come, as its leader sees it (section 5.3: matchIndex and nextIndex), and how fast the leader
 * may send to it.
 *
 *     probe      one append at a time until the logs are known to meet
 *     replicate  appends stream, up to the window of `inflights`
 *     snapshot   our log no longer reaches back far enough; a snapshot is under way, appends wait
 *
 *                 accepted                      rejected / unreachable
 *       probe ------------> replicate       replicate ------------> probe
 *       any, log compacted -> snapshot -> (snapshot taken in, or reported) -> probe or replicate
 *
 * Invariant: match < next. What lies between is in flight.
 */
import { assert } from "../base/assert.ts";
import { Inflights } from "./inflights.ts";

export type ProgressState = "probe" | "replicate" | "snapshot";

export class Progress {
  readonly id: bigint;
  /** The member's log is known to equal ours up to and with this index. */
  match = 0;
  /** Index of the next entry to send. */
  next: number;
  state: ProgressState = "probe";
  /** In state "snapshot": the index of the snapshot that was sent. */
  pendingSnapshot = 0;
  /** Heard of since the last check of the quorum. */
  recentActive: boolean;
  isLearner = false;
  /** Held back until an answer: a probe is out, or the window is full. */
  flowPaused = false;
  readonly inflights: Inflights;
  /** Highest commit index that is on its way to the member. */
  #sentCommit = 0;

  constructor(start: {
    id: bigint;
    next: number;
    recentActive: boolean;
    inflightMax: number;
    inflightBytesMax: number;
  }) {
    this.id = start.id;
    this.next = Math.max(1, start.next);
    this.recentActive = start.recentActive;
    this.inflights = new Inflights({ countMax: start.inflightMax, bytesMax: start.inflightBytesMax });
  }

  /** At a change of role or term: everything is forgotten but who it is. */
  reset(position: { match: number; next: number }): void {
    this.match = position.match;
    this.next = position.next;
    this.recentActive = false;
    this.#sentCommit = 0;
    this.#enter("probe");
    assert(this.match < this.next, "match stays below next");
  }

  becomeProbe(): void {
    // After a snapshot the member has at least that; ask for what follows it.
    const after = this.state === "snapshot" ? this.pendingSnapshot : 0;
    this.#enter("probe");
    this.next = Math.max(this.match, after) + 1;
    this.#lowerSentCommit();
  }

  becomeReplicate(): void {
    this.#enter("replicate");
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.#enter("snapshot");
    this.pendingSnapshot = index;
    this.next = Math.max(index, this.match) + 1;
    this.#sentCommit = index;
  }

  /** The snapshot under way did not arrive: probe from what is known, not from behind it. */
  snapshotFailed(): void {
    assert(this.state === "snapshot", "only a snapshot under way can fail");
    this.pendingSnapshot = 0;
    this.becomeProbe();
  }

  /** Whether the leader must hold back the next append to this member. */
  get isPaused(): boolean {
    return this.state === "snapshot" || this.flowPaused;
  }

  /** An append of `count` entries left. A probe is one at a time, with entries or without. */
  sentAppend(count: number, sizeBytes: number): void {
    assert(this.state !== "snapshot", "no append leaves while a snapshot is under way");
    if (this.state === "probe") {
      this.flowPaused = true;
      return;
    }
    if (count > 0) {
      this.next += count;
      this.inflights.add(this.next - 1, sizeBytes);
    }
    this.flowPaused = this.inflights.full;
  }

  sentCommit(index: number): void {
    this.#sentCommit = index;
  }

  /** Whether telling `commit` could move the member's commit index: not when one that covers all it was sent is out. */
  canBumpCommit(commit: number): boolean {
    return commit > this.#sentCommit && this.#sentCommit < this.next - 1;
  }

  /** An acknowledgement up to `index`. Whether it told anything new. */
  acknowledged(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    if (this.next <= index) this.next = index + 1;
    this.flowPaused = false;
    return true;
  }

  /**
   * The append that followed entry `rejected` was refused; `hint` is the last index at which the logs may meet. Whether
   * `next` moved: a stale refusal (already matched, or not the probe that is out) changes nothing.
   */
  rejected(rejected: number, hint: number): boolean {
    if (this.state === "replicate") {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
      this.#lowerSentCommit();
      return true;
    }
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.#lowerSentCommit();
    this.flowPaused = false;
    return true;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.flowPaused = false;
    this.pendingSnapshot = 0;
    this.inflights.clear();
  }

  #lowerSentCommit(): void {
    this.#sentCommit = Math.min(this.#sentCommit, this.next - 1);
  }
}
